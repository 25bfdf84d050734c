import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccessKey } from './credentials.ts';
import type { Container } from './graph/manifest.ts';
import type { Watchdog } from './watchdog.ts';

const ENTRY = path.join(import.meta.dirname, '../service/main.ts');
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A task that lived this long was not failing to start. */
const STABLE_MS = 10_000;

export interface ContainerOptions {
  container: Container;
  /** value of a secret reference of the task definition */
  resolveSecret: (reference: string) => string;
  /** key of the task role */
  credentials: AccessKey;
  awsEndpointUrl: string;
  region: string;
  /** settings that differ from the declared ones, in this run only */
  overrides?: Record<string, string>;
  /** one line of the service's log */
  onLine: (line: string) => void;
  /** told when the service ended by itself and is about to be started again */
  onExit: (how: string) => void;
  watchdog: Watchdog;
}

/**
 * What ECS gives the container: its declared variables, its secrets, the task role's credentials. Nothing comes from the
 * environment of the launcher; only the endpoint and the address say that this is a laptop.
 */
export const containerEnvironment = ({
  container,
  resolveSecret,
  credentials,
  awsEndpointUrl,
  region,
  overrides,
}: Omit<ContainerOptions, 'onLine' | 'onExit' | 'watchdog'>): Record<string, string> => ({
  ...container.environment,
  ...Object.fromEntries(
    Object.entries(container.secrets).map(([name, reference]) => [name, resolveSecret(reference)]),
  ),
  HOST: '127.0.0.1',
  AWS_ENDPOINT_URL: awsEndpointUrl,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  ...overrides,
});

/** Runs the declared container as a process, and starts it again with growing pauses when it ends, as ECS does. */
export function startContainer(options: ContainerOptions) {
  const { container, onLine, onExit, watchdog } = options;
  const url = `http://127.0.0.1:${container.port}`;
  let current: ChildProcess | undefined;
  let failures = 0;
  let killed = false;
  let lastWords = '';
  let started = () => {};
  const stopping = new AbortController();

  async function live() {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [ENTRY], {
      env: containerEnvironment(options),
      stdio: ['ignore', 'pipe', 'pipe'],
      // its own process group: Ctrl-C in the terminal is the launcher's to handle, in order
      detached: true,
    });
    current = child;
    if (child.pid) watchdog.watch(child.pid);
    started();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lastWords = line;
        onLine(line);
      });
    }
    const [code, signal] = await once(child, 'exit').catch((error: Error) => [error.message, null]);
    if (child.pid) watchdog.forget(child.pid);
    if (performance.now() - startedAt > STABLE_MS) failures = 0;
    return signal ? `signal ${signal}` : `code ${code}`;
  }

  async function keepAlive() {
    while (!stopping.signal.aborted) {
      const how = await live();
      if (stopping.signal.aborted) return;
      onExit(how);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
      if (!killed) failures += 1;
      killed = false;
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }
  const ended = keepAlive();

  async function ready(seconds = 60): Promise<void> {
    const end = performance.now() + seconds * 1000;
    let last = 'no answer';
    while (performance.now() < end) {
      try {
        const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
        const text = await response.text();
        if (response.ok) return;
        last = `${response.status} ${text}`;
      } catch {
        // not listening yet
      }
      if (stopping.signal.aborted || failures > 4) break;
      await sleep(40);
    }
    throw new Error(`the service did not become ready (${last}). It said last:\n  ${lastWords}`);
  }

  return {
    url,
    get pid() {
      return current?.pid;
    },
    /** Calls back whenever a new process has been started. */
    onStart(callback: () => void) {
      started = callback;
    },
    /** Waits until `/readyz` answers 200. */
    ready,

    /** Ends the process at once, as a crash or a lost host would; resolves when its replacement is ready. */
    async kill(signal: NodeJS.Signals = 'SIGKILL') {
      const child = current;
      if (child?.pid && child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        killed = true;
        process.kill(-child.pid, signal);
        await exit;
      }
      while (current === child && !stopping.signal.aborted) await sleep(10);
      await ready();
    },

    /** SIGTERM, and SIGKILL after the declared stop timeout. */
    async stop() {
      stopping.abort();
      const child = current;
      if (child?.pid && child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        child.kill('SIGTERM');
        const patience = setTimeout(() => child.kill('SIGKILL'), container.stopTimeoutSeconds * 1000);
        await exit;
        clearTimeout(patience);
      }
      await ended;
    },
  };
}
export type RunningContainer = ReturnType<typeof startContainer>;
