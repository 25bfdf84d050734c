import { z } from 'zod';

// The settings that the local transcoder obeys, in the SDK's spelling. Quality hints without a counterpart in ffmpeg
// pass unread; a codec, container, output group or scaling that it cannot make is refused.

const Fraction = z.int().positive();

const FrameCapture = z.object({
  Codec: z.literal('FRAME_CAPTURE'),
  FrameCaptureSettings: z
    .object({
      FramerateNumerator: Fraction.default(1),
      FramerateDenominator: Fraction.default(1),
      MaxCaptures: z.int().positive().default(10_000_000),
      /** 1 (worst) to 100 */
      Quality: z.int().min(1).max(100).default(80),
    })
    .prefault({}),
});

const H264 = z.object({
  Codec: z.literal('H_264'),
  H264Settings: z
    .object({
      RateControlMode: z.enum(['QVBR', 'VBR', 'CBR']).default('QVBR'),
      /** bits per second */
      MaxBitrate: z.int().positive().optional(),
      Bitrate: z.int().positive().optional(),
      QvbrSettings: z.object({ QvbrQualityLevel: z.int().min(1).max(10).default(7) }).prefault({}),
    })
    .prefault({}),
});

const Aac = z.object({
  Codec: z.literal('AAC'),
  AacSettings: z
    .object({ Bitrate: z.int().positive().default(96_000), SampleRate: z.int().positive().default(48_000) })
    .prefault({}),
});

const VideoDescription = z.object({
  Width: z.int().positive().optional(),
  Height: z.int().positive().optional(),
  ScalingBehavior: z.enum(['FIT', 'FIT_NO_UPSCALE']).default('FIT'),
  CodecSettings: z.discriminatedUnion('Codec', [H264, FrameCapture]),
});

const Output = z.object({
  NameModifier: z.string().max(256).default(''),
  ContainerSettings: z.object({ Container: z.enum(['MP4', 'RAW']) }),
  VideoDescription,
  AudioDescriptions: z.array(z.object({ CodecSettings: Aac })).default([]),
});
export type Output = z.output<typeof Output>;

const OutputGroup = z.object({
  OutputGroupSettings: z.object({
    Type: z.literal('FILE_GROUP_SETTINGS'),
    FileGroupSettings: z.object({
      Destination: z.string().regex(/^s3:\/\/[^/]+\/.*$/),
      DestinationSettings: z
        .object({
          S3Settings: z
            .object({ Encryption: z.object({ EncryptionType: z.string(), KmsKeyArn: z.string() }).partial() })
            .partial(),
        })
        .partial()
        .optional(),
    }),
  }),
  Outputs: z.array(Output).min(1),
});

export type OutputGroup = z.output<typeof OutputGroup>;

export const Rotation = z.enum(['AUTO', 'DEGREE_0', 'DEGREES_90', 'DEGREES_180', 'DEGREES_270']);
export type Rotation = z.infer<typeof Rotation>;

const Input = z.object({
  FileInput: z.string().regex(/^s3:\/\/[^/]+\/.+$/),
  VideoSelector: z.object({ Rotate: Rotation.default('DEGREE_0') }).prefault({}),
  AudioSelectors: z.record(z.string(), z.unknown()).optional(),
});

export const JobSettings = z.object({
  Inputs: z.tuple([Input], 'exactly one input is supported'),
  OutputGroups: z.array(OutputGroup).min(1),
});
export type JobSettings = z.output<typeof JobSettings>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A job's settings over its template's: objects deeply, arrays position by position, as CreateJob does. */
export function overlay(template: unknown, job: unknown): unknown {
  if (job === undefined) return template;
  if (Array.isArray(template) && Array.isArray(job)) {
    const length = Math.max(template.length, job.length);
    return Array.from({ length }, (_, i) => overlay(template[i], job[i]));
  }
  if (isObject(template) && isObject(job)) {
    const keys = new Set([...Object.keys(template), ...Object.keys(job)]);
    return Object.fromEntries([...keys].map((key) => [key, overlay(template[key], job[key])]));
  }
  return job;
}

/** Maps whose keys are the caller's own words. */
const VERBATIM = new Set(['usermetadata', 'tags', 'audioselectors', 'audioselectorgroups']);

function respell(value: unknown, letter: (first: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => respell(item, letter));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      letter(key.charAt(0)) + key.slice(1),
      VERBATIM.has(key.toLowerCase()) ? item : respell(item, letter),
    ]),
  );
}

/** The wire's `fileInput` → the SDK's, Step Functions' and CloudFormation's `FileInput`. */
export const fromWire = (value: unknown) => respell(value, (first) => first.toUpperCase());
/** `FileInput` → the wire's `fileInput`. */
export const toWire = (value: unknown) => respell(value, (first) => first.toLowerCase());
