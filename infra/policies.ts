import * as pulumi from '@pulumi/pulumi';

export type Text = pulumi.Input<string>;
type Condition = Record<string, Record<string, Text | Text[]>>;

export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal?: '*' | { AWS: Text | Text[] } | { Service: string | string[] };
  Action: string[] | string;
  Resource?: Text[] | Text;
  Condition?: Condition;
}

/** The policy document of these statements, as the JSON text that AWS takes. */
export const policy = (statements: Statement[]): pulumi.Output<string> =>
  pulumi.jsonStringify({ Version: '2012-10-17', Statement: statements });

/** One statement that allows `actions` on `resources`, in an identity policy. */
export const allow = (actions: string[], resources: Text[], condition?: Condition): Statement => ({
  Effect: 'Allow',
  Action: actions,
  Resource: resources,
  ...(condition && { Condition: condition }),
});

/** Trust for an AWS service that acts on behalf of this account and of no other (the confused deputy). */
export const trustService = (service: string, accountId: string): Statement[] => [
  {
    Effect: 'Allow',
    Principal: { Service: service },
    Action: 'sts:AssumeRole',
    Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
  },
];

/** Trust for one other role of ours. */
export const trustRole = (roleArn: Text): Statement[] => [
  { Effect: 'Allow', Principal: { AWS: roleArn }, Action: 'sts:AssumeRole' },
];

