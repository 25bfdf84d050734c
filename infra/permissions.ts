/**
 * What each role may do, on one page: what its code calls, on the prefixes where it calls it, and nothing else.
 * Object keys are `{listingIdentityId}/raw/…` and `{listingIdentityId}/processed/…` (statemachines/object-keys.ts).
 */
import * as pulumi from '@pulumi/pulumi';
import { allow, type Statement, type Text } from './policies.ts';

export interface Account {
  /** 12 digits */
  id: string;
  region: string;
  /** ARN of the role that runs `pulumi up` */
  deployer?: string | undefined;
}

/** A bucket and the key that encrypts its objects. */
export interface EncryptedBucket {
  arn: Text;
  keyArn: Text;
}

const objects = (bucket: EncryptedBucket, ...patterns: string[]) =>
  patterns.map((pattern) => pulumi.interpolate`${bucket.arn}/${pattern}`);

/** The key, used only through `service` ("s3"), never on its own. */
const key = (
  account: Account,
  service: string,
  keyArn: Text,
  ...actions: ('Decrypt' | 'GenerateDataKey')[]
) =>
  allow(
    actions.map((action) => `kms:${action}`),
    [keyArn],
    { StringEquals: { 'kms:ViaService': `${service}.${account.region}.amazonaws.com` } },
  );

/** Lets S3 answer 404 for an object that is not there: without it the answer is 403. S3 takes the key as the prefix. */
const tellMissing = (bucket: EncryptedBucket, ...patterns: string[]) =>
  allow(['s3:ListBucket'], [bucket.arn], { StringLike: { 's3:prefix': patterns } });

