import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AwsError } from './aws-error.ts';
import type { AwsService } from './door.ts';
import type { Manifest } from './graph/manifest.ts';
import { jsonService } from './json-service.ts';

type Condition =
  | string
  | number
  | boolean
  | null
  | { prefix: string }
  | { suffix: string }
  | { exists: boolean }
  | { 'anything-but': string | number | (string | number)[] };
export type Pattern = { [field: string]: Condition[] | Pattern };

const Scalar = z.union([z.string(), z.number()]);
const ConditionSchema = z.union([
  Scalar,
  z.boolean(),
  z.null(),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ suffix: z.string() }),
  z.strictObject({ exists: z.boolean() }),
  z.strictObject({ 'anything-but': z.union([Scalar, z.array(Scalar)]) }),
]);
const PatternSchema: z.ZodType<Pattern> = z.lazy(() =>
  z.record(z.string(), z.union([z.array(ConditionSchema).min(1), PatternSchema])),
);

function meets(condition: Condition, value: unknown): boolean {
  if (typeof condition !== 'object' || condition === null) return value === condition;
  if ('exists' in condition) return (value !== undefined) === condition.exists;
  if ('prefix' in condition) return typeof value === 'string' && value.startsWith(condition.prefix);
  if ('suffix' in condition) return typeof value === 'string' && value.endsWith(condition.suffix);
  const refused = [condition['anything-but']].flat();
  return value !== undefined && !refused.some((item) => item === value);
}

/** Whether an event matches: every field of the pattern, any of its values, any element where the event has an array. */
export function matches(pattern: Pattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const value: unknown =
      typeof event === 'object' && event !== null ? Reflect.get(event, field) : undefined;
    if (!Array.isArray(wanted)) return matches(wanted, value);
    const values: unknown[] = Array.isArray(value) && value.length ? value : [value];
    return wanted.some((condition) => values.some((item) => meets(condition, item)));
  });
}

/** An event as rules and targets see it (EventBridge user guide, "Events"). */
export interface BusEvent {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

export interface EventsOptions {
  manifest: Pick<Manifest, 'rules' | 'region' | 'accountId'>;
  /** hands a rule's event to a target (a topic, a log group); what it throws is reported, never the sender's problem */
  deliver: (targetArn: string, event: BusEvent, ruleArn: string) => unknown;
  report: (error: unknown) => void;
}

const Entry = z.object({
  Source: z.string().min(1),
  DetailType: z.string().min(1),
  Detail: z.string(),
  Resources: z.array(z.string()).default([]),
  EventBusName: z.string().optional(),
});

/** EventBridge's default bus: PutEvents, the declared rules and their targets. Throws on a pattern it cannot evaluate. */
export function createEvents({ manifest, deliver, report }: EventsOptions) {
  const { region, accountId } = manifest;
  const rules = manifest.rules.map((rule) => {
    const pattern = PatternSchema.safeParse(rule.pattern);
    if (!pattern.success) {
      throw new Error(`rule ${rule.name}: its pattern is not supported\n${z.prettifyError(pattern.error)}`);
    }
    return { ...rule, pattern: pattern.data };
  });

  /** Puts an event on the bus and returns its id. */
  function put(entry: { source: string; detailType: string; resources: string[]; detail: unknown }): string {
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': entry.detailType,
      source: entry.source,
      account: accountId,
      time: new Date().toISOString(),
      region,
      resources: entry.resources,
      detail: entry.detail,
    };
    for (const rule of rules.filter(({ pattern }) => matches(pattern, event))) {
      for (const { arn } of rule.targets) {
        void (async () => deliver(arn, event, rule.arn))().catch(report);
      }
    }
    return event.id;
  }

  const service: AwsService = jsonService({
    PutEvents(input) {
      const request = z.object({ Entries: z.array(z.unknown()).min(1).max(10) }).safeParse(input);
      if (!request.success) throw new AwsError('ValidationException', 400, z.prettifyError(request.error));
      const Entries = request.data.Entries.map((item) => {
        const entry = Entry.safeParse(item);
        if (!entry.success) {
          return { ErrorCode: 'InvalidArgument', ErrorMessage: z.prettifyError(entry.error) };
        }
        const { Source: source, DetailType: detailType, Detail, Resources: resources } = entry.data;
        try {
          return { EventId: put({ source, detailType, resources, detail: JSON.parse(Detail) }) };
        } catch {
          return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
        }
      });
      return { FailedEntryCount: Entries.filter((entry) => 'ErrorCode' in entry).length, Entries };
    },
  });

  return { service, put };
}
export type Events = ReturnType<typeof createEvents>;
