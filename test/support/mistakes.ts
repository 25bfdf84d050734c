import { added, both, changed, opted, renamed, rewritten, type Spoil, without } from './spoilt.ts';

const BUCKET = 's3/bucket:Bucket';
const FUNCTION = 'lambda/function:Function';
const MACHINE = 'sfn/stateMachine:StateMachine';
const TASK = 'ecs/taskDefinition:TaskDefinition';
const REPOSITORY = 'ecr/repository:Repository';
const BALANCER = 'lb/loadBalancer:LoadBalancer';
const ALARM = 'cloudwatch/metricAlarm:MetricAlarm';
const DATABASE = 'rds/instance:Instance';
const POLICY = 'iam/rolePolicy:RolePolicy';
const VPC = 'awsx:ec2:Vpc';
const ENDPOINT = 'ec2/vpcEndpoint:VpcEndpoint';
const BUCKET_POLICY = 's3/bucketPolicy:BucketPolicy';
const LIFECYCLE = 's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration';
const ENCRYPTION = 's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration';
const anybody = JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: '*', Action: 'ecr:*' }] });

/** For each rule a mistake that it is there to find; where other catalogues look further, one for their ids, too. */
export const MISTAKES: Record<string, Spoil> = {
  S1: without('s3/bucketLogging:BucketLogging'),
  S2: changed('s3/bucketPublicAccessBlock:BucketPublicAccessBlock', { ignorePublicAcls: false }),
  'S3.2': changed('s3/bucketPublicAccessBlock:BucketPublicAccessBlock', { blockPublicPolicy: false }),
  'S3.3': changed('s3/bucketPublicAccessBlock:BucketPublicAccessBlock', { restrictPublicBuckets: false }),
  'S3.8': without('s3/bucketPublicAccessBlock:BucketPublicAccessBlock'),
  'S3.12': changed('s3/bucketOwnershipControls:BucketOwnershipControls', {
    rule: { objectOwnership: 'ObjectWriter' },
  }),
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
  PS8: changed(LIFECYCLE, {
    rules: [{ status: 'Enabled', abortIncompleteMultipartUpload: { daysAfterInitiation: 7 } }],
  }),
  PS1: rewritten(
    POLICY,
    'policy',
    '/*/raw/project/*"',
    '/*/raw/project/*","arn:aws:s3:::toq-listing-medias/*/processed/*"',
  ),
  PS2: rewritten(
    BUCKET_POLICY,
    'policy',
    '"NumericGreaterThan":{"s3:signatureAge":"900000"}',
    '"Bool":{"x":"y"}',
  ),
  PS5: rewritten(BUCKET_POLICY, 'policy', '"s3:signatureAge":"900000"', '"s3:signatureAge":"3600000"'),
  'TOQ-S3-ARCHIVE': (resources) =>
    JSON.parse(
      JSON.stringify(resources).replaceAll('"storageClass":"GLACIER"', '"storageClass":"GLACIER_IR"'),
    ),
  'TOQ-S3-CORS': changed('s3/bucketCorsConfiguration:BucketCorsConfiguration', {
    corsRules: [{ allowedOrigins: ['*'], allowedMethods: ['PUT'] }],
  }),
  KMS5: changed('kms/key:Key', { enableKeyRotation: false }),
  'KMS.3': changed('kms/key:Key', { deletionWindowInDays: 7 }),
  SMG4: added('secretsmanager/secret:Secret', 'secretsmanager/secret:Secret', ({ inputs }) => inputs),
  'SecretsManager.4': both(
    added('secretsmanager/secret:Secret', 'secretsmanager/secret:Secret', ({ inputs }) => inputs),
    added('secretsmanager/secretRotation:SecretRotation', 'secretsmanager/secret:Secret', ({ id }) => ({
      secretId: id,
      rotationRules: { automaticallyAfterDays: 365 },
    })),
  ),
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
  'RDS.6': changed(DATABASE, { monitoringInterval: 0 }),
  'RDS.17': changed(DATABASE, { copyTagsToSnapshot: undefined }),
  'RDS.25': changed(DATABASE, { username: 'admin' }),
  'RDS.46': changed('rds/subnetGroup:SubnetGroup', { subnetIds: ['subnet-1', 'subnet-2'] }),
  'RDS.39': changed('rds/parameterGroup:ParameterGroup', { parameters: [] }),
  'TOQ-DATABASE-TLS': rewritten(
    TASK,
    'containerDefinitions',
    '"name":"DATABASE_TLS","value":"rds"',
    '"name":"DATABASE_TLS","value":"disabled"',
  ),
  'TOQ-RDS-PASSWORD': changed(DATABASE, { password: 'known to somebody' }),
  L1: changed(FUNCTION, { runtime: 'nodejs22.x' }),
  LambdaTracing: changed(FUNCTION, { tracingConfig: { mode: 'PassThrough' } }),
  LambdaConcurrency: changed(FUNCTION, { reservedConcurrentExecutions: undefined }),
  LambdaDLQ: without('lambda/eventSourceMapping:EventSourceMapping'),
  LambdaFunctionPublicAccessProhibited: added('lambda/permission:Permission', FUNCTION, ({ inputs }) => ({
    function: inputs.name,
    principal: '*',
  })),
  'Lambda.5': changed(FUNCTION, { vpcConfig: { subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] } }),
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
  'ECS.10': changed('ecs/service:Service', { platformVersion: '1.3.0' }),
  'ECS.4': rewritten(TASK, 'containerDefinitions', '"user":"1000:1000"', '"user":"0"'),
  'ECS.5': rewritten(TASK, 'containerDefinitions', '"readonlyRootFilesystem":true', '"x":1'),
  'ECS.1': changed(TASK, { networkMode: 'host' }),
  'ECS.3': changed(TASK, { pidMode: 'host' }),
  'TOQ-ECS-ROLES': (resources) =>
    resources.map((task) =>
      task.type === `aws:${TASK}`
        ? { ...task, inputs: { ...task.inputs, taskRoleArn: task.inputs.executionRoleArn } }
        : task,
    ),
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
  'EC2.15': renamed(VPC),
  'EC2.55': both(renamed(VPC), without(ENDPOINT)),
  'EC2.56': both(renamed(VPC), without(ENDPOINT)),
  'ELB.13': (resources) =>
    resources.map((balancer) =>
      balancer.type === `aws:${BALANCER}`
        ? {
            ...balancer,
            inputs: { ...balancer.inputs, subnets: [balancer.inputs.subnets].flat().slice(0, 1) },
          }
        : balancer,
    ),
  'TOQ-PRIVATE-SUBNETS': changed(BALANCER, { subnets: ['subnet-1', 'subnet-2'] }),
  EC23: added(
    'vpc/securityGroupIngressRule:SecurityGroupIngressRule',
    'ec2/securityGroup:SecurityGroup',
    ({ id }) => ({ securityGroupId: id, cidrIpv4: '0.0.0.0/0' }),
  ),
  EC27: changed('ec2/securityGroup:SecurityGroup', { description: undefined }),
  ELB2: changed(BALANCER, { accessLogs: undefined }),
  ALBHttpDropInvalidHeaderEnabled: changed(BALANCER, { dropInvalidHeaderFields: undefined }),
  'ELB.12': changed(BALANCER, { desyncMitigationMode: 'monitor' }),
  ELBDeletionProtectionEnabled: changed(BALANCER, { enableDeletionProtection: false }),
  ELBTlsHttpsListenersOnly: changed('lb/listener:Listener', { protocol: 'HTTP' }),
  'ELB.17': changed('lb/listener:Listener', { sslPolicy: 'ELBSecurityPolicy-TLS13-1-0-2021-06' }),
  'TOQ-ALB-INTERNAL': changed(BALANCER, { internal: false }),
  APIG1: changed('apigatewayv2/stage:Stage', { accessLogSettings: undefined }),
  APIG4: changed('apigatewayv2/route:Route', { authorizationType: 'NONE' }),
  PS6: changed('apigatewayv2/stage:Stage', {
    accessLogSettings: { destinationArn: '', format: '$context.authorizer' },
  }),
  'TOQ-API-THROTTLE': changed('apigatewayv2/stage:Stage', { defaultRouteSettings: undefined }),
  'TOQ-API-INTERNAL': changed('apigatewayv2/route:Route', { authorizationType: 'NONE' }),
  IAM4: added('iam/rolePolicyAttachment:RolePolicyAttachment', 'iam/role:Role', ({ inputs }) => ({
    role: inputs.name,
    policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
  })),
  IAM5: rewritten(POLICY, 'policy', /"arn:aws:sqs:[^"]+"/, '"*"'),
  'IAM.21': rewritten(POLICY, 'policy', '"s3:GetObject"', '"s3:Get*"'),
  'IAM.1': rewritten(POLICY, 'policy', '"s3:GetObject"', '"*"'),
  'KMS.2': rewritten(POLICY, 'policy', /"arn:aws:kms:([^:]+):(\d+):key\/[^"]+"/, '"arn:aws:kms:$1:$2:key/*"'),
  'TOQ-PASS-ROLE': rewritten(POLICY, 'policy', /,"Condition":\{"StringEquals":\{"iam:PassedTo[^}]+\}\}/, ''),
  'TOQ-TRUST': rewritten('iam/role:Role', 'assumeRolePolicy', /,"Condition":.*\}\}(?=\})/, ''),
  'TOQ-SERVICE-GRANTS': rewritten(
    's3/bucketPolicy:BucketPolicy',
    'policy',
    /,"Condition":\{"ArnLike":.*\}\}(?=\})/,
    '',
  ),
  'S3.6': rewritten(
    BUCKET_POLICY,
    'policy',
    '{"Service":"logging.s3.amazonaws.com"}',
    '{"AWS":"arn:aws:iam::999999999999:root"}',
  ),
  'SQS.3': rewritten('sqs/queuePolicy:QueuePolicy', 'policy', '"Effect":"Deny"', '"Effect":"Allow"'),
  'SNS.4': rewritten(
    'sns/topicPolicy:TopicPolicy',
    'policy',
    '{"Service":"cloudwatch.amazonaws.com"}',
    '"*"',
  ),
  'KMS.5': rewritten('kms/key:Key', 'policy', /"Principal":\{"AWS":"[^"]+"\}/, '"Principal":"*"'),
  CloudWatchLogGroupEncrypted: changed('cloudwatch/logGroup:LogGroup', { kmsKeyId: undefined }),
  CloudWatchLogGroupRetentionPeriod: changed('cloudwatch/logGroup:LogGroup', { retentionInDays: 0 }),
  CloudWatchAlarmAction: changed(ALARM, { okActions: [] }),
  'TOQ-ALARM-RUNBOOK': changed(ALARM, { alarmDescription: 'something is wrong' }),
  'TOQ-ALARM-SILENCE': changed(ALARM, { treatMissingData: undefined }),
  'TOQ-PROVIDER': opted(BUCKET, { provider: '' }),
};
