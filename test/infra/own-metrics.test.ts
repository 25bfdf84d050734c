import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { z } from 'zod';
import type { Graph } from '../../local/graph/graph.ts';
import { createLog } from '../../service/log.ts';
import { createMetrics } from '../../service/metrics.ts';
import { METRICS_NAMESPACE } from '../../statemachines/metrics.ts';
import { type Extracted, extractMetrics } from '../support/embedded-metrics.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';

/** What CloudWatch knows one figure by. */
interface Figure {
  metric: string;
  dimensions: Record<string, unknown>;
}

const Containers = z.array(
  z.object({ environment: z.array(z.object({ name: z.string(), value: z.string() })) }),
);

/** The service's measurements as CloudWatch takes them, with the environment that the stack gives its container. */
async function emittedIn(graph: Graph): Promise<Extracted[]> {
  const task = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
  const [container] = Containers.parse(JSON.parse(String(task.containerDefinitions)));
  const env = container?.environment.find(({ name }) => name === 'ENV')?.value ?? '';

  const lines: string[] = [];
  const log = createLog({ level: 'error', env, version: '1' }, { write: (line) => void lines.push(line) });
  const one = async () => 1;
  const metrics = createMetrics({ inflightJobs: one, deadLetters: one, oldestUnpublished: one }, log);
  for (const provider of ['STEP_FUNCTIONS', 'STEP_FUNCTIONS_FINALIZATION']) {
    for (const status of ['SUCCEEDED', 'FAILED']) metrics.jobFinished({ provider, status, seconds: 1 });
  }
  metrics.batchCreated();
  for (const code of ['STUCK', 'ASSETS_FAILED']) metrics.batchFailed(code);
  await metrics.logGauges();
  return lines.flatMap(extractMetrics);
}

function alarmed(graph: Graph): Figure[] {
  return ofType(graph, 'cloudwatch/metricAlarm:MetricAlarm')
    .filter(({ inputs }) => inputs.namespace === METRICS_NAMESPACE)
    .map(({ inputs }) => ({
      metric: String(inputs.metricName),
      dimensions: z.record(z.string(), z.string()).parse(inputs.dimensions),
    }));
}

function drawn(graph: Graph): Figure[] {
  const { dashboardBody } = inputsOf(graph, 'cloudwatch/dashboard:Dashboard');
  const { widgets } = z
    .object({
      widgets: z.array(z.object({ properties: z.object({ metrics: z.array(z.array(z.unknown())) }) })),
    })
    .parse(JSON.parse(String(dashboardBody)));
  return widgets
    .flatMap(({ properties }) => properties.metrics)
    .filter(([namespace]) => namespace === METRICS_NAMESPACE)
    .map(([, metric, ...rest]) => ({
      metric: String(metric),
      dimensions: Object.fromEntries(
        rest.slice(0, -1).flatMap((name, at) => (at % 2 ? [] : [[name, rest[at + 1]]])),
      ),
    }));
}

for (const stack of ['staging', 'production']) {
  test(`${stack}: what alarms and dashboard ask of the service's metrics, its log lines give`, async (t) => {
    const graph = await graphOf(stack);
    const emitted = await emittedIn(graph);
    const asked = [...alarmed(graph), ...drawn(graph)];
    t.is(alarmed(graph).length, 3);
    t.is(drawn(graph).length, 7);
    for (const { metric, dimensions } of asked) {
      const same = emitted.filter(
        ({ namespace, name }) => namespace === METRICS_NAMESPACE && name === metric,
      );
      const sets = same.flatMap((figure) => figure.dimensions);
      t.true(
        sets.some((set) => isDeepStrictEqual(set, dimensions)),
        `${metric} ${JSON.stringify(dimensions)}`,
      );
    }
  });
}

test('what is longer than ten minutes for the alarm is longer than ten minutes for the service', async (t) => {
  const graph = await graphOf('staging');
  const slow = inputsOf(graph, 'cloudwatch/metricAlarm:MetricAlarm', 'toq-media-processing-slow-staging');
  const [measured] = (await emittedIn(graph)).filter(({ name }) => name === slow.metricName);
  t.is(measured?.unit, 'Seconds');
  t.is(slow.threshold, 10 * 60);
});
