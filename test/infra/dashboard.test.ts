import test from 'ava';
import { z } from 'zod';
import { environments } from '../../lambdas/config.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, graphWithDatabase, inputsOf, ofType } from '../support/graphs.ts';

/** What a dashboard may say: one that says anything else does not fit. */
const Body = z.strictObject({
  widgets: z.array(
    z.strictObject({
      type: z.literal('metric'),
      x: z.int(),
      y: z.int(),
      width: z.int(),
      height: z.int(),
      properties: z.strictObject({
        title: z.string(),
        region: z.string(),
        view: z.string(),
        period: z.int(),
        metrics: z.array(z.array(z.unknown())),
      }),
    }),
  ),
});
/** The last element of a line. */
const Drawn = z.strictObject({ label: z.string(), stat: z.string() });

const widgetsOf = (graph: Graph) => {
  const { dashboardBody } = inputsOf(graph, 'cloudwatch/dashboard:Dashboard');
  return Body.parse(JSON.parse(String(dashboardBody))).widgets;
};

/** Title → label → `statistic namespace metric dimension=value …`. */
type Shown = Record<string, Record<string, string>>;

const shownBy = (graph: Graph): Shown =>
  Object.fromEntries(
    widgetsOf(graph).map(({ properties }) => [
      properties.title,
      Object.fromEntries(
        properties.metrics.map((line) => {
          const [namespace, metric, ...dimensions] = z.array(z.string()).parse(line.slice(0, -1));
          const { label, stat } = Drawn.parse(line.at(-1));
          const of = dimensions.flatMap((name, at) => (at % 2 ? [] : [`${name}=${dimensions[at + 1]}`]));
          return [label, [stat, namespace, metric, ...of].join(' ')];
        }),
      ),
    ]),
  );

function expected(graph: Graph, stack: string): Shown {
  const account = String(graph.outputs.queueArn).split(':')[4];
  const api = `ApiId=${ofType(graph, 'apigatewayv2/api:Api')[0]?.id}`;
  const tasks = `ClusterName=toq-media-${stack} ServiceName=toq-media-service-${stack}`;
  const machine = (name: string) =>
    `StateMachineArn=arn:aws:states:us-east-1:${account}:stateMachine:listing-media-${name}-sm-${stack}`;
  const executions = (name: string) => ({
    started: `Sum AWS/States ExecutionsStarted ${machine(name)}`,
    succeeded: `Sum AWS/States ExecutionsSucceeded ${machine(name)}`,
    failed: `Sum AWS/States ExecutionsFailed ${machine(name)}`,
    'timed out': `Sum AWS/States ExecutionsTimedOut ${machine(name)}`,
    aborted: `Sum AWS/States ExecutionsAborted ${machine(name)}`,
    'throttled transitions': `Sum AWS/States ExecutionThrottled ${machine(name)}`,
  });
  const functions = (figure: string) =>
    Object.fromEntries(
      Object.keys(environments).map((task) => [
        task,
        `${figure} FunctionName=listing-media-${task}-${stack}`,
      ]),
    );
  const waited = (statistic: string, provider: string) =>
    `${statistic} ToqMedia media_processing_duration_seconds env=${stack} provider=${provider}`;
  return {
    Batches: {
      created: `Sum ToqMedia media_batches_created_total env=${stack}`,
      failed: `Sum ToqMedia media_batches_failed_total env=${stack}`,
    },
    'Duration of jobs, waiting included (s)': {
      'processing p50': waited('p50', 'STEP_FUNCTIONS'),
      'processing p95': waited('p95', 'STEP_FUNCTIONS'),
      'finalization p50': waited('p50', 'STEP_FUNCTIONS_FINALIZATION'),
      'finalization p95': waited('p95', 'STEP_FUNCTIONS_FINALIZATION'),
    },
    'Processing executions': executions('processing'),
    'Finalization executions': executions('finalization'),
    'Waiting messages': {
      queue: `Maximum AWS/SQS ApproximateNumberOfMessagesVisible QueueName=listing-media-processing-${stack}`,
      'dead letters': `Maximum AWS/SQS ApproximateNumberOfMessagesVisible QueueName=listing-media-processing-dlq-${stack}`,
    },
    'Longest wait (s)': {
      'job to be published': `Maximum ToqMedia media_outbox_oldest_age_seconds env=${stack}`,
      'message in the queue': `Maximum AWS/SQS ApproximateAgeOfOldestMessage QueueName=listing-media-processing-${stack}`,
    },
    'Errors by function': functions('Sum AWS/Lambda Errors'),
    'Throttles by function': functions('Sum AWS/Lambda Throttles'),
    'Duration of executions (ms)': {
      'processing p50': `p50 AWS/States ExecutionTime ${machine('processing')}`,
      'processing p95': `p95 AWS/States ExecutionTime ${machine('processing')}`,
      'finalization p50': `p50 AWS/States ExecutionTime ${machine('finalization')}`,
      'finalization p95': `p95 AWS/States ExecutionTime ${machine('finalization')}`,
    },
    'Duration of functions, p95 (ms)': functions('p95 AWS/Lambda Duration'),
    'Concurrency of functions': functions('Maximum AWS/Lambda ConcurrentExecutions'),
    'Failed transcodes': {
      failed: `Sum AWS/MediaConvert JobsErroredCount Queue=${graph.outputs.mediaConvertQueueArn}`,
    },
    'API latency (ms)': {
      p50: `p50 AWS/ApiGateway Latency ${api}`,
      p95: `p95 AWS/ApiGateway Latency ${api}`,
      p99: `p99 AWS/ApiGateway Latency ${api}`,
    },
    'API answers': {
      all: `Sum AWS/ApiGateway Count ${api}`,
      '4xx': `Sum AWS/ApiGateway 4xx ${api}`,
      '5xx': `Sum AWS/ApiGateway 5xx ${api}`,
    },
    'Tasks of the service': {
      desired: `Average ECS/ContainerInsights DesiredTaskCount ${tasks}`,
      running: `Average ECS/ContainerInsights RunningTaskCount ${tasks}`,
    },
    'Load of the tasks (%)': {
      CPU: `Average AWS/ECS CPUUtilization ${tasks}`,
      memory: `Maximum AWS/ECS MemoryUtilization ${tasks}`,
    },
  };
}

for (const stack of ['staging', 'production']) {
  test(`${stack}: the dashboard shows these figures of what is declared`, async (t) => {
    const graph = await graphOf(stack);
    t.deepEqual(shownBy(graph), expected(graph, stack));
    t.is(inputsOf(graph, 'cloudwatch/dashboard:Dashboard').dashboardName, `toq-media-${stack}`);
  });

  test(`${stack}: graphs stand two in a row without gaps, over time, in periods of five minutes`, async (t) => {
    for (const [index, { properties, ...place }] of widgetsOf(await graphOf(stack)).entries()) {
      const [row, column] = [Math.floor(index / 2), index % 2];
      t.deepEqual(place, { type: 'metric', x: 12 * column, y: 6 * row, width: 12, height: 6 });
      t.like(properties, { view: 'timeSeries', period: 300, region: 'us-east-1' }, properties.title);
    }
  });
}

test('a database of its own is shown too', async (t) => {
  const graph = await graphWithDatabase();
  const instance = 'DBInstanceIdentifier=toq-media-production';
  t.deepEqual(shownBy(graph), {
    ...expected(graph, 'production'),
    'Load of the database (%)': { CPU: `Average AWS/RDS CPUUtilization ${instance}` },
    'Free storage of the database (bytes)': { free: `Minimum AWS/RDS FreeStorageSpace ${instance}` },
  });
});
