import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { type Metric, metrics } from './metrics.ts';
import type { Watched } from './watched.ts';

/**
 * What each alarm says when it goes off. The key is the section of docs/operations.md that tells what to do: every alarm
 * has one, and no two kinds of trouble share it.
 */
export const RUNBOOKS = {
  'processing-failed':
    'A processing execution ended in failure: a batch is FAILED or waits for the reconciler.',
  'processing-timed-out': 'A processing execution ran into its hour.',
  'processing-slow': 'One batch in twenty waits for its processing for longer than ten minutes.',
  'finalization-failed': 'A finalization execution ended in failure: an approved gallery has no bundle.',
  'finalization-timed-out': 'A finalization execution ran into its hour.',
  'dead-letters': 'Processing jobs were received five times in vain and lie in the dead-letter queue.',
  'queue-delayed': 'Processing jobs wait in the queue for longer than five minutes.',
  'outbox-delayed':
    'Jobs that are written wait to be published for longer than five minutes, or nobody publishes.',
  'jobs-stuck': 'The reconciler gave a job up.',
  'callback-failed': 'callback-dispatch could not report a result to the service.',
  'function-errors': 'A function ended with errors.',
  'function-throttled': 'A function was called more often than its concurrency allows.',
  'transcode-failed': 'MediaConvert could not transcode a video.',
  'api-errors': 'The API answers with 5xx.',
  'api-slow': 'The API takes longer than two seconds for one request in twenty.',
  'service-unhealthy': 'A task of the service is not ready, and replacing it does not help.',
  'service-short': 'Fewer tasks of the service run than should.',
  'service-busy': 'The tasks of the service are short of CPU or memory.',
  'database-storage': 'The database is running out of storage.',
  'database-busy': 'The CPU of the database is busy to its limits.',
} as const;
export type Runbook = keyof typeof RUNBOOKS;

export interface AlarmsArgs extends Foundation {
  topicArn: pulumi.Input<string>;
  watched: Watched;
}

/** When an alarm goes off. */
interface Condition {
  /** in the metric's unit */
  threshold: number;
  /** the threshold or more; more than it; less than it */
  comparison?: keyof typeof OPERATORS;
  /** length of a period, in seconds */
  period?: number;
  /** so many periods on end */
  periods?: number;
  /** what no data means; mostly that nothing happened */
  silence?: 'notBreaching' | 'breaching';
}

const OPERATORS = {
  from: 'GreaterThanOrEqualToThreshold',
  over: 'GreaterThanThreshold',
  below: 'LessThanThreshold',
};
const MINUTE = 60;
const FIVE_MINUTES = 5 * MINUTE;
const HOUR = 60 * MINUTE;
const GIB = 1024 ** 3;

