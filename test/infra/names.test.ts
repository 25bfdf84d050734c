import test from 'ava';
import { inventoryOf } from '../../local/review/inventory.ts';
import { graphOf, graphWithDatabase } from '../support/graphs.ts';

const STACKS = ['staging', 'production'] as const;

/** Resources that people, dashboards and other teams look for by name: Pulumi would append eight random characters. */
const NAMED = [
  'apigatewayv2.Api',
  'apigatewayv2.VpcLink',
  'appautoscaling.Policy',
  'cloudformation.Stack',
  'cloudwatch.Dashboard',
  'cloudwatch.EventRule',
  'cloudwatch.LogGroup',
  'cloudwatch.LogResourcePolicy',
  'cloudwatch.MetricAlarm',
  'ec2.SecurityGroup',
  'ecr.Repository',
  'ecs.Cluster',
  'ecs.Service',
  'ecs.TaskDefinition',
  'iam.Role',
  'iam.RolePolicy',
  'kms.Alias',
  'lambda.Function',
  'lb.LoadBalancer',
  'lb.TargetGroup',
  'mediaconvert.Queue',
  's3.Bucket',
  'secretsmanager.Secret',
  'sfn.StateMachine',
  'sns.Topic',
  'sqs.Queue',
];

/** Names that seed 002 or AWS fixes, without an environment in them. */
const FIXED = ['toq-listing-medias', 'toq-media', 'toq-media-queue', 'toq-media-video-preset'];

/** Resources that a person meets in the console, where the name alone does not say what they are for. */
const DESCRIBED = [
  'apigatewayv2.Api',
  'cloudwatch.EventRule',
  'ec2.SecurityGroup',
  'iam.Role',
  'kms.Key',
  'mediaconvert.Queue',
  'rds.SubnetGroup',
  'secretsmanager.Secret',
  'vpc.SecurityGroupEgressRule',
  'vpc.SecurityGroupIngressRule',
];

/** Resources that have no name of their own: the console shows the tag. */
const TAGGED = ['awsx:ec2:Vpc', 'aws:ec2/vpcEndpoint:VpcEndpoint', 'aws:ec2/securityGroup:SecurityGroup'];

const GRAPHS = [
  ...STACKS.map((stack) => ({ title: stack, stack, graphOfIt: () => graphOf(stack) })),
  { title: 'production with a database', stack: 'production', graphOfIt: () => graphWithDatabase() },
];
for (const { title, stack, graphOfIt } of GRAPHS) {
  const own = async (types: string[]) => {
    const graph = await graphOfIt();
    const read = new Set(graph.resources.filter(({ kind }) => kind === 'read').map(({ name }) => name));
    return inventoryOf(graph).items.filter(({ type, name }) => types.includes(type) && !read.has(name));
  };

  test(`${title}: what is looked for by name has one, and it ends with the environment`, async (t) => {
    const items = await own(NAMED);
    t.deepEqual([...new Set(items.map(({ type }) => type))].sort(), NAMED);
    const bad = items.filter(
      ({ physicalName }) =>
        !FIXED.includes(physicalName) && !new RegExp(`-${stack}(-[a-z]+|/[a-z]+)?$`).test(physicalName),
    );
    t.deepEqual(
      bad.map(({ type, name, physicalName }) => `${type} ${name}: ${physicalName}`),
      [],
    );
  });

  test(`${title}: what a person meets in the console says what it is for`, async (t) => {
    const silent = (await own(DESCRIBED)).filter(({ settings }) => !settings.description);
    t.deepEqual(
      silent.map(({ type, name }) => `${type} ${name}`),
      [],
    );
  });

  test(`${title}: what has no name has a tag with one`, async (t) => {
    const { resources } = await graphOfIt();
    const tagged = resources.filter(({ type }) => TAGGED.includes(type));
    t.true(tagged.length > 6);
    for (const { name, inputs } of tagged) {
      t.regex(String(Object(inputs.tags).Name), new RegExp(`^toq-media-.*${stack}`), name);
    }
  });
}

test('no two resources of a type have the same name', async (t) => {
  for (const stack of STACKS) {
    const names = inventoryOf(await graphOf(stack))
      .items.filter(({ physicalName }) => physicalName)
      .map(({ type, physicalName }) => `${type} ${physicalName}`);
    t.is(new Set(names).size, names.length);
  }
});

test('the registry says of each of its rules which images it forgets', async (t) => {
  const { items } = inventoryOf(await graphOf('production'));
  const policy = items.find(({ type }) => type === 'ecr.LifecyclePolicy');
  t.like(policy?.settings, {
    'policy.rules[0].description': 'untagged images',
    'policy.rules[1].description': 'all but the newest',
  });
});
