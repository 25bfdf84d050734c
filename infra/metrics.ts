import type * as pulumi from '@pulumi/pulumi';
import type { JobProvider } from '../statemachines/contracts.ts';
import { type LabelsOf, METRICS_NAMESPACE, type MetricName } from '../statemachines/metrics.ts';

export interface Metric {
  namespace: string;
  metricName: string;
  dimensions: Record<string, pulumi.Input<string>>;
  /** `Sum`, `Maximum`, `p95`, … */
  statistic: string;
}

type Text = pulumi.Input<string>;

/** What the service measures in an environment: all of it, or what the first of the metric's labels tell apart. */
const measuredByUs = <N extends MetricName>(
  metricName: N,
  statistic: string,
  env: Text,
  labels: Partial<LabelsOf<N>> = {},
): Metric => ({ namespace: METRICS_NAMESPACE, metricName, dimensions: { env, ...labels }, statistic });

/**
 * Metrics of our resources, each with the statistic that means something. AWS measures durations in milliseconds, we
 * ourselves in seconds.
 */
export const metrics = {
  /** from a job's row to its result: what somebody waits for */
  jobTime: (env: Text, provider: JobProvider, statistic = 'p95') =>
    measuredByUs('media_processing_duration_seconds', statistic, env, { provider }),
  batchesCreated: (env: Text) => measuredByUs('media_batches_created_total', 'Sum', env),
  /** of all error codes together, or of one */
  batchesFailed: (env: Text, outcome?: string) =>
    measuredByUs('media_batches_failed_total', 'Sum', env, outcome === undefined ? {} : { outcome }),
  outboxAge: (env: Text) => measuredByUs('media_outbox_oldest_age_seconds', 'Maximum', env),
  executions: (
    outcome: 'Started' | 'Succeeded' | 'Failed' | 'TimedOut' | 'Aborted',
    StateMachineArn: Text,
  ): Metric => ({
    namespace: 'AWS/States',
    metricName: `Executions${outcome}`,
    dimensions: { StateMachineArn },
    statistic: 'Sum',
  }),
  /** steps of executions that had to wait for the account's rate of state transitions */
  throttledTransitions: (StateMachineArn: Text): Metric => ({
    namespace: 'AWS/States',
    metricName: 'ExecutionThrottled',
    dimensions: { StateMachineArn },
    statistic: 'Sum',
  }),
  executionTime: (StateMachineArn: Text, statistic = 'p95'): Metric => ({
    namespace: 'AWS/States',
    metricName: 'ExecutionTime',
    dimensions: { StateMachineArn },
    statistic,
  }),
  queueDepth: (QueueName: Text): Metric => ({
    namespace: 'AWS/SQS',
    metricName: 'ApproximateNumberOfMessagesVisible',
    dimensions: { QueueName },
    statistic: 'Maximum',
  }),
  /** seconds */
  queueAge: (QueueName: Text): Metric => ({
    namespace: 'AWS/SQS',
    metricName: 'ApproximateAgeOfOldestMessage',
    dimensions: { QueueName },
    statistic: 'Maximum',
  }),
  calls: (what: 'Errors' | 'Throttles' | 'Invocations', FunctionName: Text): Metric => ({
    namespace: 'AWS/Lambda',
    metricName: what,
    dimensions: { FunctionName },
    statistic: 'Sum',
  }),
  callTime: (FunctionName: Text, statistic = 'p95'): Metric => ({
    namespace: 'AWS/Lambda',
    metricName: 'Duration',
    dimensions: { FunctionName },
    statistic,
  }),
  concurrency: (FunctionName: Text): Metric => ({
    namespace: 'AWS/Lambda',
    metricName: 'ConcurrentExecutions',
    dimensions: { FunctionName },
    statistic: 'Maximum',
  }),
  failedTranscodes: (Queue: Text): Metric => ({
    namespace: 'AWS/MediaConvert',
    metricName: 'JobsErroredCount',
    dimensions: { Queue },
    statistic: 'Sum',
  }),
  requests: (what: 'Count' | '4xx' | '5xx', ApiId: Text): Metric => ({
    namespace: 'AWS/ApiGateway',
    metricName: what,
    dimensions: { ApiId },
    statistic: 'Sum',
  }),
  requestTime: (ApiId: Text, statistic: string): Metric => ({
    namespace: 'AWS/ApiGateway',
    metricName: 'Latency',
    dimensions: { ApiId },
    statistic,
  }),
  unhealthyTasks: (LoadBalancer: Text, TargetGroup: Text): Metric => ({
    namespace: 'AWS/ApplicationELB',
    metricName: 'UnHealthyHostCount',
    dimensions: { LoadBalancer, TargetGroup },
    statistic: 'Maximum',
  }),
  tasks: (which: 'Running' | 'Desired', ClusterName: Text, ServiceName: Text): Metric => ({
    namespace: 'ECS/ContainerInsights',
    metricName: `${which}TaskCount`,
    dimensions: { ClusterName, ServiceName },
    statistic: 'Average',
  }),
  /** percent; memory of the worst task, because a leak shows in the oldest first */
  taskLoad: (what: 'CPU' | 'Memory', ClusterName: Text, ServiceName: Text): Metric => ({
    namespace: 'AWS/ECS',
    metricName: `${what}Utilization`,
    dimensions: { ClusterName, ServiceName },
    statistic: what === 'CPU' ? 'Average' : 'Maximum',
  }),
  /** bytes */
  freeStorage: (DBInstanceIdentifier: Text): Metric => ({
    namespace: 'AWS/RDS',
    metricName: 'FreeStorageSpace',
    dimensions: { DBInstanceIdentifier },
    statistic: 'Minimum',
  }),
  /** percent */
  databaseLoad: (DBInstanceIdentifier: Text): Metric => ({
    namespace: 'AWS/RDS',
    metricName: 'CPUUtilization',
    dimensions: { DBInstanceIdentifier },
    statistic: 'Average',
  }),
};
