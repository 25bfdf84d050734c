import test from 'ava';
import type { Graph } from '../../local/graph/graph.ts';
import { harvestStack } from '../../local/graph/program.ts';
import { CALLBACK_SECRET, graphOf, graphWithDatabase, ofType } from '../support/graphs.ts';

let graphs: Graph[];
test.before(async () => {
  graphs = await Promise.all([graphOf('staging'), graphOf('production'), graphWithDatabase()]);
});

test('a domain leads to the API, and its record, where the zone is ours, to the domain', async (t) => {
  const api = { domain: { hostedZoneId: 'Z0123456789' } };
  const graph = await harvestStack('production', { callbackSecret: CALLBACK_SECRET, config: { api } });
  t.deepEqual(graph.problems, []);
  const only = (type: string) => {
    const [found, ...others] = ofType(graph, type);
    t.deepEqual(others, []);
    return { id: found?.id, inputs: found?.inputs, outputs: found?.outputs };
  };
  const domain = only('apigatewayv2/domainName:DomainName');
  t.deepEqual(only('apigatewayv2/apiMapping:ApiMapping').inputs, {
    apiId: only('apigatewayv2/api:Api').id,
    stage: only('apigatewayv2/stage:Stage').id,
    domainName: domain.id,
  });
  const target = Object(domain.outputs?.domainNameConfiguration);
  t.deepEqual(only('route53/record:Record').inputs, {
    zoneId: 'Z0123456789',
    name: 'media.toq.com.br',
    type: 'A',
    aliases: [{ name: target.targetDomainName, zoneId: target.hostedZoneId, evaluateTargetHealth: false }],
  });
  t.truthy(target.targetDomainName);
});

test('a zone of others gets no record, and the domain leads to the API all the same', async (t) => {
  const graph = await graphOf('production');
  t.deepEqual(ofType(graph, 'route53/record:Record'), []);
  t.is(ofType(graph, 'apigatewayv2/apiMapping:ApiMapping').length, 1);
});

test('the stage opens when its routes are there', async (t) => {
  const graph = await graphOf('production');
  const [stage] = ofType(graph, 'apigatewayv2/stage:Stage');
  for (const { urn } of ofType(graph, 'apigatewayv2/route:Route')) {
    t.true(stage?.options.dependsOn.includes(urn), urn);
  }
});

test('the access log tells who asked for what and how it went, and nothing that could hold a token', async (t) => {
  const [stage] = ofType(await graphOf('production'), 'apigatewayv2/stage:Stage');
  // API Gateway, "Customizing HTTP API access logs"
  t.deepEqual(JSON.parse(String(Object(stage?.inputs.accessLogSettings).format)), {
    requestId: '$context.requestId',
    time: '$context.requestTime',
    ip: '$context.identity.sourceIp',
    route: '$context.routeKey',
    path: '$context.path',
    status: '$context.status',
    bytes: '$context.responseLength',
    latencyMs: '$context.responseLatency',
    integrationStatus: '$context.integrationStatus',
    integrationError: '$context.integrationErrorMessage',
  });
});

test('the VPC has the block that the settings name, and large private subnets beside small public ones', async (t) => {
  for (const [stack, cidrBlock] of [
    ['staging', '10.40.0.0/16'],
    ['production', '10.50.0.0/16'],
  ] as const) {
    const vpcs = (await graphOf(stack)).resources.filter(({ type }) => type === 'awsx:ec2:Vpc');
    t.like(vpcs[0]?.inputs, {
      cidrBlock,
      // from the subnets' sizes, without gaps that a later release would fill otherwise
      subnetStrategy: 'Auto',
      // 4,091 tasks and endpoints a zone; NAT gateways and nothing else
      subnetSpecs: [
        { type: 'Private', cidrMask: 20 },
        { type: 'Public', cidrMask: 26 },
      ],
    });
    t.regex(String(vpcs[0]?.parent), /::entrance-network$/);
  }
});

test('the load balancer asks each task of its VPC whether it is ready, and passes on to those that are', async (t) => {
  for (const graph of graphs) {
    const only = (type: string) => {
      const [found, ...others] = ofType(graph, type);
      t.deepEqual(others, []);
      return found;
    };
    const targets = only('lb/targetGroup:TargetGroup');
    const balancer = only('lb/loadBalancer:LoadBalancer');
    const vpc = graph.resources.find(({ type }) => type === 'awsx:ec2:Vpc');
    const [group] = ofType(graph, 'ec2/securityGroup:SecurityGroup').filter(({ name }) =>
      name.endsWith('-load-balancer'),
    );
    t.deepEqual(balancer?.inputs.securityGroups, [group?.id]);
    t.like(targets?.inputs, {
      vpcId: vpc?.outputs.vpcId,
      targetType: 'ip',
      protocol: 'HTTP',
      port: 3000,
      deregistrationDelay: 30,
    });
    // a task that does not answer is out after half a minute, and back after twenty seconds
    t.deepEqual(targets?.inputs.healthCheck, {
      path: '/readyz',
      matcher: '200',
      interval: 10,
      timeout: 5,
      healthyThreshold: 2,
      unhealthyThreshold: 3,
    });
    t.deepEqual(only('ecs/service:Service')?.inputs.loadBalancers, [
      { targetGroupArn: targets?.outputs.arn, containerName: 'service', containerPort: 3000 },
    ]);
    t.like(only('lb/listener:Listener')?.inputs, {
      loadBalancerArn: balancer?.outputs.arn,
      defaultActions: [{ type: 'forward', targetGroupArn: targets?.outputs.arn }],
    });
  }
});

test('without a domain the listener speaks HTTP, inside the VPC', async (t) => {
  const graph = await harvestStack('staging', {
    callbackSecret: CALLBACK_SECRET,
    config: { api: { domain: null } },
  });
  t.deepEqual(graph.problems, []);
  const [listener] = ofType(graph, 'lb/listener:Listener');
  t.like(listener?.inputs, { protocol: 'HTTP', port: 80 });
  t.is(listener?.inputs.certificateArn, undefined);
});

test('every security group is one of the stack’s own VPC', async (t) => {
  const { resources } = await graphOf('production');
  const vpc = resources.find(({ type }) => type === 'awsx:ec2:Vpc');
  const owned = resources.filter(({ type }) => /:ec2\/(s|defaultS)ecurityGroup:/.test(type));
  t.is(owned.length, 6);
  for (const { name, inputs } of owned) t.is(inputs.vpcId, vpc?.outputs.vpcId, name);
});
