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
  'processing-slow': 'Processing takes longer than ten minutes for one batch in twenty.',
  'finalization-failed': 'A finalization execution ended in failure: an approved gallery has no bundle.',
  'finalization-timed-out': 'A finalization execution ran into its hour.',
  'dead-letters': 'Processing jobs were received five times in vain and lie in the dead-letter queue.',
  'queue-delayed': 'Processing jobs wait in the queue for longer than five minutes.',
  'callback-failed': 'callback-dispatch could not report a result to the service.',
  'function-errors': 'A function ended with errors.',
  'function-throttled': 'A function was called more often than its concurrency allows.',
  'transcode-failed': 'MediaConvert could not transcode a video.',
  'api-errors': 'The API answers with 5xx.',
  'service-unhealthy': 'A task of the service does not answer the load balancer.',
  'service-short': 'Fewer tasks of the service run than should.',
  'database-storage': 'The database is running out of storage.',
  'database-busy': 'The database is busy to its limits.',
} as const;
export type Runbook = keyof typeof RUNBOOKS;

export interface AlarmsArgs extends Foundation {
  topicArn: pulumi.Input<string>;
  watched: Watched;
}

/** When an alarm goes off. */
interface Condition {
  /** at least so much, in the metric's unit; or, for `below`, less than it */
  threshold: number;
  comparison?: 'above' | 'below';
  /** length of a period, in seconds */
  period?: number;
  /** so many periods on end */
  periods?: number;
  /** what no data means; mostly that nothing happened */
  silence?: 'notBreaching' | 'breaching';
}

const FIVE_MINUTES = 300;
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
          comparisonOperator:
            condition.comparison === 'below' ? 'LessThanThreshold' : 'GreaterThanOrEqualToThreshold',
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
    alarm('processing-slow', metrics.executionTime(watched.processingMachineArn), {
      threshold: 10 * 60 * 1000,
    });

    alarm('dead-letters', metrics.queueDepth(watched.deadLetterQueue), any);
    alarm('queue-delayed', metrics.queueAge(watched.queue), { threshold: FIVE_MINUTES });

    for (const [task, functionName] of Object.entries(watched.functions)) {
      const errors = metrics.calls('Errors', functionName);
      if (task === 'callback-dispatch') alarm('callback-failed', errors, any);
      else alarm('function-errors', errors, any, `${task}-errors`);
      alarm('function-throttled', metrics.calls('Throttles', functionName), any, `${task}-throttled`);
    }
    alarm('transcode-failed', metrics.failedTranscodes(watched.transcodeQueueArn), any);

    alarm('api-errors', metrics.requests('5xx', watched.apiId), { threshold: 5 });
    alarm('service-unhealthy', metrics.unhealthyTasks(arnSuffix, targetGroupArnSuffix), {
      threshold: 1,
      period: 60,
      periods: 3,
    });
    // a deployment replaces tasks within minutes; no data at all means that nothing runs
    const count = (id: string, which: 'Running' | 'Desired') => {
      const { statistic: stat, ...metric } = metrics.tasks(which, watched.cluster, watched.service);
      return { id, metric: { ...metric, stat, period: 60 }, returnData: false };
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
