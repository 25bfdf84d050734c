import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { type Metric, metrics } from './metrics.ts';
import type { Watched } from './watched.ts';

export interface DashboardArgs extends Foundation {
  watched: Watched;
}

/** Label → metric. */
type Lines = Record<string, Metric>;

interface Graph {
  title: string;
  lines: Lines;
}

/** The pipeline on one page: what came in, what waits, what failed, how long it took. */
export class Dashboard extends pulumi.ComponentResource {
  constructor(name: string, args: DashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Dashboard', name, {}, opts);
    const { names, account, watched } = args;
    new aws.cloudwatch.Dashboard(
      name,
      {
        dashboardName: names.dashboard,
        dashboardBody: pulumi.jsonStringify({
          widgets: graphs(watched).map(({ title, lines }, index) => ({
            type: 'metric',
            x: (index % 2) * WIDTH,
            y: Math.floor(index / 2) * HEIGHT,
            width: WIDTH,
            height: HEIGHT,
            properties: {
              title,
              region: account.region,
              view: 'timeSeries',
              period: 300,
              metrics: Object.entries(lines).map(([label, line]) => plotted(label, line)),
            },
          })),
        }),
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}

/** CloudWatch's grid is 24 wide. */
const WIDTH = 12;
const HEIGHT = 6;

/** A line as a dashboard's body has it: namespace, metric, dimension, value, …, how. */
const plotted = (label: string, { namespace, metricName, dimensions, statistic }: Metric) => [
  namespace,
  metricName,
  ...Object.entries(dimensions).flat(),
  { label, stat: statistic },
];

function graphs(watched: Watched): Graph[] {
  const executions = (machineArn: pulumi.Input<string>): Lines => ({
    started: metrics.executions('Started', machineArn),
    succeeded: metrics.executions('Succeeded', machineArn),
    failed: metrics.executions('Failed', machineArn),
    'timed out': metrics.executions('TimedOut', machineArn),
    aborted: metrics.executions('Aborted', machineArn),
    'throttled transitions': metrics.throttledTransitions(machineArn),
  });
  const eachFunction = (metric: (name: string) => Metric): Lines =>
    Object.fromEntries(Object.entries(watched.functions).map(([task, name]) => [task, metric(name)]));
  const load = (what: 'CPU' | 'Memory') => metrics.taskLoad(what, watched.cluster, watched.service);
  return [
    {
      title: 'Batches',
      lines: {
        created: metrics.batchesCreated(watched.environment),
        failed: metrics.batchesFailed(watched.environment),
      },
    },
    {
      title: 'Duration of jobs, waiting included (s)',
      lines: {
        'processing p50': metrics.jobTime(watched.environment, 'STEP_FUNCTIONS', 'p50'),
        'processing p95': metrics.jobTime(watched.environment, 'STEP_FUNCTIONS'),
        'finalization p50': metrics.jobTime(watched.environment, 'STEP_FUNCTIONS_FINALIZATION', 'p50'),
        'finalization p95': metrics.jobTime(watched.environment, 'STEP_FUNCTIONS_FINALIZATION'),
      },
    },
    { title: 'Processing executions', lines: executions(watched.processingMachineArn) },
    { title: 'Finalization executions', lines: executions(watched.finalizationMachineArn) },
    {
      title: 'Waiting messages',
      lines: {
        queue: metrics.queueDepth(watched.queue),
        'dead letters': metrics.queueDepth(watched.deadLetterQueue),
      },
    },
    {
      title: 'Longest wait (s)',
      lines: {
        'job to be published': metrics.outboxAge(watched.environment),
        'message in the queue': metrics.queueAge(watched.queue),
      },
    },
    { title: 'Errors by function', lines: eachFunction((name) => metrics.calls('Errors', name)) },
    { title: 'Throttles by function', lines: eachFunction((name) => metrics.calls('Throttles', name)) },
    {
      title: 'Duration of executions (ms)',
      lines: {
        'processing p50': metrics.executionTime(watched.processingMachineArn, 'p50'),
        'processing p95': metrics.executionTime(watched.processingMachineArn),
        'finalization p50': metrics.executionTime(watched.finalizationMachineArn, 'p50'),
        'finalization p95': metrics.executionTime(watched.finalizationMachineArn),
      },
    },
    {
      title: 'Duration of functions, p95 (ms)',
      lines: eachFunction((name) => metrics.callTime(name)),
    },
    { title: 'Concurrency of functions', lines: eachFunction((name) => metrics.concurrency(name)) },
    {
      title: 'Failed transcodes',
      lines: { failed: metrics.failedTranscodes(watched.transcodeQueueArn) },
    },
    {
      title: 'API latency (ms)',
      lines: {
        p50: metrics.requestTime(watched.apiId, 'p50'),
        p95: metrics.requestTime(watched.apiId, 'p95'),
        p99: metrics.requestTime(watched.apiId, 'p99'),
      },
    },
    {
      title: 'API answers',
      lines: {
        all: metrics.requests('Count', watched.apiId),
        '4xx': metrics.requests('4xx', watched.apiId),
        '5xx': metrics.requests('5xx', watched.apiId),
      },
    },
    {
      title: 'Tasks of the service',
      lines: {
        desired: metrics.tasks('Desired', watched.cluster, watched.service),
        running: metrics.tasks('Running', watched.cluster, watched.service),
      },
    },
    { title: 'Load of the tasks (%)', lines: { CPU: load('CPU'), memory: load('Memory') } },
    ...(watched.database ? databaseGraphs(watched.database) : []),
  ];
}

/** Of an instance of the stack's own. */
const databaseGraphs = (database: pulumi.Input<string>): Graph[] => [
  { title: 'Load of the database (%)', lines: { CPU: metrics.databaseLoad(database) } },
  { title: 'Free storage of the database (bytes)', lines: { free: metrics.freeStorage(database) } },
];
