import test from 'ava';
import type { Graph } from '../../local/graph/graph.ts';
import { harvestStack } from '../../local/graph/program.ts';
import { dangling } from '../../local/graph/projection.ts';
import { CALLBACK_SECRET, graphOf, graphWithDatabase, inputsOf, ofType } from '../support/graphs.ts';

/** Production in an account that has no database: the stack provides one. */
let graph: Graph;
test.before(async () => {
  graph = await graphWithDatabase();
});

const INSTANCE = 'rds/instance:Instance';
const idOf = (type: string, name: string) =>
  ofType(graph, type).find((resource) => resource.name === name)?.id;
const securityGroup = (part: string) =>
  idOf('ec2/securityGroup:SecurityGroup', `entrance-network-security-${part}`);
const key = () => graph.outputs.kmsKeyArn;

/** Every setting of the instance, and what would happen without it. */
const SETTINGS: [name: string, value: unknown, otherwise: string][] = [
  ['identifier', 'toq-media-production', 'a name of its own, which logs, alarms and runbooks do not know'],
  ['engine', 'mysql', 'RDS refuses'],
  ['engineVersion', '8.4', 'RDS chooses, and the parameter group is of another family'],
  ['autoMinorVersionUpgrade', true, 'security fixes wait for somebody'],
  ['parameterGroupName', 'toq-media-production-mysql8-4', 'connections in clear, and no slow statements'],
  ['caCertIdentifier', 'rds-ca-rsa2048-g1', "the account's default, of whichever generation"],
  ['instanceClass', 'db.t4g.medium', 'RDS refuses'],
  ['allocatedStorage', 50, 'RDS refuses'],
  ['maxAllocatedStorage', 200, 'the disk does not grow, and the service stands still when it is full'],
  ['storageType', 'gp3', 'the older gp2, whose speed depends on its size'],
  ['storageEncrypted', true, 'data in clear on the disk'],
  ['kmsKeyId', key, "AWS's key, which we can neither audit nor take back"],
  ['dbName', 'toq_server', 'a server without a schema'],
  ['port', 3306, 'the service asks at one port and the server listens at another'],
  ['username', 'toq', 'RDS refuses'],
  ['manageMasterUserPassword', true, 'a password that somebody knows'],
  ['masterUserSecretKmsKeyId', key, "a password under AWS's key"],
  ['multiAz', true, 'the settings ask for a standby'],
  ['dbSubnetGroupName', 'toq-media-production', 'the default VPC'],
  ['vpcSecurityGroupIds', () => [securityGroup('database')], 'the default group, which lets nobody in'],
  ['publiclyAccessible', false, 'an address for the whole Internet'],
  ['backupRetentionPeriod', 14, 'a day'],
  ['backupWindow', '05:00-06:00', 'a backup at some hour, also of the day'],
  ['maintenanceWindow', 'sun:06:00-sun:07:00', 'a restart at some hour, also of the day'],
  ['copyTagsToSnapshot', true, 'snapshots that belong to nobody'],
  ['deleteAutomatedBackups', false, 'backups go with the instance'],
  ['skipFinalSnapshot', false, 'data goes with the instance'],
  ['finalSnapshotIdentifier', 'toq-media-production-final', 'it cannot be removed'],
  ['deletionProtection', true, 'one call removes it'],
  ['enabledCloudwatchLogsExports', ['error', 'slowquery'], 'logs stay on the instance'],
  ['monitoringInterval', 60, 'nobody sees which process takes the memory'],
  [
    'monitoringRoleArn',
    'arn:aws:iam::111122223333:role/toq-media-processing-database-monitoring-production',
    'RDS refuses',
  ],
];
const asked = (value: unknown): unknown => (typeof value === 'function' ? value() : value);

for (const [name, value, otherwise] of SETTINGS) {
  test(`the database's ${name}; otherwise ${otherwise}`, (t) => {
    t.deepEqual(inputsOf(graph, INSTANCE)[name], asked(value));
  });
}

test("these are all of the database's settings: a new one has a reason, too", (t) => {
  t.deepEqual(Object.keys(inputsOf(graph, INSTANCE)).sort(), SETTINGS.map(([name]) => name).sort());
});

test('the server differs from its defaults in TLS and in its log of slow statements alone', (t) => {
  t.deepEqual(inputsOf(graph, 'rds/parameterGroup:ParameterGroup'), {
    name: 'toq-media-production-mysql8-4',
    description: 'TLS only, and a log of slow statements',
    family: 'mysql8.4',
    parameters: [
      { name: 'require_secure_transport', value: '1' },
      { name: 'slow_query_log', value: '1' },
      { name: 'long_query_time', value: '1' },
      // what is in a table is not exported
      { name: 'log_output', value: 'FILE' },
    ],
  });
});

