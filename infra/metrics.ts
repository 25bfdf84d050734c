import type * as pulumi from '@pulumi/pulumi';

export interface Metric {
  namespace: string;
  metricName: string;
  dimensions: Record<string, pulumi.Input<string>>;
  /** `Sum`, `Maximum`, `p95`, … */
  statistic: string;
}

type Text = pulumi.Input<string>;

/** AWS's own metrics of our resources, each with the statistic that means something. Durations in milliseconds. */
export const metrics = {
  executions: (
    outcome: 'Started' | 'Succeeded' | 'Failed' | 'TimedOut' | 'Aborted',
    StateMachineArn: Text,
  ): Metric => ({
    namespace: 'AWS/States',
    metricName: `Executions${outcome}`,
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
