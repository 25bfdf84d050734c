import { at, list, type Rule, type Statement, statements, unless } from './rule.ts';

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

const services = ({ Principal }: Statement) => list(at(Principal, 'Service')).map(String);
/** Whether a statement names for whom a service comes: an account, a resource, or a log group of the account. */
const sourced = ({ Condition = {} }: Statement) =>
  Object.entries(Condition).some(
    ([operator, keys]) =>
      /^(StringEquals|ArnEquals|ArnLike)$/.test(operator) &&
      Object.entries(keys).some(
        ([key, value]) =>
          ['aws:SourceAccount', 'aws:SourceArn', 'kms:EncryptionContext:aws:logs:arn'].includes(key) &&
          list(value).every((one) => /^\d{12}$|:\d{12}:|^arn:aws:s3:::[^*]+$/.test(String(one))),
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
          ...unless(!services(statement).length || sourced(statement), 'trusts a service whoever sends it'),
          ...unless(
            people.every((arn) => estate.byArn(arn)?.type === `aws:${ROLE}` || arn.endsWith(':root')),
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
    meaning:
      'a resource is open to an AWS service for this account only, and to nobody else who is not of it',
    of: Object.keys(RESOURCE_POLICIES),
    faults: ({ type, inputs }) => {
      const property = Reflect.get(RESOURCE_POLICIES, type.replace('aws:', ''));
      return statements(inputs[property])
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap((statement) => [
          ...unless(
            !services(statement).length || sourced(statement),
            `${statement.Sid ?? list(statement.Action).join()}: to ${services(statement).join(', ')}, whoever sends it`,
          ),
          ...unless(
            services(statement).length > 0 ||
              list(at(statement.Principal, 'AWS')).some((arn) => /^arn:aws:iam::\d{12}:/.test(String(arn))),
            `${statement.Sid}: to everybody`,
          ),
        ]);
    },
  },
];
