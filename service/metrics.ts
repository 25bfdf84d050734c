import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { MediaMetrics } from './media/dependencies.ts';

/** Figures that are read when somebody looks. One that cannot be had then is left out. */
export interface MetricSources {
  inflightJobs(): Promise<number>;
  deadLetters(): Promise<number>;
}

/** What the service tells of itself to Prometheus (contract §8). Labels never hold an id. */
export interface Metrics extends MediaMetrics {
  /** `outcome` is the problem's code */
  callbackRefused(outcome: string): void;
  /** text exposition and its content type */
  exposition(): Promise<{ type: string; text: string }>;
}

/** Its own registry, so that two services in one process do not meet. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const created = new Counter({
    name: 'media_batches_created_total',
    help: 'Batches opened.',
    registers,
  });
  const failed = new Counter({
    name: 'media_batches_failed_total',
    help: 'Batches that became FAILED, by error code.',
    labelNames: ['outcome'],
    registers,
  });
  const reprocessed = new Counter({
    name: 'media_reprocess_requests_total',
    help: 'Batches that were run again on request.',
    registers,
  });
  const callbackErrors = new Counter({
    name: 'media_processing_callback_errors_total',
    help: 'Callbacks that were refused or could not be applied, by problem code.',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'media_processing_duration_seconds',
    help: 'From the creation of a job to its end.',
    labelNames: ['provider', 'status'],
    buckets: [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600],
    registers,
  });
  const gauge = (name: string, help: string, read: () => Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        await read().then(
          (value) => this.set(value),
          () => this.remove(),
        );
      },
    });
  gauge(
    'media_processing_inflight_jobs',
    'Jobs that have been written and have not ended.',
    sources.inflightJobs,
  );
  gauge(
    'media_processing_dlq_messages_total',
    'Messages in the dead letter queue of the processing queue.',
    sources.deadLetters,
  );

  return {
    batchCreated: () => created.inc(),
    batchFailed: (code) => failed.inc({ outcome: code }),
    jobFinished: ({ provider, status, seconds }) => duration.observe({ provider, status }, seconds),
    batchReprocessed: () => reprocessed.inc(),
    callbackRefused: (outcome) => callbackErrors.inc({ outcome }),
    exposition: async () => ({ type: registry.contentType, text: await registry.metrics() }),
  };
}
