import test from 'ava';
import { z } from 'zod';
import type { Graph, Properties, Resource } from '../../local/graph/graph.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';

/** What only ECS, ECR and a deployment would miss: exact settings of what the service lives on, each with its reason. */
let graph: Graph;
test.before(async () => {
  graph = await graphOf('production');
});

const TASK = 'ecs/taskDefinition:TaskDefinition';
const SERVICE = 'hosting-service';
const MIGRATIONS = 'hosting-service-migrations';

const Container = z.looseObject({ name: z.string() });
function containerOf(task: string): Properties {
  const definitions = JSON.parse(String(inputsOf(graph, TASK, task).containerDefinitions));
  const [container] = z.array(Container).length(1).parse(definitions);
  return container ?? {};
}
function only(type: string, name?: string): Resource {
  const [found, ...others] = ofType(graph, type).filter((one) => name === undefined || one.name === name);
  if (!found || others.length) throw new Error(`${type} ${name ?? ''}`);
  return found;
}

const CONTAINER: [task: string, settings: Properties, reason: string][] = [
  [
    SERVICE,
    { name: 'service', essential: true },
    'the load balancer is given this name; a task without it is no task',
  ],
  [
    SERVICE,
    { linuxParameters: { initProcessEnabled: true } },
    'process 1 passes SIGTERM on, and no dead process stays',
  ],
  [SERVICE, { portMappings: [{ containerPort: 3000, protocol: 'tcp' }] }, 'the target group’s port'],
  [SERVICE, { stopTimeout: 60 }, 'the service drains for 25 s'],
  [
    SERVICE,
    {
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': '/aws/ecs/toq-media-service-production',
          'awslogs-region': 'us-east-1',
          'awslogs-stream-prefix': 'service',
        },
      },
    },
    'Fargate wants region and prefix',
  ],
  [MIGRATIONS, { name: 'service', essential: true }, 'one name in every command of docs/deploy.md'],
  [MIGRATIONS, { linuxParameters: { initProcessEnabled: true } }, 'as the service'],
  [MIGRATIONS, { portMappings: undefined, healthCheck: undefined }, 'nobody calls it'],
  [
    MIGRATIONS,
    {
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': '/aws/ecs/toq-media-service-production',
          'awslogs-region': 'us-east-1',
          'awslogs-stream-prefix': 'migrations',
        },
      },
    },
    'docs/deploy.md looks into the streams migrations/…',
  ],
];
for (const [task, settings, reason] of CONTAINER) {
  test(`${task}: ${Object.keys(settings).join(', ')}: ${reason}`, (t) => {
    const container = containerOf(task);
    for (const [key, value] of Object.entries(settings)) t.deepEqual(container[key], value, key);
  });
}

test('ECS asks the container after its health by its own Node, and lets it start for half a minute', (t) => {
  const { command, ...rest } = z
    .looseObject({ command: z.tuple([z.literal('CMD'), z.literal('node'), z.literal('-e'), z.string()]) })
    .parse(containerOf(SERVICE).healthCheck);
  t.true(command[3].includes("fetch('http://127.0.0.1:3000/livez')"));
  t.deepEqual(rest, { interval: 10, timeout: 5, retries: 3, startPeriod: 30 });
});

const TASKS: [task: string, settings: Properties][] = [
  [SERVICE, { family: 'toq-media-service-production', cpu: '1024', memory: '2048' }],
  [MIGRATIONS, { family: 'toq-media-migrations-production', cpu: '256', memory: '512' }],
];
for (const [task, settings] of TASKS) {
  test(`${task}: a Fargate task for Linux on arm64, of its own size, that ECS may start`, (t) => {
    const { containerDefinitions: _, taskRoleArn: __, ...inputs } = inputsOf(graph, TASK, task);
    t.deepEqual(inputs, {
      ...settings,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: 'ARM64' },
      executionRoleArn: only('iam/role:Role', 'hosting-service-execution-role').outputs.arn,
    });
  });
}

const FARGATE: [settings: Properties, otherwise: string][] = [
  [{ launchType: 'FARGATE', platformVersion: 'LATEST' }, 'EC2 instances, which there are none of'],
  [{ availabilityZoneRebalancing: 'ENABLED' }, 'after a zone’s failure its tasks stay in the others'],
  [{ healthCheckGracePeriodSeconds: 60 }, 'a task that still starts is replaced, for ever'],
  [{ propagateTags: 'SERVICE' }, 'tasks cost without a tag that says whose'],
  [{ enableExecuteCommand: false }, 'a shell in the container'],
  [{ waitForSteadyState: true }, '`pulumi up` is done before the tasks answer'],
  [
    { deploymentMinimumHealthyPercent: 100, deploymentMaximumPercent: 200 },
    'a deployment takes capacity away',
  ],
];
for (const [settings, otherwise] of FARGATE) {
  test(`${Object.keys(settings).join(', ')}: otherwise ${otherwise}`, (t) => {
    t.like(inputsOf(graph, 'ecs/service:Service'), settings);
  });
}

test('Container Insights finds its log group, and makes none that keeps everything', (t) => {
  const group = only('cloudwatch/logGroup:LogGroup', 'hosting-fargate');
  t.is(group.inputs.name, '/aws/ecs/containerinsights/toq-media-production/performance');
  t.true(only('ecs/cluster:Cluster').options.dependsOn.includes(group.urn));
});

test('tasks are added within a minute and taken away slowly', (t) => {
  const policies = ofType(graph, 'appautoscaling/policy:Policy').map(({ inputs }) => inputs);
  const target = inputsOf(graph, 'appautoscaling/target:Target');
  t.is(target.serviceNamespace, 'ecs');
  t.deepEqual(policies.map(({ name }) => name).sort(), [
    'toq-media-service-production-cpu',
    'toq-media-service-production-requests',
  ]);
  for (const policy of policies) {
    t.like(policy, {
      policyType: 'TargetTrackingScaling',
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: target.resourceId,
    });
    t.like(policy.targetTrackingScalingPolicyConfiguration, { scaleOutCooldown: 60, scaleInCooldown: 300 });
  }
});

test('the role that trusts the backend is made after it: IAM refuses a principal that does not exist', (t) => {
  const backend = only('iam/role:Role', 'hosting-service-backend-role');
  const trusting = graph.resources.find(
    ({ kind, name }) => kind === 'component' && name === 'hosting-service-project-uploads-role',
  );
  // a component's children begin when it has its URN, and it gets that after those that it depends on
  t.true(trusting?.options.dependsOn.includes(backend.urn));
});

test('the registry is encrypted with the stack’s key, and expires by its own rules', (t) => {
  const repository = inputsOf(graph, 'ecr/repository:Repository');
  t.deepEqual(repository.encryptionConfigurations, [
    { encryptionType: 'KMS', kmsKey: graph.outputs.kmsKeyArn },
  ]);
  const { rules } = JSON.parse(String(inputsOf(graph, 'ecr/lifecyclePolicy:LifecyclePolicy').policy));
  // ECR takes each priority once, and the smaller first
  t.deepEqual(
    rules.map(({ rulePriority, action }: Properties) => [rulePriority, action]),
    [
      [1, { type: 'expire' }],
      [2, { type: 'expire' }],
    ],
  );
});
