import { readFileSync } from 'node:fs';
import test from 'ava';
import { excuses, findings, rules, subjects, unexcused } from '../../infra/rules/catalogue.ts';
import { estateOf } from '../../infra/rules/rule.ts';
import { suppressions } from '../../infra/rules/suppressions.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, graphWithDatabase } from '../support/graphs.ts';
import { added, changed, opted, rewritten, type Spoil, without } from '../support/spoilt.ts';

const REAL = ['staging', 'production'] as const;
const graphs = new Map<string, Graph>();
const resourcesOf = (stack: string) => graphs.get(stack)?.resources ?? [];

/** An environment without a database: the stack provides one. */
const WITH_DATABASE = 'production with a database of its own';
const ALL = [...REAL, WITH_DATABASE];

test.before(async () => {
  for (const stack of REAL) graphs.set(stack, await graphOf(stack));
  graphs.set(WITH_DATABASE, await graphWithDatabase());
});

const BUCKET = 's3/bucket:Bucket';
const FUNCTION = 'lambda/function:Function';
const MACHINE = 'sfn/stateMachine:StateMachine';
const TASK = 'ecs/taskDefinition:TaskDefinition';
const REPOSITORY = 'ecr/repository:Repository';
const BALANCER = 'lb/loadBalancer:LoadBalancer';
const ALARM = 'cloudwatch/metricAlarm:MetricAlarm';
const DATABASE = 'rds/instance:Instance';
const POLICY = 'iam/rolePolicy:RolePolicy';
const ENCRYPTION = 's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration';
const anybody = JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: '*', Action: 'ecr:*' }] });