/** Trust for the account's people, with a second factor: IAM decides who of them may assume the role. */
export const trustPeople = (accountId: string): Statement[] => [
  {
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${accountId}:root` },
    Action: 'sts:AssumeRole',
    Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
  },
];

/** Nobody reaches `resources` without TLS. `actions` is the service's wildcard: a deny cannot be too wide. */
export const denyInsecureTransport = (actions: string, resources: Text[]): Statement => ({
  Sid: 'DenyInsecureTransport',
  Effect: 'Deny',
  Principal: '*',
  Action: actions,
  Resource: resources,
  Condition: { Bool: { 'aws:SecureTransport': 'false' } },
});

/**
 * Policy of the media bucket: TLS only; objects are deleted by `deleters` and by nobody else; what is put is encrypted
 * with `keyArn`. A put that names no encryption is fine, the bucket's default applies: hence the `Null` conditions,
 * without which a negated operator would also match the missing header.
 */
export const mediaBucketPolicy = (bucketArn: Text, keyArn: Text, deleters: Text[]): Statement[] => {
  const objects = pulumi.interpolate`${bucketArn}/*`;
  return [
    denyInsecureTransport('s3:*', [bucketArn, objects]),
    {
      Sid: 'DenyDelete',
      Effect: 'Deny',
      Principal: '*',
      Action: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
      Resource: objects,
      Condition: { ArnNotEquals: { 'aws:PrincipalArn': deleters } },
    },
    {
      Sid: 'DenyOtherEncryption',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: objects,
      Condition: {
        Null: { 's3:x-amz-server-side-encryption': 'false' },
        StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' },
      },
    },
    {
      Sid: 'DenyOtherKey',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: objects,
      Condition: {
        Null: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'false' },
        StringNotEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': keyArn },
      },
    },
  ];
};

/** Where the load balancer's access logs lie in the log bucket. */
export const LOAD_BALANCER_LOGS = 'load-balancer';

/** Policy of the log bucket: S3 delivers the media bucket's access logs and the load balancer its own, over TLS. */
export const logsBucketPolicy = (
  bucketArn: Text,
  sourceArn: Text,
  account: { id: string; region: string },
): Statement[] => [
  denyInsecureTransport('s3:*', [bucketArn, pulumi.interpolate`${bucketArn}/*`]),
  {
    Sid: 'AccessLogs',
    Effect: 'Allow',
    Principal: { Service: 'logging.s3.amazonaws.com' },
    Action: 's3:PutObject',
    Resource: pulumi.interpolate`${bucketArn}/*`,
    Condition: {
      ArnLike: { 'aws:SourceArn': sourceArn },
      StringEquals: { 'aws:SourceAccount': account.id },
    },
  },
  {
    Sid: 'LoadBalancerLogs',
    Effect: 'Allow',
    Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
    Action: 's3:PutObject',
    Resource: pulumi.interpolate`${bucketArn}/${LOAD_BALANCER_LOGS}/AWSLogs/${account.id}/*`,
    Condition: {
      ArnLike: {
        'aws:SourceArn': `arn:aws:elasticloadbalancing:${account.region}:${account.id}:loadbalancer/*`,
      },
    },
  },
];

/**
 * Policy of the alerts topic: EventBridge rules and this account's CloudWatch alarms publish, over TLS. EventBridge says
 * nothing about the source when it publishes, so its statement can have no condition (EventBridge user guide, "Amazon
 * SNS permissions").
 */
export const alertsTopicPolicy = (topicArn: Text, accountId: string): Statement[] => [
  denyInsecureTransport('sns:Publish', [topicArn]),
  {
    Sid: 'Events',
    Effect: 'Allow',
    Principal: { Service: 'events.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: topicArn,
  },
  {
    Sid: 'Alarms',
    Effect: 'Allow',
    Principal: { Service: 'cloudwatch.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: topicArn,
    Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
  },
];

/** Policy of a log group that EventBridge delivers a rule's events to. Only the writing knows its rule. */
export const eventLogPolicy = (logGroupArn: Text, ruleArn: Text): Statement[] => {
  const common = {
    Effect: 'Allow' as const,
    Principal: { Service: ['delivery.logs.amazonaws.com', 'events.amazonaws.com'] },
    Resource: pulumi.interpolate`${logGroupArn}:*`,
  };
  return [
    { ...common, Action: 'logs:CreateLogStream' },
    { ...common, Action: 'logs:PutLogEvents', Condition: { ArnEquals: { 'aws:SourceArn': ruleArn } } },
  ];
};

/** Everything an administrator does to a key, but not its use: no decrypting, no new data keys. */
const KEY_ADMINISTRATION = [
  'kms:CancelKeyDeletion',
  'kms:CreateAlias',
  'kms:CreateGrant',
  'kms:DeleteAlias',
  'kms:DescribeKey',
  'kms:DisableKey',
  'kms:EnableKey',
  'kms:EnableKeyRotation',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:ListAliases',
  'kms:ListGrants',
  'kms:ListKeyPolicies',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:RevokeGrant',
  'kms:RotateKeyOnDemand',
  'kms:ScheduleKeyDeletion',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateAlias',
  'kms:UpdateKeyDescription',
];

/** Whoever deploys writes the callback secret, and has RDS make the database's. */
const deployment = (region: string, anyOfAccount: { AWS: string }, deployer: string): Statement => ({
  Sid: 'Deployment',
  Effect: 'Allow',
  Principal: anyOfAccount,
  Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
  Resource: '*',
  Condition: {
    ArnEquals: { 'aws:PrincipalArn': deployer },
    StringEquals: {
      'kms:ViaService': [`secretsmanager.${region}.amazonaws.com`, `rds.${region}.amazonaws.com`],
    },
  },
});

/**
 * Policy of the key. The account administers it; `users` (role ARNs) may use it as far as their own policies say, and
 * nobody else whatever his policy says; the services that write to encrypted log groups and topics may use it, of which
 * EventBridge again cannot be asked for whom.
 * Roles are named in a condition, not as principals: KMS refuses a principal that does not exist yet.
 */
export const keyPolicy = (
  account: { id: string; region: string; deployer?: string | undefined },
  users: string[],
): Statement[] => {
  const anyOfAccount = { AWS: `arn:aws:iam::${account.id}:root` };
  return [
    {
      Sid: 'Administration',
      Effect: 'Allow',
      Principal: anyOfAccount,
      Action: KEY_ADMINISTRATION,
      Resource: '*',
    },
    {
      Sid: 'Use',
      Effect: 'Allow',
      Principal: anyOfAccount,
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: '*',
      Condition: { ArnEquals: { 'aws:PrincipalArn': users } },
    },
    ...(account.deployer ? [deployment(account.region, anyOfAccount, account.deployer)] : []),
    {
      Sid: 'Logs',
      Effect: 'Allow',
      Principal: { Service: `logs.${account.region}.amazonaws.com` },
      Action: ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
      Resource: '*',
      Condition: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${account.region}:${account.id}:log-group:*`,
        },
      },
    },
    {
      Sid: 'Events',
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: '*',
    },
    {
      Sid: 'Alarms',
      Effect: 'Allow',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: '*',
      Condition: { StringEquals: { 'aws:SourceAccount': account.id } },
    },
  ];
};