test('the database is in the private subnets, and outlives the stack unless the settings give it up', async (t) => {
  const vpc = graph.resources.find(({ type }) => type === 'awsx:ec2:Vpc');
  t.deepEqual(inputsOf(graph, 'rds/subnetGroup:SubnetGroup'), {
    name: 'toq-media-production',
    description: 'Private subnets',
    subnetIds: vpc?.outputs.privateSubnetIds,
  });
  const [instance] = ofType(graph, INSTANCE);
  t.like(instance?.options, { protect: true, retainOnDelete: true });

  const size = { class: 'db.t4g.micro', storageGiB: 20, maxStorageGiB: 20, multiZone: false, backupDays: 1 };
  const passing = await harvestStack('staging', {
    callbackSecret: CALLBACK_SECRET,
    config: {
      protectData: false,
      database: { host: null, credentialsSecretArn: null, cidrBlock: null, instance: size },
    },
  });
  const [small] = ofType(passing, INSTANCE);
  t.like(small?.inputs, { deletionProtection: false, multiAz: false, backupRetentionPeriod: 1 });
  t.like(small?.options, { protect: false, retainOnDelete: false });
});

test('its logs are there, encrypted and forgetful, before RDS would make groups of its own', (t) => {
  const [instance] = ofType(graph, INSTANCE);
  for (const kind of ['error', 'slowquery']) {
    const name = `/aws/rds/instance/toq-media-production/${kind}`;
    t.like(inputsOf(graph, 'cloudwatch/logGroup:LogGroup', name), { kmsKeyId: key(), retentionInDays: 180 });
    const group = ofType(graph, 'cloudwatch/logGroup:LogGroup').find(({ inputs }) => inputs.name === name);
    t.true(instance?.options.dependsOn.includes(group?.urn ?? ''), kind);
  }
});

test('a stack with a database of its own is complete', (t) => {
  t.deepEqual(graph.problems, []);
  t.deepEqual(dangling(graph), []);
  const parts = graph.resources.filter(
    ({ kind, name }) => kind === 'custom' && name.startsWith('hosting-database'),
  );
  t.true(parts.length >= 5);
  for (const { name, parent, options } of parts) {
    t.regex(parent ?? '', /infra:Database(\$toq-media:infra:Role)?::hosting-database/, name);
    t.regex(options.provider, /::aws::/, name);
  }
});

const containerOf = (from: Graph, name: string) => {
  const [container] = JSON.parse(
    String(inputsOf(from, 'ecs/taskDefinition:TaskDefinition', name).containerDefinitions),
  );
  const variables: { name: string; value?: string; valueFrom?: string }[] = [
    ...container.environment,
    ...container.secrets,
  ];
  return new Map(variables.map((variable) => [variable.name, variable.value ?? variable.valueFrom]));
};

test("only the service's tasks reach it, with the password that RDS made", (t) => {
  const into = ofType(graph, 'vpc/securityGroupIngressRule:SecurityGroupIngressRule').filter(
    ({ inputs }) => inputs.securityGroupId === securityGroup('database'),
  );
  t.deepEqual(
    into.map(({ inputs }) => [inputs.referencedSecurityGroupId, inputs.fromPort, inputs.toPort]),
    [[securityGroup('service'), 3306, 3306]],
  );
  const service = containerOf(graph, 'hosting-service');
  const [instance] = ofType(graph, INSTANCE);
  t.is(service.get('DATABASE_HOST'), String(instance?.outputs.address));
  const password = service.get('DATABASE_PASSWORD') ?? '';
  t.regex(password, /:secret:rds!db-[^:]+:password::$/);
  const role = inputsOf(graph, 'iam/rolePolicy:RolePolicy', 'hosting-service-execution-role');
  t.true(String(role.policy).includes(password.replace(':password::', '')));
});

test("RDS may do with its log group what AWS's own role for it may, in this account alone", (t) => {
  const role = 'toq-media-processing-database-monitoring-production';
  const { Statement } = JSON.parse(String(inputsOf(graph, 'iam/rolePolicy:RolePolicy', role).policy));
  // AmazonRDSEnhancedMonitoringRole
  const groups = 'arn:aws:logs:us-east-1:111122223333:log-group:RDS*';
  t.deepEqual(Statement, [
    { Effect: 'Allow', Action: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy'], Resource: [groups] },
    {
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:GetLogEvents', 'logs:PutLogEvents'],
      Resource: [`${groups}:log-stream:*`],
    },
  ]);
});

test('service and migrations are told alike how the database proves itself', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const own = await harvestStack('staging', {
    callbackSecret: CALLBACK_SECRET,
    config: { database: { tls: 'private-ca', tlsCa: pem } },
  });
  for (const name of ['hosting-service', 'hosting-service-migrations']) {
    t.is(containerOf(graph, name).get('DATABASE_TLS'), 'rds');
    t.false(containerOf(graph, name).has('DATABASE_TLS_CA'));
    t.is(containerOf(own, name).get('DATABASE_TLS'), 'private-ca');
    t.is(containerOf(own, name).get('DATABASE_TLS_CA'), pem);
  }
});

test('the secret of a database that is there already is looked up, so that a wrong ARN stops the preview', async (t) => {
  const staging = await graphOf('staging');
  const read = ofType(staging, 'secretsmanager/secret:Secret').filter(({ kind }) => kind === 'read');
  t.deepEqual(
    read.map(({ id }) => `${id}:username::`),
    [containerOf(staging, 'hosting-service').get('DATABASE_USER')],
  );
});
