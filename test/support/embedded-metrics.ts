import { z } from 'zod';

const Name = z.string().min(1).max(1024);

/** "Specification: Embedded metric format", CloudWatch user guide: what a line has to be to become a metric. */
const Document = z.looseObject({
  _aws: z.object({
    /** milliseconds: seconds would be a date of 1970, which CloudWatch drops */
    Timestamp: z.int().min(1_600_000_000_000),
    CloudWatchMetrics: z
      .array(
        z.object({
          Namespace: z.string().min(1).max(255),
          Dimensions: z.array(z.array(Name).max(30)).min(1),
          Metrics: z
            .array(
              z.object({
                Name,
                Unit: z.enum(['Seconds', 'Milliseconds', 'Count', 'Bytes', 'Percent', 'None']),
                StorageResolution: z.literal([1, 60]).optional(),
              }),
            )
            .min(1)
            .max(100),
        }),
      )
      .min(1),
  }),
});

export interface Extracted {
  namespace: string;
  name: string;
  unit: string;
  value: number;
  /** one an entry of Dimensions, with values */
  dimensions: Record<string, string>[];
}

/** The metrics that CloudWatch takes from a log line. Throws where it would take none, or not all. */
export function extractMetrics(text: string): Extracted[] {
  const line = Document.parse(JSON.parse(text));
  return line._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
    Metrics.map(({ Name: name, Unit }) => ({
      namespace: Namespace,
      name,
      unit: Unit,
      value: z.number().parse(line[name]),
      dimensions: Dimensions.map((set) =>
        Object.fromEntries(set.map((key) => [key, z.string().min(1).max(1024).parse(line[key])])),
      ),
    })),
  );
}
