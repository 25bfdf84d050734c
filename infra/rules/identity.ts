import { at, list, ownAccount, type Rule, type Statement, statements, unless } from './rule.ts';

const ROLE = 'iam/role:Role';
const POLICY = 'iam/rolePolicy:RolePolicy';
const AWS_MANAGED = 'arn:aws:iam::aws:policy/';
/** What may hold a policy about itself, by type: where the document stands. */
export const RESOURCE_POLICIES = {
  's3/bucketPolicy:BucketPolicy': 'policy',
  'sqs/queuePolicy:QueuePolicy': 'policy',
  'sns/topicPolicy:TopicPolicy': 'policy',
  'kms/key:Key': 'policy',
  'cloudwatch/logResourcePolicy:LogResourcePolicy': 'policyDocument',
} as const;

/** Whether an action reads what a key has encrypted. */
const decrypts = (action: unknown) => ['kms:Decrypt', 'kms:ReEncryptFrom'].includes(String(action));
/** Whether a pattern of resources takes in every key, of whatever name. */
const everyKey = (resource: unknown) => /^(\*|arn:aws:kms:[^:]*:[^:]*:(\*|key\/\*))$/.test(String(resource));

const services = ({ Principal }: Statement) => list(at(Principal, 'Service')).map(String);
/** Whether a statement names for whom a service comes: our account, a resource or a log group of it, or a bucket. */
const sourced = ({ Condition = {} }: Statement, account: string) =>
  Object.entries(Condition).some(
    ([operator, keys]) =>
      /^(StringEquals|ArnEquals|ArnLike)$/.test(operator) &&
      Object.entries(keys).some(
        ([key, value]) =>
          ['aws:SourceAccount', 'aws:SourceArn', 'kms:EncryptionContext:aws:logs:arn'].includes(key) &&
          list(value).every(
            (one) =>
              one === account ||
              String(one).includes(`:${account}:`) ||
              /^arn:aws:s3:::[^*]+$/.test(String(one)),
          ),
      ),
  );

/** Rules for roles and for what policies may say. */
export const identityRules: Rule[] = [
  {
    id: 'IAM4',
    meaning: 'no role carries a policy that AWS manages',
    of: [ROLE],
    faults: (role, estate) =>
      [
        ...list(role.inputs.managedPolicyArns),
        ...estate
          .about('iam/rolePolicyAttachment:RolePolicyAttachment', 'role', role)
          .map(({ inputs }) => inputs.policyArn),
      ]
        .map(String)
        .filter((arn) => arn.startsWith(AWS_MANAGED))
        .map((arn) => `${arn} is attached`),
  },
  {
    id: 'IAM5',
    meaning: 'no role may do something to more than it names',
    of: [POLICY],
    faults: ({ inputs }) =>
      statements(inputs.policy)
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap(({ Action, Resource }) =>
          list(Resource)
            .map(String)
            .filter((resource) => resource.includes('*'))
            .flatMap((resource) => list(Action).map((action) => `${action} on ${resource}`)),
        ),
  },
  {
    id: 'IAM.21',
    also: ['IAM.1'],
    meaning: 'no role has an action with a wildcard, or everything but something',
    of: [POLICY],
    faults: ({ inputs }) =>
      statements(inputs.policy).flatMap(({ Action, NotAction, NotResource, Resource }) => [
        ...list(Action)
          .filter((action) => String(action).includes('*'))
          .map((action) => `${action}`),
        ...unless(NotAction === undefined && NotResource === undefined, 'everything but something'),
        ...unless(list(Resource).length > 0, 'names no resource'),
      ]),
  },
  {
    id: 'KMS.2',
    also: ['KMS.1'],
    meaning: 'no role decrypts with every key',
    of: [POLICY],
    faults: ({ inputs }) =>
      statements(inputs.policy)
        .filter(({ Effect, Action }) => Effect === 'Allow' && list(Action).some(decrypts))
        .flatMap(({ Resource }) =>
          list(Resource)
            .filter(everyKey)
            .map((resource) => `decrypts with ${resource}`),
        ),
  },
  {
    id: 'TOQ-PASS-ROLE',
    meaning: 'a role is passed on to one named service, one role only',
    of: [POLICY],
    faults: ({ inputs }, estate) =>
      statements(inputs.policy)
        .filter(({ Action }) => list(Action).includes('iam:PassRole'))
        .flatMap(({ Resource, Condition }) => [
          ...unless(
            list(Resource).length === 1 && estate.byArn(list(Resource)[0])?.type === `aws:${ROLE}`,
            'passes more than one role',
          ),
          ...unless(
            /^[a-z-]+\.amazonaws\.com$/.test(String(Condition?.StringEquals?.['iam:PassedToService'])),
            'passes it to anybody',
          ),
        ]),
  },
  {
    id: 'TOQ-TRUST',
    meaning:
      'a role trusts a service for this account only, roles of ours by name, and people with a second factor',
    of: [ROLE],
    faults: ({ inputs }, estate) =>
      statements(inputs.assumeRolePolicy).flatMap((statement) => {
        const people = list(at(statement.Principal, 'AWS')).map(String);
        return [
          ...unless(
            !services(statement).length || sourced(statement, ownAccount(estate)),
            'trusts a service whoever sends it',
          ),
          ...unless(
            people.every(
              (arn) =>
                estate.byArn(arn)?.type === `aws:${ROLE}` ||
                arn === `arn:aws:iam::${ownAccount(estate)}:root`,
            ),
            'trusts a stranger',
          ),
          ...unless(
            !people.some((arn) => arn.endsWith(':root')) ||
              statement.Condition?.Bool?.['aws:MultiFactorAuthPresent'] === 'true',
            'trusts people without a second factor',
          ),
          ...unless(services(statement).length + people.length > 0, 'trusts everybody'),
        ];
      }),
  },
  {
    id: 'TOQ-SERVICE-GRANTS',
    also: ['S3.6', 'SQS.3', 'SNS.4', 'KMS.5'],
    meaning:
      'a resource is open to an AWS service for this account only, and to nobody else who is not of it',
    of: Object.keys(RESOURCE_POLICIES),
    faults: ({ type, inputs }, estate) => {
      const account = ownAccount(estate);
      const property = Reflect.get(RESOURCE_POLICIES, type.replace('aws:', ''));
      return statements(inputs[property])
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap((statement) => [
          ...unless(
            !services(statement).length || sourced(statement, account),
            `${statement.Sid ?? list(statement.Action).join()}: to ${services(statement).join(', ')}, whoever sends it`,
          ),
          ...unless(
            statement.Principal !== '*' &&
              list(at(statement.Principal, 'AWS')).every((arn) =>
                String(arn).startsWith(`arn:aws:iam::${account}:`),
              ),
            `${statement.Sid}: to strangers`,
          ),
        ]);
    },
  },
];
