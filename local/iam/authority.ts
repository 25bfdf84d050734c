import { randomUUID } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import type { Caller, SignedRequest } from '../door.ts';
import { createEvaluator, type Principal } from './evaluator.ts';
import { createInventory, type Declared, type HeldPolicy, together } from './inventory.ts';
import type { Context, Need } from './need.ts';
import { assumption, NEEDS, publication, secretNeeds } from './service-needs.ts';
import { createUsage, type HolderUsage } from './usage.ts';

export interface AuthorityOptions {
  declared: Declared;
  /** the local wire stands for TLS, unless a test says otherwise */
  secureTransport?: () => boolean;
  /** told of each refusal, in AWS's words */
  onDenied?: (sentence: string) => void;
}

/** What happened to the permissions of the program since the start. */
export interface Permissions {
  usage: HolderUsage[];
  denied: string[];
}

/** The last refusals, for the console. */
const DENIALS_KEPT = 100;

/** Protocols whose refusals have status 400: those with an `x-amz-target`. S3, REST and form protocols say 403. */
const statusOf = (signed: SignedRequest) => (signed.request.headers['x-amz-target'] ? 400 : 403);

/**
 * IAM: asks of each request whether the declared policies allow its sender what it does. The identity policies of the role,
 * the policies on bucket, queue, topic and key, and the trust policies are evaluated as AWS does; each coupled call
 * (to KMS, to pass a role) is asked on its own.
 */
export function createAuthority({
  declared,
  secureTransport = () => true,
  onDenied = () => {},
}: AuthorityOptions) {
  const inventory = createInventory(declared);
  const { accountId, region } = inventory;
  const identities = new Map(declared.roles.map((role) => [role.arn, identityPolicy(role)]));
  const policies: HeldPolicy[] = [
    ...identities.values(),
    ...declared.roles.map(({ name, trust }) => ({ holder: `${name} (trust)`, document: trust })),
    ...declared.keys.map(({ alias, policy }) => ({ holder: alias, document: policy })),
    ...[...declared.buckets, ...declared.queues, ...declared.topics].flatMap(({ name, policy }) =>
      policy ? [{ holder: name, document: policy }] : [],
    ),
    inventory.onLogs,
  ];
  const evaluator = createEvaluator(inventory);
  const usage = createUsage(policies);
  const denied: string[] = [];

  const principalOf = ({ principalArn, roleArn }: Caller): Principal => {
    const policy = identities.get(roleArn);
    return { id: principalArn, cacheAs: roleArn, ...(policy && { policy }) };
  };

  const common = (): Context => ({
    'aws:SecureTransport': String(secureTransport()),
    'aws:RequestedRegion': region,
    'aws:SourceIp': '127.0.0.1',
  });

  const ofRole = ({ roleArn }: Caller): Context => ({
    'aws:PrincipalArn': roleArn,
    'aws:PrincipalAccount': accountId,
    'aws:PrincipalType': 'AssumedRole',
    'aws:PrincipalIsAWSService': 'false',
    'aws:ViaAWSService': 'false',
  });

  /** Throws AccessDenied for the first need that is not allowed. */
  async function require(caller: Caller | undefined, needs: Need[], status = 403): Promise<void> {
    for (const need of needs) {
      const principal = need.by || !caller ? undefined : principalOf(caller);
      const actor = principal ?? { id: need.by ?? '', cacheAs: need.by ?? '' };
      const who: Context = principal && caller ? ofRole(caller) : { 'aws:PrincipalIsAWSService': 'true' };
      const verdict = await evaluator.evaluate(actor, need, { ...common(), ...who, ...need.context });
      if (verdict.allowed) usage.record(verdict.grants, need.action, need.resource);
      else
        throw refusal(
          `${actor.id} is not authorized to perform: ${need.action} on resource: ${need.resource} ${verdict.because}`,
          status,
        );
    }
  }

  function refusal(sentence: string, status: number) {
    denied.push(sentence);
    if (denied.length > DENIALS_KEPT) denied.shift();
    onDenied(sentence);
    return new AwsError('AccessDenied', status, `User: ${sentence}`);
  }

  /** The caller that a role is when a service acts as it. */
  const sessionOf = (roleArn: string, session: string): Caller => ({
    accessKeyId: '',
    roleArn,
    principalArn: `arn:aws:sts::${accountId}:assumed-role/${roleArn.slice(roleArn.lastIndexOf('/') + 1)}/${session}`,
  });

  return {
    /** For the front door: throws AccessDenied unless the sender may do all that the request does. */
    async authorize(signed: SignedRequest): Promise<void> {
      const needs = await NEEDS[signed.service]?.(signed, inventory);
      if (!needs) throw new Error(`nobody has said what a request to ${signed.service} needs`);
      await require(signed.caller, needs, statusOf(signed));
    },

    /** For what shows only while a request is carried out. */
    require: (signed: SignedRequest, needs: Need[]) => require(signed.caller, needs, statusOf(signed)),

    /** For an API's AWS_IAM routes; `path` begins with a slash. */
    async invoke(caller: Caller, method: string, path: string): Promise<void> {
      const resource = `${declared.api.executionArn}/$default/${method}${path}`;
      await require(caller, [{ action: 'execute-api:Invoke', resource }]);
    },

    /** Before a service acts as a role: whether the role trusts it. `service` is `lambda.amazonaws.com`. */
    assume: (service: string, roleArn: string) =>
      require(undefined, [assumption(inventory, service, roleArn)]),

    /** Before ECS hands a secret to a container, as the execution role. `reference` is as in a task definition. */
    async readSecret(executionRoleArn: string, reference: string): Promise<void> {
      const parts = reference.split(':');
      const needs = secretNeeds(
        inventory,
        'GetSecretValue',
        parts.slice(0, 7).join(':'),
        parts[8] || 'AWSCURRENT',
      );
      await require(sessionOf(executionRoleArn, 'ecs'), needs);
    },

    /** Before a rule of EventBridge publishes to a topic: the service itself does, and does not say for which rule. */
    async publish(topicArn: string): Promise<void> {
      const by = 'events.amazonaws.com';
      await require(undefined, publication(inventory, topicArn).map((need) => ({ ...need, by })));
    },

    /** Before a rule of EventBridge writes an event into a log group, of a stream that it makes for it. */
    async logEvent(logGroupArn: string, ruleArn: string): Promise<void> {
      const by = 'events.amazonaws.com';
      const resource = `${logGroupArn}:log-stream:${randomUUID()}`;
      // only the writing says for which rule
      await require(undefined, [
        { action: 'logs:CreateLogStream', resource, by },
        { action: 'logs:PutLogEvents', resource, by, context: { 'aws:SourceArn': ruleArn } },
      ]);
    },

    read: (): Permissions => ({ usage: usage.read(), denied: [...denied] }),
  };
}
export type Authority = ReturnType<typeof createAuthority>;

/** The policies of a role. */
const identityPolicy = ({ name, policies }: Declared['roles'][number]): HeldPolicy => ({
  holder: name,
  document: together(policies.map(({ document }) => document)),
});
