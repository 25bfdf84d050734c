import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Account } from './permissions.ts';
import { policy, type Statement } from './policies.ts';

export interface EncryptionArgs {
  /** Alias of the key. */
  alias: string;
  account: Account;
  /** ARNs of the roles that may use the key. */
  users: string[];
  /** Keep the key when the stack is taken down. */
  protect: boolean;
}

/** The one key of the pipeline: bucket, queues, secret, topic and logs. Rotated every year. */
export class Encryption extends pulumi.ComponentResource {
  readonly keyArn: pulumi.Output<string>;
  readonly keyId: pulumi.Output<string>;

  constructor(name: string, args: EncryptionArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Encryption', name, {}, opts);
    const key = new aws.kms.Key(
      name,
      {
        description: 'Listing media: objects, messages, secrets and logs',
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: policy(keyPolicy(args.account, args.users)),
      },
      { parent: this, protect: args.protect, retainOnDelete: args.protect },
    );
    new aws.kms.Alias(name, { name: args.alias, targetKeyId: key.keyId }, { parent: this });
    this.keyArn = key.arn;
    this.keyId = key.keyId;
    this.registerOutputs({ keyArn: this.keyArn, keyId: this.keyId });
  }
}

/**
 * Everything an administrator does to a key, but not its use: no decrypting, no new data keys. Grants are how ECR and RDS
 * come to use it, on behalf of whoever creates a repository or a database.
 */
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
  'kms:RetireGrant',
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
const keyPolicy = (
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
