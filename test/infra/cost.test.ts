import { readFileSync } from 'node:fs';
import test from 'ava';
import { z } from 'zod';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';

const HOURS = 730;
const Vpc = z.object({
  numberOfAvailabilityZones: z.number(),
  natGateways: z.object({ strategy: z.enum(['Single', 'OnePerAz']) }),
});

/** Cost → how many a stack has, and what so many cost in a month. */
function costs(graph: Graph): Record<string, { count: number; dollars: number }> {
  const vpc = Vpc.parse(graph.resources.find(({ type }) => type === 'awsx:ec2:Vpc')?.inputs);
  const zones = vpc.numberOfAvailabilityZones;
  const gateways = vpc.natGateways.strategy === 'Single' ? 1 : zones;
  const interfaces = ofType(graph, 'ec2/vpcEndpoint:VpcEndpoint').filter(
    ({ inputs }) => inputs.vpcEndpointType === 'Interface',
  ).length;
  const task = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
  const taskHour = (Number(task.cpu) / 1024) * 0.03238 + (Number(task.memory) / 1024) * 0.00356;
  // an alarm on an expression is one on each of its metrics
  const alarms = ofType(graph, 'cloudwatch/metricAlarm:MetricAlarm').flatMap(({ inputs }) =>
    z
      .array(z.looseObject({ metric: z.unknown().optional() }))
      .default([{ metric: {} }])
      .parse(inputs.metricQueries),
  );
  const hourly = (count: number, price: number) => ({ count, dollars: count * price * HOURS });
  const monthly = (count: number, price: number) => ({ count, dollars: count * price });
  return {
    'NAT gateways': hourly(gateways, 0.045),
    'public addresses of the NAT gateways': hourly(gateways, 0.005),
    'interface endpoints, by zone': hourly(interfaces * zones, 0.01),
    'load balancer': hourly(ofType(graph, 'lb/loadBalancer:LoadBalancer').length, 0.0225),
    'Fargate tasks, arm64': hourly(Number(inputsOf(graph, 'ecs/service:Service').desiredCount), taskHour),
    key: monthly(ofType(graph, 'kms/key:Key').length, 1),
    secret: monthly(
      ofType(graph, 'secretsmanager/secret:Secret').filter(({ kind }) => kind === 'custom').length,
      0.4,
    ),
    'alarms, by metric': monthly(alarms.filter(({ metric }) => metric).length, 0.1),
    dashboard: monthly(ofType(graph, 'cloudwatch/dashboard:Dashboard').length, 3),
  };
}

test('docs/deploy.md computes the fixed cost of what is declared', async (t) => {
  const rows = new Map(
    readFileSync('docs/deploy.md', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map(([, what = '', , ...stacks]) => [what, stacks]),
  );
  for (const [column, stack] of ['staging', 'production'].entries()) {
    const items = costs(await graphOf(stack));
    for (const [what, { count, dollars }] of Object.entries(items)) {
      t.is(rows.get(what)?.[column], `${count} · ${(dollars + 1e-9).toFixed(2)}`, `${stack}: ${what}`);
    }
    const together = Object.values(items).reduce(
      (sum, { dollars }) => sum + Number((dollars + 1e-9).toFixed(2)),
      0,
    );
    t.is(rows.get('together')?.[column], `**${together.toFixed(2)}**`, stack);
  }
});
