/** What holds data or grants access: keys, roles, buckets, queues, topics, secrets. */
import { z } from 'zod';
import { type Declarations, Named, only, Policy } from './declarations.ts';
import type { Manifest } from './manifest.ts';

const Key = z.object({ arn: z.string(), keyId: z.string(), policy: Policy });
const Alias = z.object({ name: z.string(), targetKeyId: z.string() });

export const keys = ({ of }: Declarations): Manifest['keys'] =>
  of('aws:kms/key:Key', Key).map(({ arn, keyId, policy }) => ({
    arn,
    id: keyId,
    alias: only(
      'alias of the key',
      of('aws:kms/alias:Alias', Alias).filter((alias) => alias.targetKeyId === keyId),
    ).name,
    policy,
  }));

const Role = Named.extend({ assumeRolePolicy: Policy });
const RolePolicy = z.object({ name: z.string(), role: z.string(), policy: Policy });

export const roles = ({ of }: Declarations): Manifest['roles'] =>
  of('aws:iam/role:Role', Role).map(({ name, arn, assumeRolePolicy }) => ({
    name,
    arn,
    trust: assumeRolePolicy,
    policies: of('aws:iam/rolePolicy:RolePolicy', RolePolicy)
      .filter((policy) => policy.role === name)
      .map((policy) => ({ name: policy.name, document: policy.policy })),
  }));

const Bucket = z.object({ bucket: z.string(), arn: z.string() });
const Versioning = z.object({ versioningConfiguration: z.object({ status: z.string() }) });
const Encryption = z.object({
  rules: z
    .array(
      z.object({ applyServerSideEncryptionByDefault: z.object({ kmsMasterKeyId: z.string().optional() }) }),
    )
    .length(1),
});
const Cors = z.object({
  corsRules: z.array(
    z.object({
      allowedOrigins: z.array(z.string()),
      allowedMethods: z.array(z.string()),
      allowedHeaders: z.array(z.string()).default([]),
      exposeHeaders: z.array(z.string()).default([]),
      maxAgeSeconds: z.number().optional(),
    }),
  ),
});
const ENCRYPTION = 'aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration';

export const buckets = ({ of, satellite, policyOf }: Declarations): Manifest['buckets'] =>
  of('aws:s3/bucket:Bucket', Bucket).map(({ resource, bucket, arn }) => {
    const versioning = satellite('aws:s3/bucketVersioning:BucketVersioning', Versioning, 'bucket', resource);
    const encryption = satellite(ENCRYPTION, Encryption, 'bucket', resource);
    const cors = satellite(
      'aws:s3/bucketCorsConfiguration:BucketCorsConfiguration',
      Cors,
      'bucket',
      resource,
    );
    const kmsKeyArn = encryption?.rules[0]?.applyServerSideEncryptionByDefault.kmsMasterKeyId;
    return {
      name: bucket,
      arn,
      versioned: versioning?.versioningConfiguration.status === 'Enabled',
      ...(kmsKeyArn && { kmsKeyArn }),
      cors: cors?.corsRules ?? [],
      ...policyOf('aws:s3/bucketPolicy:BucketPolicy', 'bucket', resource),
    };
  });

/** Property of the resource → SQS attribute. What is not declared is SQS's own default. */
const QUEUE_ATTRIBUTES = {
  visibilityTimeoutSeconds: 'VisibilityTimeout',
  messageRetentionSeconds: 'MessageRetentionPeriod',
  receiveWaitTimeSeconds: 'ReceiveMessageWaitTimeSeconds',
  delaySeconds: 'DelaySeconds',
  maxMessageSize: 'MaximumMessageSize',
  redrivePolicy: 'RedrivePolicy',
  kmsMasterKeyId: 'KmsMasterKeyId',
};
const Queue = Named.extend({ url: z.string() });

export const queues = ({ of, policyOf }: Declarations): Manifest['queues'] =>
  of('aws:sqs/queue:Queue', Queue).map(({ resource, name, arn, url }) => ({
    name,
    arn,
    url,
    attributes: Object.fromEntries(
      Object.entries(QUEUE_ATTRIBUTES)
        .filter(([property]) => resource.inputs[property] !== undefined)
        .map(([property, attribute]) => [attribute, String(resource.inputs[property])]),
    ),
    ...policyOf('aws:sqs/queuePolicy:QueuePolicy', 'queueUrl', resource),
  }));

const Topic = Named.extend({ kmsMasterKeyId: z.string().optional() });

export const topics = ({ of, policyOf }: Declarations): Manifest['topics'] =>
  of('aws:sns/topic:Topic', Topic).map(({ resource, name, arn, kmsMasterKeyId }) => ({
    name,
    arn,
    ...(kmsMasterKeyId && { kmsKeyArn: kmsMasterKeyId }),
    ...policyOf('aws:sns/topicPolicy:TopicPolicy', 'arn', resource),
  }));

const LogPolicy = z.object({ policyName: z.string(), policyDocument: Policy });

export const logPolicies = ({ of }: Declarations): Manifest['logPolicies'] =>
  of('aws:cloudwatch/logResourcePolicy:LogResourcePolicy', LogPolicy).map(
    ({ policyName, policyDocument }) => ({ name: policyName, policy: policyDocument }),
  );

const Secret = Named.extend({ kmsKeyId: z.string().optional() });
const SecretVersion = z.object({ secretString: z.string() });

/** `existing` is what a secret holds that the program only refers to. */
export const secrets = ({ of, satellite }: Declarations, existing: string): Manifest['secrets'] =>
  of('aws:secretsmanager/secret:Secret', Secret).map(({ resource, name, arn, kmsKeyId }) => {
    if (resource.kind === 'read') return { name, arn, value: existing };
    const version = satellite(
      'aws:secretsmanager/secretVersion:SecretVersion',
      SecretVersion,
      'secretId',
      resource,
    );
    return {
      name,
      arn,
      ...(kmsKeyId && { kmsKeyArn: kmsKeyId }),
      ...(version && { value: version.secretString }),
    };
  });
