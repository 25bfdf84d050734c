import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { RUNBOOKS } from '../../infra/alarms.ts';
import { environments } from '../../lambdas/config.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { Retrier } from '../../local/step-functions/language.ts';
import { definition, MACHINES, placeholders } from '../../statemachines/definitions.ts';
import { graphOf, graphWithDatabase, inputsOf, ofType } from '../support/graphs.ts';
import { longestWait } from '../support/retries.ts';

const ALARM = 'cloudwatch/metricAlarm:MetricAlarm';

/** What an alarm may say. One that says anything else does not fit, so that the tables below speak of all there is. */
const Common = z.strictObject({
  name: z.string(),
  alarmDescription: z.string(),
  alarmActions: z.array(z.string()),
  okActions: z.array(z.string()),
  comparisonOperator: z.enum(['GreaterThanOrEqualToThreshold', 'GreaterThanThreshold', 'LessThanThreshold']),
  threshold: z.number(),
  evaluationPeriods: z.int(),
  treatMissingData: z.enum(['notBreaching', 'breaching']),
});
const OfOneMetric = Common.extend({
  namespace: z.string(),
  metricName: z.string(),
  dimensions: z.record(z.string(), z.string()),
  statistic: z.string().optional(),
  extendedStatistic: z.string().optional(),
  period: z.int(),
});
const OfAnExpression = Common.extend({ metricQueries: z.array(z.unknown()) });

const SIGNS = {
  GreaterThanOrEqualToThreshold: '≥',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
} as const;

/** Metric, its dimensions, when it goes off, and the runbook where its name is not the alarm's own. */
type Row = [metric: string, dimensions: Record<string, string>, condition: string, runbook?: string];

/** An alarm the way the tables write it. */
function row(subject: string, inputs: unknown): Row {
  const alarm = OfOneMetric.parse(inputs);
  const { comparisonOperator, threshold, evaluationPeriods, period, treatMissingData } = alarm;
  const statistic = [alarm.statistic, alarm.extendedStatistic].filter(Boolean).join(' and ');
  const silence = treatMissingData === 'breaching' ? ', or silence' : '';
  const columns: Row = [
    `${alarm.namespace} ${alarm.metricName}`,
    alarm.dimensions,
    `${statistic} ${SIGNS[comparisonOperator]} ${threshold} for ${evaluationPeriods} × ${period} s${silence}`,
  ];
  if (runbookOf(alarm) !== subject) columns.push(runbookOf(alarm));
  return columns;
}

const runbookOf = ({ alarmDescription }: { alarmDescription: string }) =>
  /docs\/operations\.md#([a-z-]+)$/.exec(alarmDescription)?.[1] ?? 'none';

