import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LambdaFunction } from '../graph/manifest.ts';
import type { FunctionError, Invocation, Report } from './runner.ts';

/** Milliseconds that loading the artefact may take. */
const INITIALISATION_LIMIT = 30_000;

export interface Answer {
  /** JSON: what the handler returned, or its error */
  payload: string;
  failed: boolean;
  /** largest resident memory of the process so far; missing when it died */
  peakMiB?: number;
  /** milliseconds between the handler's start and its end */
  duration: number;
  /** milliseconds of loading, on the first invocation of a process */
  initDuration?: number;
}

export interface FunctionProcess {
  /** false once the process has ended: the next invocation needs a new one */
  readonly alive: boolean;
  invoke(requestId: string, event: string): Promise<Answer>;
  kill(): Promise<void>;
}

interface Pending {
  settle(answer: Pick<Answer, 'payload' | 'failed' | 'peakMiB'>): void;
}

const failure = (error: FunctionError) => ({ payload: JSON.stringify(error), failed: true });

/** `exit status 1`, `signal: killed`: as the Lambda runtime words it. */
const ending = (code: number | null, signal: NodeJS.Signals | null) =>
  signal ? `signal: ${signal === 'SIGKILL' ? 'killed' : signal}` : `exit status ${code}`;

/**
 * Starts the process of a function with exactly this environment. Concurrent invocations share it (AWS would start one
 * environment for each). An invocation that outlives the timeout ends the process, and with it the others under way:
 * those fail without an error type, which Step Functions calls `Lambda.Unknown`.
 */
export function startProcess(
  definition: LambdaFunction,
  environment: Record<string, string>,
  log: (line: string) => void,
): FunctionProcess {
  const child: ChildProcess = spawn(process.execPath, [path.join(import.meta.dirname, 'runner.ts')], {
    cwd: definition.artefact,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  const pending = new Map<string, Pending>();
  const startedAt = performance.now();
  let loaded: number | undefined;
  let alive = true;
  /** known when the process itself is why every invocation must fail */
  let doom: FunctionError | undefined;
  let timedOut: string | undefined;

  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', log);
  }

  const ready = new Promise<void>((resolve) => {
    const limit = setTimeout(() => {
      doom = { errorType: 'Sandbox.Timedout', errorMessage: 'Error: initialisation took too long' };
      child.kill('SIGKILL');
    }, INITIALISATION_LIMIT);
    const done = () => {
      clearTimeout(limit);
      resolve();
    };
    child.on('message', (message: Report) => {
      if (message.type === 'ready') {
        loaded = performance.now() - startedAt;
        done();
      } else if (message.type === 'unusable') {
        doom = message.error;
      } else if (message.type === 'result') {
        const { payload, peakMiB } = message;
        pending.get(message.requestId)?.settle({ payload, failed: false, peakMiB });
      } else {
        pending.get(message.requestId)?.settle({ ...failure(message.error), peakMiB: message.peakMiB });
      }
    });
    child.once('error', (error) => {
      doom = { errorType: 'Runtime.InvalidEntrypoint', errorMessage: error.message };
      alive = false;
      done();
    });
    child.once('exit', async (code, signal) => {
      alive = false;
      // what the process said last may still be in the channel
      if (child.connected) await once(child, 'disconnect');
      done();
      for (const [requestId, { settle }] of pending) {
        const name = `RequestId: ${requestId} Error:`;
        if (doom) settle(failure(doom));
        else if (timedOut === undefined) {
          const errorMessage = `${name} Runtime exited with error: ${ending(code, signal)}`;
          settle(failure({ errorType: 'Runtime.ExitError', errorMessage }));
        } else if (timedOut === requestId) {
          const errorMessage = `${name} Task timed out after ${definition.timeoutSeconds.toFixed(2)} seconds`;
          settle(failure({ errorType: 'Sandbox.Timedout', errorMessage }));
        } else settle(failure({ errorMessage: `${name} another invocation's timeout ended the process` }));
      }
    });
  });

  function send(invocation: Invocation) {
    if (!child.connected) return;
    // a process that has just died says so by its exit
    child.send(invocation, () => {});
  }

  return {
    get alive() {
      return alive && doom === undefined && timedOut === undefined;
    },

    async invoke(requestId, event) {
      const { promise, resolve } = Promise.withResolvers<Pick<Answer, 'payload' | 'failed' | 'peakMiB'>>();
      pending.set(requestId, { settle: resolve });
      await ready;
      const initDuration = loaded;
      loaded = undefined;
      const begun = performance.now();
      const limit = setTimeout(() => {
        timedOut ??= requestId;
        child.kill('SIGKILL');
      }, definition.timeoutSeconds * 1000);
      const deadline = Date.now() + definition.timeoutSeconds * 1000;
      send({ requestId, event, functionArn: definition.arn, deadline });
      if (!alive) resolve(failure(doom ?? { errorMessage: `RequestId: ${requestId} Error: no process` }));
      try {
        const answer = await promise;
        return {
          ...answer,
          duration: performance.now() - begun,
          ...(initDuration === undefined ? {} : { initDuration }),
        };
      } finally {
        clearTimeout(limit);
        pending.delete(requestId);
      }
    },

    async kill() {
      if (!alive) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