/** For each rule one mistake that it is there to find. */
const SPOILT: Record<string, Spoil> = {
  S1: without('s3/bucketLogging:BucketLogging'),
  S2: changed('s3/bucketPublicAccessBlock:BucketPublicAccessBlock', { ignorePublicAcls: false }),
  S10: rewritten('s3/bucketPolicy:BucketPolicy', 'policy', '"aws:SecureTransport":"false"', '"x":"y"'),
  S3BucketVersioningEnabled: changed('s3/bucketVersioning:BucketVersioning', {
    versioningConfiguration: { status: 'Suspended' },
  }),
  S3DefaultEncryptionKMS: changed(ENCRYPTION, {
    rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms' }, bucketKeyEnabled: true }],
  }),
  'TOQ-S3-REFUSES-OTHER-KEYS': rewritten(
    's3/bucketPolicy:BucketPolicy',
    'policy',
    /"Null":\{[^}]*key-id":"false"\},/,
    '',
  ),
  'TOQ-S3-DELETES': rewritten('s3/bucketPolicy:BucketPolicy', 'policy', ',"s3:DeleteObjectVersion"', ''),
  'S3.13': without('s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration'),
  'TOQ-S3-ARCHIVE': (resources) =>
    JSON.parse(
      JSON.stringify(resources).replaceAll('"storageClass":"GLACIER"', '"storageClass":"GLACIER_IR"'),
    ),
  'TOQ-S3-CORS': changed('s3/bucketCorsConfiguration:BucketCorsConfiguration', {
    corsRules: [{ allowedOrigins: ['*'], allowedMethods: ['PUT'] }],
  }),
  KMS5: changed('kms/key:Key', { enableKeyRotation: false }),
  SMG4: added('secretsmanager/secret:Secret', 'secretsmanager/secret:Secret', ({ inputs }) => inputs),
  SecretsManagerUsingKMSKey: changed('secretsmanager/secret:Secret', { kmsKeyId: undefined }),
  'TOQ-PROTECT': opted(BUCKET, { retainOnDelete: false }),
  SQS2: changed('sqs/queue:Queue', { kmsMasterKeyId: 'alias/aws/sqs' }),
  SQS3: changed('sqs/queue:Queue', { redrivePolicy: undefined }),
  SQS4: without('sqs/queuePolicy:QueuePolicy'),
  LambdaEventSourceSQSVisibilityTimeout: changed(FUNCTION, { timeout: 11 }),
  'TOQ-SQS-PARTIAL-BATCH': changed('lambda/eventSourceMapping:EventSourceMapping', {
    functionResponseTypes: [],
  }),
  SNS2: changed('sns/topic:Topic', { kmsMasterKeyId: undefined }),
  SNS3: without('sns/topicPolicy:TopicPolicy'),
  RDS2: changed(DATABASE, { kmsKeyId: undefined }),
  RDS3: changed(DATABASE, { multiAz: false }),
  RDS6: added(DATABASE, DATABASE, ({ inputs }) => inputs),
  RDS10: changed(DATABASE, { skipFinalSnapshot: true }),
  RDS11: added(DATABASE, DATABASE, ({ inputs }) => inputs),
  RDS13: changed(DATABASE, { backupRetentionPeriod: 1 }),
  'RDS.2': changed(DATABASE, { publiclyAccessible: true }),
  'RDS.9': changed(DATABASE, { enabledCloudwatchLogsExports: [] }),
  'RDS.13': changed(DATABASE, { autoMinorVersionUpgrade: undefined }),
  'TOQ-RDS-PASSWORD': changed(DATABASE, { password: 'known to somebody' }),
  L1: changed(FUNCTION, { runtime: 'nodejs22.x' }),
  LambdaTracing: changed(FUNCTION, { tracingConfig: { mode: 'PassThrough' } }),
  LambdaConcurrency: changed(FUNCTION, { reservedConcurrentExecutions: undefined }),
  LambdaDLQ: without('lambda/eventSourceMapping:EventSourceMapping'),
  LambdaFunctionPublicAccessProhibited: added('lambda/permission:Permission', FUNCTION, ({ inputs }) => ({
    function: inputs.name,
    principal: '*',
  })),
  'TOQ-LAMBDA-LOGS': changed(FUNCTION, { loggingConfig: { logFormat: 'JSON' } }),
  'TOQ-LAMBDA-ROLE': changed(FUNCTION, { role: 'arn:aws:iam::058264253741:role/all' }),
  'TOQ-LAMBDA-SECRETS': changed(FUNCTION, { environment: { variables: { CALLBACK_SECRET: 'x' } } }),
  SF1: changed(MACHINE, { loggingConfiguration: { level: 'ERROR', includeExecutionData: false } }),
  SF2: changed(MACHINE, { tracingConfiguration: undefined }),
  'TOQ-SFN-STANDARD': changed(MACHINE, { type: 'EXPRESS' }),
  'TOQ-ASL-ARNS': rewritten(MACHINE, 'definition', 'function:listing-media-', 'function:listing-medai-'),
  ECS2: added(TASK, TASK, ({ inputs }) => inputs),
  'ECS.8': rewritten(TASK, 'containerDefinitions', '"name":"LOG_LEVEL"', '"name":"DATABASE_PASSWORD"'),
  ECS4: changed('ecs/cluster:Cluster', { settings: [{ name: 'containerInsights', value: 'disabled' }] }),
  ECS7: rewritten(TASK, 'containerDefinitions', '"awslogs-group":"/aws', '"awslogs-group":"/other'),
  'ECS.2': changed('ecs/service:Service', { networkConfiguration: { subnets: ['a'], assignPublicIp: true } }),
  'ECS.4': rewritten(TASK, 'containerDefinitions', '"user":"1000:1000"', '"user":"0"'),
  'ECS.5': rewritten(TASK, 'containerDefinitions', '"readonlyRootFilesystem":true', '"x":1'),
  'ECS.9': changed(TASK, { networkMode: 'host' }),
  'TOQ-ECS-IMAGE': rewritten(TASK, 'containerDefinitions', /@sha256:[0-9a-f]+/, ':latest'),
  'TOQ-ECS-ROLLBACK': changed('ecs/service:Service', { deploymentCircuitBreaker: { enable: true } }),
  ECR1: added('ecr/repositoryPolicy:RepositoryPolicy', REPOSITORY, ({ id }) => ({
    repository: id,
    policy: anybody,
  })),
  'ECR.1': changed(REPOSITORY, { imageScanningConfiguration: { scanOnPush: false } }),
  'ECR.2': changed(REPOSITORY, { imageTagMutability: 'MUTABLE' }),
  'ECR.3': without('ecr/lifecyclePolicy:LifecyclePolicy'),
  'ECR.5': changed(REPOSITORY, { encryptionConfigurations: [{ encryptionType: 'AES256' }] }),
  VPC7: without('ec2/flowLog:FlowLog'),
  VPC3: added('ec2/networkAcl:NetworkAcl', 'awsx:ec2:Vpc', ({ outputs }) => ({ vpcId: outputs.vpcId })),
  'EC2.2': without('ec2/defaultSecurityGroup:DefaultSecurityGroup'),
  'TOQ-PRIVATE-SUBNETS': changed(BALANCER, { subnets: ['subnet-1', 'subnet-2'] }),
  EC23: added(
    'vpc/securityGroupIngressRule:SecurityGroupIngressRule',
    'ec2/securityGroup:SecurityGroup',
    ({ id }) => ({ securityGroupId: id, cidrIpv4: '0.0.0.0/0' }),
  ),
  EC27: changed('ec2/securityGroup:SecurityGroup', { description: undefined }),
  ELB2: changed(BALANCER, { accessLogs: undefined }),
  ALBHttpDropInvalidHeaderEnabled: changed(BALANCER, { dropInvalidHeaderFields: undefined }),
  ELBDeletionProtectionEnabled: changed(BALANCER, { enableDeletionProtection: false }),
  ELBTlsHttpsListenersOnly: changed('lb/listener:Listener', { protocol: 'HTTP' }),
  'TOQ-ALB-INTERNAL': changed(BALANCER, { internal: false }),
  APIG1: changed('apigatewayv2/stage:Stage', { accessLogSettings: undefined }),
  APIG4: changed('apigatewayv2/route:Route', { authorizationType: 'NONE' }),
  'TOQ-API-THROTTLE': changed('apigatewayv2/stage:Stage', { defaultRouteSettings: undefined }),
  'TOQ-API-INTERNAL': changed('apigatewayv2/route:Route', { authorizationType: 'NONE' }),
  IAM4: added('iam/rolePolicyAttachment:RolePolicyAttachment', 'iam/role:Role', ({ inputs }) => ({
    role: inputs.name,
    policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
  })),
  IAM5: rewritten(POLICY, 'policy', /"arn:aws:sqs:[^"]+"/, '"*"'),
  'IAM.21': rewritten(POLICY, 'policy', '"s3:GetObject"', '"s3:Get*"'),
  'TOQ-PASS-ROLE': rewritten(POLICY, 'policy', /,"Condition":\{"StringEquals":\{"iam:PassedTo[^}]+\}\}/, ''),
  'TOQ-TRUST': rewritten('iam/role:Role', 'assumeRolePolicy', /,"Condition":.*\}\}(?=\})/, ''),
  'TOQ-SERVICE-GRANTS': rewritten(
    's3/bucketPolicy:BucketPolicy',
    'policy',
    /,"Condition":\{"ArnLike":.*\}\}(?=\})/,
    '',
  ),
  CloudWatchLogGroupEncrypted: changed('cloudwatch/logGroup:LogGroup', { kmsKeyId: undefined }),
  CloudWatchLogGroupRetentionPeriod: changed('cloudwatch/logGroup:LogGroup', { retentionInDays: 0 }),
  CloudWatchAlarmAction: changed(ALARM, { okActions: [] }),
  'TOQ-ALARM-RUNBOOK': changed(ALARM, { alarmDescription: 'something is wrong' }),
  'TOQ-ALARM-SILENCE': changed(ALARM, { treatMissingData: undefined }),
  'TOQ-PROVIDER': opted(BUCKET, { provider: '' }),
};

