import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { AwsError } from '../aws-error.ts';
import type { AccessKey } from '../credentials.ts';
import type { LambdaFunction } from '../graph/manifest.ts';
import { type Answer, type FunctionProcess, startProcess } from './function-process.ts';

export interface FunctionsOptions {
  functions: LambdaFunction[];
  region: string;
  /** the front door, as the functions' SDKs see it */
  endpoint: string;
  credentials(roleArn: string): AccessKey;
  /** a line of a function's stdout or stderr, or its REPORT */
  log(functionName: string, line: string): void;
}

/** What an invocation came to: JSON, and whether the function failed. */
export interface Invoked {
  payload: string;
  failed: boolean;
}

/** Bytes of a synchronous request or answer. */
export const PAYLOAD_LIMIT = 6_291_456;

/** Lambda developer guide, "Defined runtime environment variables": what a declaration may not set. */
const RESERVED =
  /^(_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_|AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV|LAMBDA_|ACCESS_KEY|SECRET_ACCESS_KEY|SESSION_TOKEN))/;

const notFound = (name: string) =>
  new AwsError('ResourceNotFoundException', 404, `Function not found: ${name}`);

/** `name`, `account:function:name` or the whole ARN, each with or without `:$LATEST`. */
function plainName(reference: string) {
  const match = /^(?:arn:aws:lambda:[\w-]+:)?(?:\d{12}:)?(?:function:)?([\w-]+)(?::(.+))?$/.exec(reference);
  if (!match?.[1] || (match[2] && match[2] !== '$LATEST')) throw notFound(reference);
  return match[1];
}

function reportLine(requestId: string, memoryMiB: number, answer: Answer) {
  const { duration, initDuration, peakMiB } = answer;
  const billed = Math.ceil(duration + (initDuration ?? 0));
  return [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${duration.toFixed(2)} ms`,
    `Billed Duration: ${billed} ms`,
    `Memory Size: ${memoryMiB} MB`,
    ...(peakMiB === undefined ? [] : [`Max Memory Used: ${peakMiB} MB`]),
    ...(initDuration === undefined ? [] : [`Init Duration: ${initDuration.toFixed(2)} ms`]),
  ].join('\t');
}

/** The declared functions, each in a process of its own that starts with its first invocation. */
export function createFunctions(options: FunctionsOptions) {
  const { functions, region, endpoint, credentials, log } = options;
  const processes = new Map<string, FunctionProcess>();
  const underWay = new Map<string, number>();
  const peaks = new Map<string, number>();
  const declared = new Map(functions.map((definition) => [definition.name, definition]));

  for (const { name, artefact, environment } of functions) {
    if (!statSync(artefact, { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`${name}: the artefact ${artefact} is not a folder. Has it been built?`);
    }
    const reserved = Object.keys(environment).filter((variable) => RESERVED.test(variable));
    if (reserved.length) throw new Error(`${name}: Lambda reserves ${reserved.join(', ')}.`);
  }

  /** The declared variables and what Lambda sets itself; nothing of this process's own environment. */
  function environmentOf(definition: LambdaFunction): Record<string, string> {
    const { name, roleArn, artefact, runtime, handler, memoryMiB, environment } = definition;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials(roleArn);
    return {
      PATH: '/usr/local/bin:/usr/bin/:/bin',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      // not the user's: an SDK would read its ~/.aws
      HOME: tmpdir(),
      ...environment,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      ...(sessionToken ? { AWS_SESSION_TOKEN: sessionToken } : {}),
      AWS_ENDPOINT_URL: endpoint,
      AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMiB),
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: 'local',
      LAMBDA_TASK_ROOT: artefact,
      _HANDLER: handler,
    };
  }

  function processOf(definition: LambdaFunction) {
    const { name } = definition;
    const current = processes.get(name);
    if (current?.alive) return current;
    const started = startProcess(definition, environmentOf(definition), (line) => log(name, line));
    processes.set(name, started);
    return started;
  }

  function admit({ name, reservedConcurrency = Number.POSITIVE_INFINITY }: LambdaFunction) {
    const running = underWay.get(name) ?? 0;
    if (running >= reservedConcurrency) {
      throw new AwsError('TooManyRequestsException', 429, 'Rate Exceeded.', {
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      });
    }
    underWay.set(name, running + 1);
  }

  return {
    /**
     * Invokes a function, by name or ARN, with a JSON event. Throws AWS's ResourceNotFoundException and
     * TooManyRequestsException; a failure of the function itself is an answer.
     */
    async invoke(reference: string, event: string): Promise<Invoked> {
      const definition = declared.get(plainName(reference));
      if (!definition) throw notFound(reference);
      const { name, memoryMiB } = definition;
      admit(definition);
      const requestId = randomUUID();
      try {
        const answer = await processOf(definition).invoke(requestId, event);
        if (answer.peakMiB) peaks.set(name, Math.max(peaks.get(name) ?? 0, answer.peakMiB));
        log(name, reportLine(requestId, memoryMiB, answer));
        if (Buffer.byteLength(answer.payload) <= PAYLOAD_LIMIT) return answer;
        const errorMessage = `Response payload size exceeded maximum allowed payload size (${PAYLOAD_LIMIT} bytes).`;
        const payload = JSON.stringify({ errorType: 'Function.ResponseSizeTooLarge', errorMessage });
        return { payload, failed: true };
      } finally {
        underWay.set(name, (underWay.get(name) ?? 1) - 1);
      }
    },

    /** The function of this name or ARN is declared; throws ResourceNotFoundException otherwise. */
    find(reference: string): LambdaFunction {
      const definition = declared.get(plainName(reference));
      if (!definition) throw notFound(reference);
      return definition;
    },

    /** Function name → largest resident memory that any of its processes had, in MiB. */
    peakMemory: (): Record<string, number> => Object.fromEntries(peaks),

    close: () => Promise.all([...processes.values()].map((running) => running.kill())),
  };
}
export type Functions = ReturnType<typeof createFunctions>;
