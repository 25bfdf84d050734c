import test from 'ava';
import { z } from 'zod';
import { RUNBOOKS } from '../../infra/alarms.ts';
import { environments } from '../../lambdas/config.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { harvestStack } from '../../local/graph/program.ts';
import { CALLBACK_SECRET, graphOf, inputsOf, ofType } from '../support/graphs.ts';

const STACKS = ['staging', 'production'] as const;
const graphs = new Map<string, Graph>();
const graph = (stack: string) => {
  const found = graphs.get(stack);
  if (!found) throw new Error(`${stack} was not harvested`);
  return found;
};
const INSTANCE = {
  class: 'db.t4g.medium',
  storageGiB: 20,
  maxStorageGiB: 100,
  multiZone: false,
  backupDays: 7,
};
const NO_SERVER = { host: null, credentialsSecretArn: null, cidrBlock: null };

test.before(async () => {
  for (const stack of STACKS) graphs.set(stack, await graphOf(stack));
  const config = { database: { ...NO_SERVER, instance: INSTANCE } };
  graphs.set(
    'with its own database',
    await harvestStack('staging', { callbackSecret: CALLBACK_SECRET, config }),
  );
});

const Alarm = z.object({
  name: z.string(),
  alarmDescription: z.string(),
  alarmActions: z.array(z.string()),
  okActions: z.array(z.string()),
});
const alarmsOf = (stack: string) =>
  ofType(graph(stack), 'cloudwatch/metricAlarm:MetricAlarm').map(({ inputs }) => Alarm.parse(inputs));
const slugOf = ({ alarmDescription }: { alarmDescription: string }) =>
  /docs\/operations\.md#([a-z-]+)$/.exec(alarmDescription)?.[1] ?? '';