for (const rule of rules) {
  test(`${rule.id}: ${rule.meaning}`, (t) => {
    for (const stack of rule.of.includes(DATABASE) ? [WITH_DATABASE] : ALL) {
      const resources = resourcesOf(stack);
      const estate = estateOf(resources);
      for (const type of rule.of) {
        const declared = subjects({ ...rule, of: [type] }, estate).length;
        t.true(declared > 0, `${stack} declares ${type}`);
      }
      t.deepEqual(unexcused(findings(rule, resources)), [], stack);

      const spoilt = SPOILT[rule.id]?.(resources) ?? resources;
      t.not(unexcused(findings(rule, spoilt)).length, 0, `${stack}: the rule finds the mistake`);
    }
  });
}

test('every rule has an id of its own, and a mistake that it finds', (t) => {
  const ids = rules.map(({ id }) => id);
  t.is(new Set(ids).size, ids.length);
  t.deepEqual(Object.keys(SPOILT).sort(), ids.toSorted());
});

test('every suppression excuses something in a real stack, and says why', (t) => {
  const found = ALL.flatMap((stack) => rules.flatMap((rule) => findings(rule, resourcesOf(stack))));
  for (const suppression of suppressions) {
    const said = `${suppression.rule} ${suppression.resource} ${suppression.fault ?? ''}`;
    t.true(
      found.some((finding) => excuses(suppression, finding)),
      `${said} excuses nothing`,
    );
    t.true(suppression.reason.length > 30 && suppression.reason.endsWith('.'), said);
  }
});

test('docs/security.md lists exactly these rules and suppressions', (t) => {
  const chapters = readFileSync('docs/security.md', 'utf8').split(/^## /m);
  const table = (title: string) =>
    chapters
      .find((chapter) => chapter.startsWith(`${title}\n`))
      ?.split('\n')
      .filter((line) => line.startsWith('| `'));
  t.deepEqual(
    table('Rules'),
    rules.map(({ id, meaning, of }) => `| \`${id}\` | ${meaning} | ${of.map(kindOf).join(', ')} |`),
  );
  t.deepEqual(
    table('Suppressions'),
    suppressions.map(
      ({ rule, resource, fault, reason }) =>
        `| \`${rule}\` | \`${resource}\`${fault ? `: \`${fault}\`` : ''} | ${reason} |`,
    ),
  );
});

/** `s3/bucket:Bucket` → `s3 Bucket`. */
function kindOf(type: string) {
  return type === '*' ? 'everything' : type.replace(/[/:].*:/, ' ');
}
