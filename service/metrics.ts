import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { type LabelsOf, METRICS, type MetricName, measured } from '../statemachines/metrics.ts';
import type { Log } from './log.ts';
import type { MediaMetrics } from './media/dependencies.ts';

/** Figures that are read when somebody looks. One that cannot be had then is left out. */
export interface MetricSources {
  inflightJobs(): Promise<number>;
  deadLetters(): Promise<number>;
  /** seconds */
  oldestUnpublished(): Promise<number>;
}

/**
 * What the service tells of itself (contract §8): to Prometheus when it asks, and to CloudWatch by a log line for each
 * event. Labels never hold an id.
 */
export interface Metrics extends MediaMetrics {
  /** `outcome` is the problem's code */
  callbackRefused(outcome: string): void;
  /** Logs the figures that are read, for CloudWatch, which asks nobody. */
  logGauges(): Promise<void>;
  /** text exposition and its content type */
  exposition(): Promise<{ type: string; text: string }>;
}

/** Its own registry, so that two services in one process do not meet. Lines are written whatever the log's level is. */
export function createMetrics(sources: MetricSources, log: Log): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const definition = (name: MetricName) => {
    const { help, labels } = METRICS[name];
    return { name, help, labelNames: [...labels], registers: [registry] };
  };

  const lines = log.child({}, { level: 'info' });
  const tell = <N extends MetricName>(name: N, value: number, labels: LabelsOf<N>) =>
    lines.info(measured(name, value, labels), 'service.media.measured');

  const counter = <N extends MetricName>(name: N) => {
    const counted = new Counter(definition(name));
    return (labels: LabelsOf<N>) => {
      counted.inc(labels);
      tell(name, 1, labels);
    };
  };
  const created = counter('media_batches_created_total');
  const failed = counter('media_batches_failed_total');
  const reprocessed = counter('media_reprocess_requests_total');
  const callbackErrors = counter('media_processing_callback_errors_total');
  const duration = new Histogram({
    ...definition('media_processing_duration_seconds'),
    buckets: [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600],
  });

  const gauges = [
    { name: 'media_processing_inflight_jobs', read: sources.inflightJobs },
    { name: 'media_processing_dlq_messages_total', read: sources.deadLetters },
    { name: 'media_outbox_oldest_age_seconds', read: sources.oldestUnpublished },
  ] as const;
  for (const { name, read } of gauges) {
    new Gauge({
      ...definition(name),
      async collect() {
        await read().then(
          (value) => this.set(value),
          () => this.remove(),
        );
      },
    });
  }

  return {
    batchCreated: () => created({}),
    batchFailed: (code) => failed({ outcome: code }),
    jobFinished({ provider, status, seconds }) {
      duration.observe({ provider, status }, seconds);
      tell('media_processing_duration_seconds', seconds, { provider, status });
    },
    batchReprocessed: () => reprocessed({}),
    callbackRefused: (outcome) => callbackErrors({ outcome }),
    async logGauges() {
      const read = await Promise.allSettled(gauges.map((gauge) => gauge.read()));
      for (const [index, { name }] of gauges.entries()) {
        const figure = read[index];
        if (figure?.status === 'fulfilled') tell(name, figure.value, {});
      }
    },
    exposition: async () => ({ type: registry.contentType, text: await registry.metrics() }),
  };
}