/** Every alarm. Each tells the alerts topic when it goes off and when it is over, and names its runbook. */
export class Alarms extends pulumi.ComponentResource {
  constructor(name: string, args: AlarmsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Alarms', name, {}, opts);
    const { watched } = args;
    const { arnSuffix, targetGroupArnSuffix } = watched.loadBalancer;

    const declare = (
      runbook: Runbook,
      subject: string,
      condition: Condition,
      measured: Pick<
        aws.cloudwatch.MetricAlarmArgs,
        | 'namespace'
        | 'metricName'
        | 'dimensions'
        | 'statistic'
        | 'extendedStatistic'
        | 'period'
        | 'metricQueries'
      >,
    ) =>
      new aws.cloudwatch.MetricAlarm(
        `${name}-${subject}`,
        {
          name: args.names.alarm(subject),
          alarmDescription: `${RUNBOOKS[runbook]} What to do: docs/operations.md#${runbook}`,
          comparisonOperator: OPERATORS[condition.comparison ?? 'from'],
          threshold: condition.threshold,
          evaluationPeriods: condition.periods ?? 1,
          treatMissingData: condition.silence ?? 'notBreaching',
          alarmActions: [args.topicArn],
          okActions: [args.topicArn],
          ...measured,
        },
        { parent: this },
      );
    const alarm = (runbook: Runbook, metric: Metric, condition: Condition, subject: string = runbook) => {
      const { statistic, ...which } = metric;
      const percentile = statistic.startsWith('p');
      return declare(runbook, subject, condition, {
        ...which,
        ...(percentile ? { extendedStatistic: statistic } : { statistic }),
        period: condition.period ?? FIVE_MINUTES,
      });
    };
    const any = { threshold: 1 };

    alarm('processing-failed', metrics.executions('Failed', watched.processingMachineArn), any);
    alarm('processing-timed-out', metrics.executions('TimedOut', watched.processingMachineArn), any);
    alarm('finalization-failed', metrics.executions('Failed', watched.finalizationMachineArn), any);
    alarm('finalization-timed-out', metrics.executions('TimedOut', watched.finalizationMachineArn), any);
    // hardly twenty batches end within five minutes, and of fewer the slowest one is the p95
    alarm('processing-slow', metrics.jobTime(watched.environment, 'STEP_FUNCTIONS'), {
      threshold: 10 * MINUTE,
      comparison: 'over',
      period: HOUR,
    });

    alarm('dead-letters', metrics.queueDepth(watched.deadLetterQueue), any);
    alarm('queue-delayed', metrics.queueAge(watched.queue), { threshold: FIVE_MINUTES });
    // who publishes also measures, once a minute: silence means that nobody does
    alarm('outbox-delayed', metrics.outboxAge(watched.environment), {
      threshold: FIVE_MINUTES,
      periods: 2,
      silence: 'breaching',
    });
    alarm('jobs-stuck', metrics.batchesFailed(watched.environment, 'STUCK'), any);

    // its concurrency is capped on purpose, and the machines ask again for four minutes: a burst is no news
    const burst = { threshold: 1, periods: 3 };
    for (const [task, functionName] of Object.entries(watched.functions)) {
      const errors = metrics.calls('Errors', functionName);
      const reports = task === 'callback-dispatch';
      if (reports) alarm('callback-failed', errors, any);
      else alarm('function-errors', errors, any, `${task}-errors`);
      const throttles = metrics.calls('Throttles', functionName);
      alarm('function-throttled', throttles, reports ? burst : any, `${task}-throttled`);
    }
    alarm('transcode-failed', metrics.failedTranscodes(watched.transcodeQueueArn), any);

    alarm('api-errors', metrics.requests('5xx', watched.apiId), { threshold: 5 });
    alarm('api-slow', metrics.requestTime(watched.apiId, 'p95'), {
      threshold: 2000,
      comparison: 'over',
      periods: 3,
    });
    // ECS replaces a task that is not ready, which takes two or three
    alarm('service-unhealthy', metrics.unhealthyTasks(arnSuffix, targetGroupArnSuffix), {
      threshold: 1,
      period: MINUTE,
      periods: 5,
    });
    // a deployment replaces tasks within minutes; no data at all means that nothing runs
    const count = (id: string, which: 'Running' | 'Desired') => {
      const { statistic: stat, ...metric } = metrics.tasks(which, watched.cluster, watched.service);
      return { id, metric: { ...metric, stat, period: MINUTE }, returnData: false };
    };
    declare(
      'service-short',
      'service-short',
      { threshold: 1, periods: 10, silence: 'breaching' },
      {
        metricQueries: [
          count('desired', 'Desired'),
          count('running', 'Running'),
          { id: 'missing', expression: 'desired - running', label: 'missing tasks', returnData: true },
        ],
      },
    );

    // autoscaling aims at 60 % of CPU: it has no more tasks to give, or cannot place them
    alarm(
      'service-busy',
      metrics.taskLoad('CPU', watched.cluster, watched.service),
      { threshold: 90, periods: 3 },
      'service-cpu',
    );
    alarm(
      'service-busy',
      metrics.taskLoad('Memory', watched.cluster, watched.service),
      { threshold: 90, periods: 3 },
      'service-memory',
    );

    if (watched.database) {
      alarm('database-storage', metrics.freeStorage(watched.database), {
        threshold: 5 * GIB,
        comparison: 'below',
        silence: 'breaching',
      });
      alarm('database-busy', metrics.databaseLoad(watched.database), { threshold: 80, periods: 3 });
    }
    this.registerOutputs();
  }
}