for (const stack of STACKS) {
  const suffix = `-${stack}`;
  const alarm = (subject: string) =>
    inputsOf(graph(stack), 'cloudwatch/metricAlarm:MetricAlarm', `toq-media-${subject}${suffix}`);
  const machine = (name: string) =>
    ofType(graph(stack), 'sfn/stateMachine:StateMachine').find(
      ({ inputs }) => inputs.name === `listing-media-${name}-sm${suffix}`,
    )?.outputs.arn;

  test(`${stack}: every alarm tells the topic when it goes off and when it is over, and names its runbook`, (t) => {
    const topic = graph(stack).outputs.alertsTopicArn;
    t.is(alarmsOf(stack).length, 5 + 2 + 2 * 6 + 1 + 3);
    for (const declared of alarmsOf(stack)) {
      t.deepEqual([declared.alarmActions, declared.okActions], [[topic], [topic]], declared.name);
      t.true(slugOf(declared) in RUNBOOKS, declared.name);
    }
  });

  test(`${stack}: one failed or overdue execution of either machine in five minutes is an alarm`, (t) => {
    for (const name of ['processing', 'finalization']) {
      for (const [subject, metricName] of [
        ['failed', 'ExecutionsFailed'],
        ['timed-out', 'ExecutionsTimedOut'],
      ]) {
        t.like(alarm(`${name}-${subject}`), {
          namespace: 'AWS/States',
          metricName,
          dimensions: { StateMachineArn: machine(name) },
          statistic: 'Sum',
          period: 300,
          evaluationPeriods: 1,
          threshold: 1,
          comparisonOperator: 'GreaterThanOrEqualToThreshold',
          treatMissingData: 'notBreaching',
        });
      }
    }
  });

  test(`${stack}: processing that takes one batch in twenty longer than ten minutes is an alarm`, (t) => {
    const slow = alarm('processing-slow');
    t.like(slow, {
      metricName: 'ExecutionTime',
      extendedStatistic: 'p95',
      threshold: 600_000,
      dimensions: { StateMachineArn: machine('processing') },
    });
    t.is(slow.statistic, undefined);
  });

  test(`${stack}: a dead letter, and a message that waits five minutes, are alarms`, (t) => {
    t.like(alarm('dead-letters'), {
      metricName: 'ApproximateNumberOfMessagesVisible',
      dimensions: { QueueName: `listing-media-processing-dlq${suffix}` },
      statistic: 'Maximum',
      period: 300,
      threshold: 1,
    });
    t.like(alarm('queue-delayed'), {
      metricName: 'ApproximateAgeOfOldestMessage',
      dimensions: { QueueName: `listing-media-processing${suffix}` },
      threshold: 300,
    });
  });

  test(`${stack}: errors and throttles of each function are alarms, and a lost callback has its own runbook`, (t) => {
    for (const task of Object.keys(environments)) {
      const errors = task === 'callback-dispatch' ? 'callback-failed' : `${task}-errors`;
      for (const [subject, metricName] of [
        [errors, 'Errors'],
        [`${task}-throttled`, 'Throttles'],
      ] as const) {
        t.like(alarm(subject), {
          namespace: 'AWS/Lambda',
          metricName,
          dimensions: { FunctionName: `listing-media-${task}${suffix}` },
          threshold: 1,
          period: 300,
        });
      }
    }
    t.is(slugOf(Alarm.parse(alarm('callback-failed'))), 'callback-failed');
    t.is(slugOf(Alarm.parse(alarm('zip-errors'))), 'function-errors');
  });

  test(`${stack}: a failed transcode, answers of 5xx, and too few or sick tasks are alarms`, (t) => {
    t.like(alarm('transcode-failed'), {
      namespace: 'AWS/MediaConvert',
      metricName: 'JobsErroredCount',
      dimensions: { Queue: graph(stack).outputs.mediaConvertQueueArn },
    });
    const [api] = ofType(graph(stack), 'apigatewayv2/api:Api');
    t.like(alarm('api-errors'), { metricName: '5xx', dimensions: { ApiId: api?.id }, threshold: 5 });
    const [targets] = ofType(graph(stack), 'lb/targetGroup:TargetGroup');
    const [balancer] = ofType(graph(stack), 'lb/loadBalancer:LoadBalancer');
    t.like(alarm('service-unhealthy'), {
      metricName: 'UnHealthyHostCount',
      dimensions: { TargetGroup: targets?.outputs.arnSuffix, LoadBalancer: balancer?.outputs.arnSuffix },
      period: 60,
      evaluationPeriods: 3,
    });
    const short = alarm('service-short');
    t.like(short, { threshold: 1, evaluationPeriods: 10, treatMissingData: 'breaching' });
    const queries = z
      .array(z.object({ id: z.string(), expression: z.string().optional(), returnData: z.boolean() }))
      .parse(short.metricQueries);
    t.deepEqual(
      queries.filter(({ returnData }) => returnData),
      [{ id: 'missing', expression: 'desired - running', returnData: true }],
    );
  });

  test(`${stack}: the dashboard shows executions, queues, errors, durations and latency of what is declared`, (t) => {
    const { dashboardName, dashboardBody } = inputsOf(graph(stack), 'cloudwatch/dashboard:Dashboard');
    t.is(dashboardName, `toq-media${suffix}`);
    const { widgets } = z
      .object({
        widgets: z.array(
          z.object({
            x: z.int().max(12),
            width: z.literal(12),
            properties: z.object({ title: z.string(), metrics: z.array(z.array(z.unknown())) }),
          }),
        ),
      })
      .parse(JSON.parse(String(dashboardBody)));
    const lines = widgets.flatMap(({ properties }) =>
      properties.metrics.map((line) => line.slice(0, -1).join(' ')),
    );
    for (const line of [
      `AWS/States ExecutionsFailed StateMachineArn ${machine('processing')}`,
      `AWS/States ExecutionsSucceeded StateMachineArn ${machine('finalization')}`,
      `AWS/States ExecutionTime StateMachineArn ${machine('processing')}`,
      `AWS/SQS ApproximateNumberOfMessagesVisible QueueName listing-media-processing${suffix}`,
      `AWS/SQS ApproximateNumberOfMessagesVisible QueueName listing-media-processing-dlq${suffix}`,
      ...Object.keys(environments).map(
        (task) => `AWS/Lambda Errors FunctionName listing-media-${task}${suffix}`,
      ),
      `AWS/ApiGateway Latency ApiId ${ofType(graph(stack), 'apigatewayv2/api:Api')[0]?.id}`,
    ]) {
      t.true(lines.includes(line), line);
    }
  });
}

test('a database of its own adds its alarms, and every runbook is then some alarm’s', (t) => {
  const slugs = new Set(alarmsOf('with its own database').map(slugOf));
  t.deepEqual([...slugs].sort(), Object.keys(RUNBOOKS).sort());
});
