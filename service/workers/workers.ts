import type { ServiceConfig } from '../config.ts';
import type { MediaDependencies } from '../media/dependencies.ts';
import type { MediaOperations } from '../media/operations.ts';
import { createPublisher } from '../media/publisher.ts';
import { giveUp } from '../media/results.ts';
import type { Metrics } from '../metrics.ts';
import { createLeader } from './leader.ts';
import { createOutboxRelay } from './outbox-relay.ts';
import { createReconciler, type Reconciliation } from './reconciler.ts';
import { createUploadExpiry } from './upload-expiry.ts';
import { createWorker, type Worker } from './worker.ts';

/** Abandoned batches are counted in hours: looking for them once a minute is often enough. */
const EXPIRY_INTERVAL_SECONDS = 60;
/** CloudWatch's own resolution. */
const GAUGES_INTERVAL_SECONDS = 60;

export interface WorkerDependencies {
  dependencies: MediaDependencies;
  media: Pick<MediaOperations, 'applyCallback'>;
  metrics: Pick<Metrics, 'logGauges'>;
}

export interface Workers {
  outboxRelay: Worker<{ published: number }>;
  reconciler: Worker<Reconciliation>;
  uploadExpiry: Worker<{ expired: number }>;
  start(): void;
  /** Waits for the rounds under way, then lets another instance lead. */
  stop(): Promise<void>;
}

/** What the service does by itself. `owner` tells this instance from the others that share the database. */
export function createWorkers(
  { dependencies, media, metrics }: WorkerDependencies,
  intervals: Pick<ServiceConfig, 'OUTBOX_INTERVAL_SECONDS' | 'RECONCILE_INTERVAL_SECONDS'>,
  owner: string,
): Workers {
  const { knex, log } = dependencies;
  const leader = createLeader(knex, owner);
  const publish = createPublisher(dependencies);
  const every = (intervalSeconds: number) => ({ intervalSeconds, leader, log });

  const outboxRelay = createOutboxRelay({ knex, publish }, every(intervals.OUTBOX_INTERVAL_SECONDS));
  const reconciler = createReconciler(
    { dependencies, applyCallback: media.applyCallback, giveUp: giveUp(dependencies, publish) },
    every(intervals.RECONCILE_INTERVAL_SECONDS),
  );
  const uploadExpiry = createUploadExpiry(dependencies, every(EXPIRY_INTERVAL_SECONDS));
  const gauges = createWorker({ name: 'gauges', ...every(GAUGES_INTERVAL_SECONDS) }, metrics.logGauges);
  const all = [outboxRelay, reconciler, uploadExpiry, gauges];
  return {
    outboxRelay,
    reconciler,
    uploadExpiry,
    start() {
      for (const worker of all) worker.start();
    },
    async stop() {
      await Promise.all(all.map((worker) => worker.stop()));
      // without a database the lease runs out by itself
      await leader.release().catch((error) => log.warn({ err: error }, 'service.media.worker.lease_kept'));
    },
  };
}