/** Daemon-less tracing has no resources to name. */
const trace = allow(['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], ['*']);

/** What every function may do: write its own log streams and its traces. */
export const anyFunction = (logGroupArn: Text): Statement[] => [
  allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [pulumi.interpolate`${logGroupArn}:*`]),
  trace,
];

/** Reads the queue on the event source mapping's behalf and starts executions. */
export const start = (account: Account, queueArn: Text, keyArn: Text, machineArn: Text): Statement[] => [
  allow(['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'], [queueArn]),
  key(account, 'sqs', keyArn, 'Decrypt'),
  allow(['states:StartExecution'], [machineArn]),
];

/** Looks at originals: HeadObject with checksum, ranged GetObject. */
export const validate = (account: Account, bucket: EncryptedBucket): Statement[] => [
  allow(['s3:GetObject'], objects(bucket, '*/raw/*')),
  tellMissing(bucket, '*/raw/*'),
  key(account, 's3', bucket.keyArn, 'Decrypt'),
];

/** Reads originals, looks at renditions, reads poster frames; writes variants and copies of documents. */
export const thumbnails = (account: Account, bucket: EncryptedBucket): Statement[] => [
  allow(['s3:GetObject'], objects(bucket, '*/raw/*', '*/processed/video/*/original/*')),
  allow(
    ['s3:PutObject'],
    objects(bucket, '*/processed/photo/*', '*/processed/video/*', '*/processed/project/*'),
  ),
  tellMissing(bucket, '*/raw/*', '*/processed/video/*/original/*'),
  key(account, 's3', bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
];

/** Reads originals, writes the bundle. Decrypt is for the parts of its own multipart upload, too. */
export const zip = (account: Account, bucket: EncryptedBucket): Statement[] => [
  allow(['s3:GetObject'], objects(bucket, '*/raw/*')),
  allow(['s3:AbortMultipartUpload', 's3:PutObject'], objects(bucket, '*/processed/zip/*')),
  tellMissing(bucket, '*/raw/*'),
  key(account, 's3', bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
];

/** Reads the HMAC key and calls the one route. `routeArn` is `{api}/{stage}/POST/media-processing/callback`. */
export const callbackDispatch = (
  account: Account,
  secretArn: Text,
  keyArn: Text,
  routeArn: Text,
): Statement[] => [
  allow(['secretsmanager:GetSecretValue'], [secretArn]),
  key(account, 'secretsmanager', keyArn, 'Decrypt'),
  allow(['execute-api:Invoke'], [routeArn]),
];

export interface BackendResources {
  bucket: EncryptedBucket;
  queueArn: Text;
  deadLetterQueueArn: Text;
  finalizationMachineArn: Text;
  /** `arn:…:execution:{machine}:*`, for both machines */
  executionArns: Text[];
  projectUploadsRoleArn: Text;
}

/**
 * The service: signs uploads and downloads, publishes jobs, starts finalizations, asks after executions and stops stuck
 * ones. It deletes nothing: the bucket policy leaves room for the future housekeeping job, this role does not use it.
 */
export const backend = (account: Account, resources: BackendResources): Statement[] => [
  allow(['s3:GetObject', 's3:PutObject', 's3:PutObjectTagging'], objects(resources.bucket, '*/raw/*')),
  allow(['s3:GetObject'], objects(resources.bucket, '*/processed/*')),
  tellMissing(resources.bucket, '*/raw/*', '*/processed/*'),
  // HeadBucket, which readyz asks, lists with no prefix
  allow(['s3:ListBucket'], [resources.bucket.arn], { Null: { 's3:prefix': 'true' } }),
  key(account, 's3', resources.bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
  allow(['sqs:SendMessage'], [resources.queueArn]),
  // the depth of both is a metric
  allow(['sqs:GetQueueAttributes'], [resources.queueArn, resources.deadLetterQueueArn]),
  key(account, 'sqs', resources.bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
  allow(['states:StartExecution'], [resources.finalizationMachineArn]),
  allow(['states:DescribeExecution', 'states:StopExecution'], resources.executionArns),
  allow(['sts:AssumeRole'], [resources.projectUploadsRoleArn]),
  trace,
];

/** Signs the owner's uploads: a URL signed with these credentials can put a project file and do nothing else. */
export const projectUploads = (account: Account, bucket: EncryptedBucket): Statement[] => [
  allow(['s3:PutObject', 's3:PutObjectTagging'], objects(bucket, '*/raw/project/*')),
  key(account, 's3', bucket.keyArn, 'GenerateDataKey'),
];

/** ECS itself, before the container runs: pulls the image, reads its secrets, writes its log. */
export const execution = (
  account: Account,
  resources: { imageRepositoryArn: Text; logGroupArn: Text; secretArns: Text[]; keyArn: Text },
): Statement[] => [
  // hands out a registry token; has no resource to name
  allow(['ecr:GetAuthorizationToken'], ['*']),
  allow(
    ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    [resources.imageRepositoryArn],
  ),
  allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [pulumi.interpolate`${resources.logGroupArn}:*`]),
  allow(['secretsmanager:GetSecretValue'], resources.secretArns),
  key(account, 'secretsmanager', resources.keyArn, 'Decrypt'),
];

export interface MachineResources {
  functionArns: Text[];
  transcodeRoleArn: Text;
  /** of the MediaConvert queue and job templates */
  transcodeArns: Text[];
}

/** Both machines: invoke the tasks, run MediaConvert jobs to their end (`.sync`), log and trace. */
export const stateMachines = (account: Account, resources: MachineResources): Statement[] => [
  allow(['lambda:InvokeFunction'], resources.functionArns),
  allow(['mediaconvert:CreateJob'], resources.transcodeArns),
  allow(
    ['mediaconvert:CancelJob', 'mediaconvert:GetJob'],
    [`arn:aws:mediaconvert:${account.region}:${account.id}:jobs/*`],
  ),
  allow(['iam:PassRole'], [resources.transcodeRoleArn], {
    StringEquals: { 'iam:PassedToService': 'mediaconvert.amazonaws.com' },
  }),
  // the rule by which Step Functions itself learns that a `.sync` job ended
  allow(
    ['events:DescribeRule', 'events:PutRule', 'events:PutTargets'],
    [`arn:aws:events:${account.region}:${account.id}:rule/StepFunctionsGetEventsForMediaConvertJobRule`],
  ),
  // vended log delivery has no resources to name
  allow(
    [
      'logs:CreateLogDelivery',
      'logs:DeleteLogDelivery',
      'logs:DescribeLogGroups',
      'logs:DescribeResourcePolicies',
      'logs:GetLogDelivery',
      'logs:ListLogDeliveries',
      'logs:PutResourcePolicy',
      'logs:UpdateLogDelivery',
    ],
    ['*'],
  ),
  allow(['xray:GetSamplingRules', 'xray:GetSamplingTargets'], ['*']),
  trace,
];

/** MediaConvert: reads video originals, writes their renditions and poster frames. */
export const transcode = (account: Account, bucket: EncryptedBucket): Statement[] => [
  allow(['s3:GetObject'], objects(bucket, '*/raw/video/*')),
  allow(['s3:PutObject'], objects(bucket, '*/processed/video/*/original/*')),
  key(account, 's3', bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
];

/** The VPC, which writes a stream for each of its network interfaces and asks for the groups before it does. */
export const flowLogs = (logGroupArn: Text): Statement[] => [
  allow(
    ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
    [pulumi.interpolate`${logGroupArn}:*`],
  ),
  allow(['logs:DescribeLogGroups'], ['*']),
];

/**
 * RDS, which tells every minute what the operating system of an instance does: AWS's AmazonRDSEnhancedMonitoringRole, for
 * this account. All databases of an account share one log group, RDSOSMetrics, which RDS makes itself.
 */
export const databaseMonitoring = ({ region, id }: Account): Statement[] => {
  const groups = `arn:aws:logs:${region}:${id}:log-group:RDS*`;
  return [
    allow(['logs:CreateLogGroup', 'logs:PutRetentionPolicy'], [groups]),
    allow(
      ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:GetLogEvents', 'logs:PutLogEvents'],
      [`${groups}:log-stream:*`],
    ),
  ];
};

/** Break-glass: a person repairs by hand what the system cannot. Bucket and queues, as the seeds ask. */
export const admin = (account: Account, bucket: EncryptedBucket, queueArns: Text[]): Statement[] => [
  allow(['s3:ListBucket', 's3:ListBucketVersions'], [bucket.arn]),
  allow(
    [
      's3:DeleteObject',
      's3:DeleteObjectVersion',
      's3:GetObject',
      's3:GetObjectTagging',
      's3:GetObjectVersion',
      's3:PutObject',
      's3:PutObjectTagging',
      's3:RestoreObject',
    ],
    objects(bucket, '*'),
  ),
  key(account, 's3', bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
  allow(
    [
      'sqs:CancelMessageMoveTask',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
      'sqs:ListMessageMoveTasks',
      'sqs:PurgeQueue',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
      'sqs:StartMessageMoveTask',
    ],
    queueArns,
  ),
  key(account, 'sqs', bucket.keyArn, 'Decrypt', 'GenerateDataKey'),
];
