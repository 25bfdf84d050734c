/** CloudWatch namespace of all that the service and the functions measure. */
export const METRICS_NAMESPACE = 'ToqMedia';

/** What a metric may be told apart by. Never an id: each value costs a time series. */
export type MetricLabel = 'status' | 'provider' | 'outcome' | 'step';

interface Definition {
  help: string;
  /** as CloudWatch names it */
  unit: 'Count' | 'Seconds';
  /** from coarse to fine: see dimensionsOf */
  labels: readonly MetricLabel[];
}

/** Every metric by its name, the same in Prometheus and in CloudWatch (contract §8). */
export const METRICS = {
  media_batches_created_total: { help: 'Batches opened.', unit: 'Count', labels: [] },
  media_batches_failed_total: {
    help: 'Batches that became FAILED, by error code.',
    unit: 'Count',
    labels: ['outcome'],
  },
  media_processing_duration_seconds: {
    help: 'From the creation of a job to its end.',
    unit: 'Seconds',
    labels: ['provider', 'status'],
  },
  media_processing_inflight_jobs: {
    help: 'Jobs that have been written and have not ended.',
    unit: 'Count',
    labels: [],
  },
  media_reprocess_requests_total: {
    help: 'Batches that were run again on request.',
    unit: 'Count',
    labels: [],
  },
  media_processing_callback_errors_total: {
    help: 'Callbacks that were refused or could not be applied, by problem code.',
    unit: 'Count',
    labels: ['outcome'],
  },
  media_processing_dlq_messages_total: {
    help: 'Messages in the dead letter queue of the processing queue.',
    unit: 'Count',
    labels: [],
  },
  media_outbox_oldest_age_seconds: {
    help: 'How long the longest waiting job has been waiting to be published; 0 when none is.',
    unit: 'Seconds',
    labels: [],
  },
  /** of the functions, in CloudWatch only */
  media_step_duration_seconds: {
    help: 'One invocation of a function, by how it ended.',
    unit: 'Seconds',
    labels: ['step', 'outcome'],
  },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof METRICS;
export type LabelsOf<N extends MetricName> = Record<(typeof METRICS)[N]['labels'][number], string>;

/**
 * Sets of dimensions under which CloudWatch keeps a metric: for the environment as a whole, by its first label, by its
 * first two, … CloudWatch adds nothing up by itself, and percentiles could not be added up.
 */
export const dimensionsOf = (name: MetricName): string[][] => {
  const { labels }: Definition = METRICS[name];
  return [['env'], ...labels.map((_, index) => ['env', ...labels.slice(0, index + 1)])];
};

/** Members of a log line: `_aws` says which of the others are dimensions and which the value. */
export interface Measurement {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: {
      Namespace: string;
      Dimensions: string[][];
      Metrics: { Name: MetricName; Unit: Definition['unit'] }[];
    }[];
  };
  [member: string]: unknown;
}

/**
 * The members that make a log line a measurement too (CloudWatch Embedded Metric Format). The line itself has to have an
 * `env` at its root: every line of ours does.
 */
export const measured = <N extends MetricName>(
  name: N,
  value: number,
  labels: LabelsOf<N>,
  timestampMs = Date.now(),
): Measurement => ({
  _aws: {
    Timestamp: timestampMs,
    CloudWatchMetrics: [
      {
        Namespace: METRICS_NAMESPACE,
        Dimensions: dimensionsOf(name),
        Metrics: [{ Name: name, Unit: METRICS[name].unit }],
      },
    ],
  },
  ...labels,
  [name]: value,
});
