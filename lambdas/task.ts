import type { Context } from 'aws-lambda';
import { type Logger, pino } from 'pino';
import { z } from 'zod';
import { measured } from '../statemachines/metrics.ts';
import { config, type environments, type Task } from './config.ts';
import { PermanentError, ValidationError } from './errors.ts';

type Config<T extends Task> = z.output<(typeof environments)[T]>;
type Work<I extends z.ZodType, O extends z.ZodType> = (
  input: z.output<I>,
  log: Logger,
) => Promise<z.input<O>> | z.input<O>;

/** JSON lines on stdout, written before the function's process is frozen. */
export const logger = (task: Task, environment: { ENV: string; LOG_LEVEL: string }) =>
  pino(
    {
      level: environment.LOG_LEVEL,
      base: { task, env: environment.ENV },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ sync: true }),
  );

/** Trace id of a W3C `traceparent`, for logs. */
export const traceId = (traceparent: string | undefined) =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/.exec(traceparent ?? '')?.[1];

/**
 * Writes the end of an invocation as a line and as a measurement: `outcome` is `succeeded`, a permanent error's name, or
 * `error`. It is written whatever the log's level is, unless that is `silent`.
 */
export function logEnd(
  log: Logger,
  end: { step: Task; outcome: string; since: number; level?: 'info' | 'warn' | 'error' },
  fields: object,
  message: string,
) {
  const { step, outcome, since, level = 'info' } = end;
  const seconds = Math.round(performance.now() - since) / 1000;
  const lines = log.level === 'silent' ? log : log.child({}, { level: 'info' });
  const measurement = measured('media_step_duration_seconds', seconds, { step, outcome });
  lines[level]({ ...fields, ...measurement }, message);
}

const Subject = z
  .object({
    listingIdentityId: z.union([z.number(), z.string()]),
    batchId: z.string(),
    jobId: z.union([z.number(), z.string()]),
    traceparent: z.string(),
    asset: z.object({ key: z.string() }).partial(),
  })
  .partial()
  .catch({});

function subject(event: unknown) {
  const { listingIdentityId, batchId, jobId, traceparent, asset } = Subject.parse(event);
  return {
    listing_identity_id: listingIdentityId ?? (asset?.key && Number.parseInt(asset.key, 10)),
    batch_id: batchId,
    job_id: jobId,
    trace_id: traceId(traceparent),
    raw_key: asset?.key,
  };
}

/** What of an error may be logged: an SDK error carries requests and responses too. */
export const loggable = (error: unknown) =>
  error instanceof Error
    ? {
        name: error.name,
        message: error.message,
        stack: error.stack,
        ...(error.cause instanceof Error && { cause: error.cause.message }),
      }
    : { name: 'unknown', message: String(error) };

/** Characters of an error's message that a state machine is told. */
const MESSAGE_LENGTH = 500;

/**
 * The error without its stack, which the log has: the runtime would send it along, and a state of 256 KiB has to hold
 * the errors of every asset of a batch.
 */
function brief(error: unknown) {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  // defined, not assigned: an AbortSignal's error has a message that cannot be
  return Object.defineProperties(error, {
    message: { value: message.slice(0, MESSAGE_LENGTH) },
    stack: { value: name },
  });
}

/**
 * A Lambda handler for a task of the state machines. Input and output are parsed by the contract; input that does not
 * fit is a permanent VALIDATION_ERROR. `create` runs at the first invocation, so that importing the file needs no
 * environment.
 */
export function task<T extends Task, I extends z.ZodType, O extends z.ZodType>(
  name: T,
  contract: { input: I; output: O },
  create: (environment: Config<T>) => Work<I, O>,
) {
  let started: { work: Work<I, O>; log: Logger } | undefined;

  return async (event: unknown, context?: Pick<Context, 'awsRequestId'>): Promise<z.output<O>> => {
    if (!started) {
      const environment = config(name);
      started = { work: create(environment), log: logger(name, environment) };
    }
    const log = started.log.child({ ...subject(event), request_id: context?.awsRequestId });
    const since = performance.now();
    try {
      const input = contract.input.safeParse(event);
      if (!input.success) {
        throw new ValidationError('The work order was not understood. Please try again.', {
          cause: new Error(z.prettifyError(input.error)),
        });
      }
      const output = contract.output.parse(await started.work(input.data, log));
      logEnd(log, { step: name, outcome: 'succeeded', since }, {}, `lambda.${name}.completed`);
      return output;
    } catch (error) {
      const permanent = error instanceof PermanentError;
      const outcome = permanent ? error.name : 'error';
      const level = permanent ? 'warn' : 'error';
      const fields = { error: loggable(error), permanent };
      logEnd(log, { step: name, outcome, since, level }, fields, `lambda.${name}.failed`);
      throw brief(error);
    }
  };
}
