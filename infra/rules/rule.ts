/** A resource as the program asked for it; what a Pulumi policy pack is given holds the same. */
export interface Declared {
  urn: string;
  /** `aws:sqs/queue:Queue` */
  type: string;
  /** logical name */
  name: string;
  kind: string;
  id?: string;
  parent?: string;
  inputs: Record<string, unknown>;
  /** inputs and what the provider computes */
  outputs: Record<string, unknown>;
  options: {
    protect: boolean;
    /** undefined where nobody can tell: the engine does not pass it on to policy packs */
    retainOnDelete?: boolean | undefined;
    /** URN of the provider, and what follows it */
    provider: string;
  };
}

/** In place of a type: whatever the AWS provider manages. */
export const EVERY_TYPE = '*';

/** Type of the provider that every resource goes through. */
export const PROVIDER = 'pulumi:providers:aws';

/** One requirement on every resource of a few types. */
export interface Rule {
  /** cdk-nag's (AwsSolutions, NIST packs) or Security Hub's id, or a name of our own */
  id: string;
  /** ids under which other catalogues ask for the same */
  also?: string[];
  meaning: string;
  /** types, AWS's own without `aws:`; each of them must be declared, or the rule would hold of nothing */
  of: string[];
  /** what is wrong with one resource, a sentence each; empty where all is well */
  faults(resource: Declared, estate: Estate): string[];
}

/** All resources of a stack, for rules that look at more than one. */
export interface Estate {
  all: Declared[];
  /** Resources of a type such as `sqs/queue:Queue`. */
  of(type: string): Declared[];
  /** The resources of a type whose property names `owner`: a bucket's policy, a queue's. */
  about(type: string, property: string, owner: Declared): Declared[];
  /** The resource with this ARN. */
  byArn(arn: unknown): Declared | undefined;
}

export function estateOf(all: Declared[]): Estate {
  const of = (type: string) =>
    all.filter((resource) => resource.type === (type.startsWith('awsx:') ? type : `aws:${type}`));
  return {
    all,
    of,
    about: (type, property, owner) => {
      const names = [owner.id, owner.outputs.arn, owner.outputs.name].filter(Boolean);
      return of(type).filter((resource) => names.includes(resource.inputs[property]));
    },
    byArn: (arn) => all.find(({ kind, outputs }) => kind !== 'component' && outputs.arn === arn),
  };
}

/** The value at `a.b.c`, through lists of one element too: Pulumi's blocks are lists here and objects there. */
export function at(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) {
    if (Array.isArray(found)) found = found[0];
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  }
  return found;
}

/** The elements of a list, or the one value, or none. */
export const list = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

/** The fault, unless `holds`. */
export const unless = (holds: unknown, fault: string): string[] => (holds ? [] : [fault]);

export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal?: unknown;
  NotPrincipal?: unknown;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** The statements of a policy document given as JSON text; none for anything else. */
export function statements(document: unknown): Statement[] {
  if (typeof document !== 'string' || !document.startsWith('{')) return [];
  const parsed: unknown = JSON.parse(document);
  // the program's own documents, whose grammar the policy lint checks
  return list(at(parsed, 'Statement')) as Statement[];
}

/** Whether one of the statements denies `action` to everybody without TLS. */
export const deniesPlainHttp = (policy: unknown, action: string) =>
  statements(policy).some(
    ({ Effect, Principal, Action, Condition }) =>
      Effect === 'Deny' &&
      Principal === '*' &&
      list(Action).includes(action) &&
      Condition?.Bool?.['aws:SecureTransport'] === 'false' &&
      Object.keys(Condition).length === 1,
  );

const isArn = (value: unknown): value is string => typeof value === 'string' && value.startsWith('arn:');

/** The account that the stack lives in, and no other: the one that its provider works in. */
export const ownAccount = (estate: Estate) => {
  const provider = estate.all.find(({ type }) => type === PROVIDER);
  return String(list(json(provider?.inputs.allowedAccountIds))[0]);
};

/** The value that a JSON text stands for; a provider is given its settings as texts. */
export const json = (value: unknown): unknown =>
  typeof value === 'string' && value !== '' ? JSON.parse(value) : value;

/** Whether a value names a key of ours rather than one of AWS's aliases. */
export const isOwnKey = (value: unknown, estate: Estate) =>
  isArn(value) && estate.byArn(value)?.type === 'aws:kms/key:Key';

/** The declared log groups with this physical name. */
export const logGroupNamed = (name: unknown, estate: Estate) =>
  estate.of('cloudwatch/logGroup:LogGroup').filter(({ inputs }) => inputs.name === name);
