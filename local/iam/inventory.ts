import type { Bucket, Manifest, PolicyDocument } from '../graph/manifest.ts';
import type { Context, Need } from './need.ts';

export type Declared = Pick<
  Manifest,
  | 'region'
  | 'accountId'
  | 'roles'
  | 'keys'
  | 'buckets'
  | 'queues'
  | 'topics'
  | 'logPolicies'
  | 'functions'
  | 'mediaConvert'
  | 'secrets'
  | 'api'
>;

/** A policy and whose it is. */
export interface HeldPolicy {
  /** name of the role, bucket, queue, topic or log policy, alias of the key */
  holder: string;
  document: PolicyDocument;
}

/** Several policies as one: that they are several makes no difference to AWS. */
export const together = (documents: PolicyDocument[]): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: documents.flatMap(({ Statement }) => Statement),
});

const baseName = (text: string) => text.slice(Math.max(text.lastIndexOf('/'), text.lastIndexOf(':')) + 1);

/** The declared resources as requests name them, and their policies. What is not declared gets the ARN it would have. */
export function createInventory(declared: Declared) {
  const {
    region,
    accountId,
    roles,
    keys,
    buckets,
    queues,
    topics,
    functions,
    mediaConvert,
    secrets,
    logPolicies,
  } = declared;
  const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${accountId}:${resource}`;

  const held = new Map<string, HeldPolicy>();
  for (const { name, arn, policy } of [...buckets, ...queues, ...topics]) {
    if (policy) held.set(arn, { holder: name, document: policy });
  }
  for (const { alias, arn, policy } of keys) held.set(arn, { holder: alias, document: policy });
  for (const { name, arn, trust } of roles) held.set(arn, { holder: `${name} (trust)`, document: trust });
  const onLogs: HeldPolicy = {
    holder: logPolicies.map(({ name }) => name).join(', '),
    document: together(logPolicies.map(({ policy }) => policy)),
  };

  return {
    region,
    accountId,
    arn,
    onLogs,

    bucket: (name: string): Bucket | undefined => buckets.find((bucket) => bucket.name === name),

    /** by its URL or name */
    queue(url: string) {
      const name = baseName(url);
      const queue = queues.find((candidate) => candidate.name === name);
      return { arn: arn('sqs', name), keyArn: queue?.attributes.KmsMasterKeyId };
    },

    topic: (topicArn: string) => ({
      arn: topicArn,
      keyArn: topics.find((topic) => topic.arn === topicArn)?.kmsKeyArn,
    }),

    /** by its name, its ARN, or its ARN without the six random characters */
    secret(id: string) {
      const known = secrets.find(
        (secret) => [secret.name, secret.arn].includes(id) || secret.arn.replace(/-\w{6}$/, '') === id,
      );
      const elsewhere = id.startsWith('arn:') ? id : arn('secretsmanager', `secret:${id}-??????`);
      return { arn: known?.arn ?? elsewhere, keyArn: known?.kmsKeyArn };
    },

    functionArn: (nameOrArn: string) =>
      functions.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn)?.arn ??
      arn('lambda', `function:${baseName(nameOrArn)}`),

    jobQueueArn: (nameOrArn: string) =>
      mediaConvert.queues.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn)?.arn ??
      arn('mediaconvert', `queues/${baseName(nameOrArn)}`),

    jobTemplateArn: (nameOrArn: string) =>
      mediaConvert.jobTemplates.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn)?.arn ??
      arn('mediaconvert', `jobTemplates/${baseName(nameOrArn)}`),

    /** The policy on a resource itself; an object's is its bucket's. A role's trust policy counts when it is assumed. */
    policyOn(resource: string, action: string): HeldPolicy | undefined {
      if (resource.includes(':role/') && action !== 'sts:AssumeRole') return undefined;
      if (resource.startsWith('arn:aws:logs:')) return onLogs;
      return held.get(resource.startsWith('arn:aws:s3:::') ? (resource.split('/')[0] ?? '') : resource);
    },

    /** What a service asks KMS in the name of its caller, where a key encrypts the resource. */
    keyNeeds(
      service: 's3' | 'sqs' | 'secretsmanager' | 'sns',
      keyArn: string | undefined,
      encryptionContext: Record<string, string>,
      ...actions: ('Decrypt' | 'GenerateDataKey')[]
    ): Need[] {
      if (keyArn === undefined) return [];
      const context: Context = {
        'kms:ViaService': `${service}.${region}.amazonaws.com`,
        'kms:CallerAccount': accountId,
        'kms:EncryptionContextKeys': Object.keys(encryptionContext),
      };
      for (const [name, value] of Object.entries(encryptionContext)) {
        context[`kms:EncryptionContext:${name}`] = value;
      }
      const resource = keyArn.startsWith('arn:') ? keyArn : arn('kms', `key/${keyArn}`);
      return actions.map((action) => ({ action: `kms:${action}`, resource, context }));
    },
  };
}
export type Inventory = ReturnType<typeof createInventory>;
