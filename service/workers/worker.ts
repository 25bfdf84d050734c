import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Leader } from './leader.ts';

/** Something that is done over and over. */
export interface Worker<Report> {
  /** One round, now, whoever the leader is. */
  runOnce(): Promise<Report>;
  /** Rounds as long as this instance leads, the first at once. */
  start(): void;
  /** Begins no new round and waits for the one under way. */
  stop(): Promise<void>;
}

export interface Schedule {
  name: string;
  intervalSeconds: number;
  leader: Leader;
  log: Pick<Logger, 'error'>;
}

/** So often does an instance that does not lead ask whether it may. */
const CANDIDATE_SECONDS = 2;

/** Repeats a round. A round that fails is logged and tried again at its next time. */
export function createWorker<Report>(schedule: Schedule, runOnce: () => Promise<Report>): Worker<Report> {
  const { name, intervalSeconds, leader, log } = schedule;
  let stopping: AbortController | undefined;
  let running: Promise<void> | undefined;

  async function run(signal: AbortSignal) {
    while (!signal.aborted) {
      let pause = intervalSeconds;
      try {
        if (await leader.acquire()) await runOnce();
        else pause = Math.min(pause, CANDIDATE_SECONDS);
      } catch (error) {
        log.error({ err: error, worker: name }, 'service.media.worker.failed');
      }
      // abort is how the pause ends early
      await sleep(pause * 1000, undefined, { signal }).catch(() => {});
    }
  }

  return {
    runOnce,
    start() {
      if (running) return;
      stopping = new AbortController();
      running = run(stopping.signal);
    },
    async stop() {
      stopping?.abort();
      await running;
      running = undefined;
    },
  };
}
