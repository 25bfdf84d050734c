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