/** Says what is wrong, in five words or more and as its runbook has it, and where to read what to do. */
function explains(t: ExecutionContext, alarm: { name: string; alarmDescription: string }) {
  t.regex(alarm.alarmDescription, /^\S+( \S+){4,}\. What to do: docs\/operations\.md#\S+$/, alarm.name);
  const runbook = Object.entries(RUNBOOKS).find(([slug]) => slug === runbookOf(alarm));
  t.true(runbook && alarm.alarmDescription.startsWith(`${runbook[1]} What to do: `), alarm.name);
}

const ONCE = 'Sum ≥ 1 for 1 × 300 s';

/** Every alarm of a stack but service-short, which has a test of its own, by its subject. */
function expected(graph: Graph, stack: string): Record<string, Row> {
  const machine = (name: string) => ({
    StateMachineArn: `arn:aws:states:us-east-1:${account(graph)}:stateMachine:listing-media-${name}-sm-${stack}`,
  });
  const queue = (name: string) => ({ QueueName: `listing-media-${name}-${stack}` });
  const lambda = (task: string) => ({ FunctionName: `listing-media-${task}-${stack}` });
  const api = { ApiId: ofType(graph, 'apigatewayv2/api:Api')[0]?.id ?? '' };
  const tasks = { ClusterName: `toq-media-${stack}`, ServiceName: `toq-media-service-${stack}` };
  const arnSuffix = (type: string) => String(ofType(graph, type)[0]?.outputs.arnSuffix);

  const rows: Record<string, Row> = {
    'processing-failed': ['AWS/States ExecutionsFailed', machine('processing'), ONCE],
    'processing-timed-out': ['AWS/States ExecutionsTimedOut', machine('processing'), ONCE],
    'processing-slow': [
      'ToqMedia media_processing_duration_seconds',
      { env: stack, provider: 'STEP_FUNCTIONS' },
      'p95 > 600 for 1 × 3600 s',
    ],
    'finalization-failed': ['AWS/States ExecutionsFailed', machine('finalization'), ONCE],
    'finalization-timed-out': ['AWS/States ExecutionsTimedOut', machine('finalization'), ONCE],
    'dead-letters': [
      'AWS/SQS ApproximateNumberOfMessagesVisible',
      queue('processing-dlq'),
      'Maximum ≥ 1 for 1 × 300 s',
    ],
    'queue-delayed': [
      'AWS/SQS ApproximateAgeOfOldestMessage',
      queue('processing'),
      'Maximum ≥ 300 for 1 × 300 s',
    ],
    'outbox-delayed': [
      'ToqMedia media_outbox_oldest_age_seconds',
      { env: stack },
      'Maximum ≥ 300 for 2 × 300 s, or silence',
    ],
    'jobs-stuck': ['ToqMedia media_batches_failed_total', { env: stack, outcome: 'STUCK' }, ONCE],
    'transcode-failed': [
      'AWS/MediaConvert JobsErroredCount',
      { Queue: String(graph.outputs.mediaConvertQueueArn) },
      ONCE,
    ],
    'api-errors': ['AWS/ApiGateway 5xx', api, 'Sum ≥ 5 for 1 × 300 s'],
    'api-slow': ['AWS/ApiGateway Latency', api, 'p95 > 2000 for 3 × 300 s'],
    'service-unhealthy': [
      'AWS/ApplicationELB UnHealthyHostCount',
      {
        LoadBalancer: arnSuffix('lb/loadBalancer:LoadBalancer'),
        TargetGroup: arnSuffix('lb/targetGroup:TargetGroup'),
      },
      'Maximum ≥ 1 for 5 × 60 s',
    ],
    'service-cpu': ['AWS/ECS CPUUtilization', tasks, 'Average ≥ 90 for 3 × 300 s', 'service-busy'],
    'service-memory': ['AWS/ECS MemoryUtilization', tasks, 'Maximum ≥ 90 for 3 × 300 s', 'service-busy'],
  };
  for (const task of Object.keys(environments)) {
    rows[`${task}-errors`] = ['AWS/Lambda Errors', lambda(task), ONCE, 'function-errors'];
    rows[`${task}-throttled`] = ['AWS/Lambda Throttles', lambda(task), ONCE, 'function-throttled'];
  }
  // a lost report has a runbook of its own, and a burst of them is intended
  const reports = 'callback-dispatch';
  delete rows[`${reports}-errors`];
  rows['callback-failed'] = ['AWS/Lambda Errors', lambda(reports), ONCE];
  rows[`${reports}-throttled`] = [
    'AWS/Lambda Throttles',
    lambda(reports),
    'Sum ≥ 1 for 3 × 300 s',
    'function-throttled',
  ];
  return rows;
}

const account = (graph: Graph) => String(graph.outputs.queueArn).split(':')[4];

/** The declared alarms of one metric, by their subject. */
const declared = (graph: Graph, stack: string) =>
  Object.fromEntries(
    ofType(graph, ALARM)
      .filter(({ inputs }) => !('metricQueries' in inputs))
      .map(({ inputs }) => {
        const subject = String(inputs.name)
          .replace(/^toq-media-/, '')
          .replace(`-${stack}`, '');
        return [subject, row(subject, inputs)];
      }),
  );

for (const stack of ['staging', 'production']) {
  test(`${stack}: alarms are these, each for its metric, its condition and its runbook`, async (t) => {
    const graph = await graphOf(stack);
    t.deepEqual(declared(graph, stack), expected(graph, stack));
  });

  test(`${stack}: every alarm tells the topic when it goes off and when it is over, and says what is wrong`, async (t) => {
    const graph = await graphOf(stack);
    const topic = graph.outputs.alertsTopicArn;
    for (const { inputs } of ofType(graph, ALARM)) {
      const alarm = Common.strip().parse(inputs);
      t.deepEqual([alarm.alarmActions, alarm.okActions], [[topic], [topic]], alarm.name);
      explains(t, alarm);
    }
  });

  test(`${stack}: fewer tasks than wanted for ten minutes, or no word of them, is an alarm`, async (t) => {
    const short = OfAnExpression.parse(
      inputsOf(await graphOf(stack), ALARM, `toq-media-service-short-${stack}`),
    );
    const tasks = (metricName: string) => ({
      namespace: 'ECS/ContainerInsights',
      metricName,
      dimensions: { ClusterName: `toq-media-${stack}`, ServiceName: `toq-media-service-${stack}` },
      stat: 'Average',
      period: 60,
    });
    t.deepEqual(short.metricQueries, [
      { id: 'desired', metric: tasks('DesiredTaskCount'), returnData: false },
      { id: 'running', metric: tasks('RunningTaskCount'), returnData: false },
      { id: 'missing', expression: 'desired - running', label: 'missing tasks', returnData: true },
    ]);
    t.like(short, {
      threshold: 1,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      evaluationPeriods: 10,
      treatMissingData: 'breaching',
    });
    t.is(runbookOf(short), 'service-short');
  });
}

test('a database of its own adds its alarms, and every runbook is then some alarm’s', async (t) => {
  const graph = await graphWithDatabase();
  const instance = { DBInstanceIdentifier: 'toq-media-production' };
  t.deepEqual(declared(graph, 'production'), {
    ...expected(graph, 'production'),
    'database-storage': [
      'AWS/RDS FreeStorageSpace',
      instance,
      `Minimum < ${5 * 1024 ** 3} for 1 × 300 s, or silence`,
    ],
    'database-busy': ['AWS/RDS CPUUtilization', instance, 'Average ≥ 80 for 3 × 300 s'],
  });
  const alarms = ofType(graph, ALARM).map(({ inputs }) => Common.strip().parse(inputs));
  t.deepEqual([...new Set(alarms.map(runbookOf))].sort(), Object.keys(RUNBOOKS).sort());
  for (const alarm of alarms) explains(t, alarm);
});

const Reporting = z.object({
  Parameters: z.object({ FunctionName: z.literal('callback-dispatch') }),
  Retry: z.array(Retrier),
});

test('throttled reports are news only when they outlast what the machines ask again', (t) => {
  const states = MACHINES.flatMap((machine) => {
    const named = Object.fromEntries(placeholders(machine).map((name) => [name, name]));
    return Object.values<unknown>(JSON.parse(definition(machine, named)).States);
  });
  const reports = states.flatMap((state) => Reporting.safeParse(state).data ?? []);
  t.true(reports.length > 3);
  for (const { Retry } of reports) {
    const whatever = Retry.find(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'));
    const longest = whatever ? longestWait(whatever) : 0;
    t.true(longest > 0 && longest < 3 * 300, `${longest} s`);
  }
});
