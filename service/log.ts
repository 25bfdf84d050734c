import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { currentTraceId } from './trace.ts';

export type Log = Logger;

/** Names under which a secret or a signed URL could reach a log by mistake, at the two depths we log. */
const SECRETS = [
  'authorization',
  'cookie',
  'token',
  'password',
  'secret',
  'signature',
  'uploadUrl',
  'url',
  'rawBody',
  'body',
];

/** JSON lines; `msg` is the stable name of what happened, `trace_id` the request that it happened for. */
export function createLog(
  options: { level: string; env: string; version: string },
  destination?: DestinationStream,
): Log {
  return pino(
    {
      level: options.level,
      base: { service: 'listing-media', env: options.env, version: options.version },
      timestamp: stdTimeFunctions.isoTime,
      mixin: () => ({ trace_id: currentTraceId() }),
      formatters: { level: (level) => ({ level }) },
      // an AWS error carries its signed request with it: only the named fields are written
      serializers: { err: describeError },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    },
    destination ?? pino.destination(1),
  );
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
