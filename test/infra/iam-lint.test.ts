import test from 'ava';
import { graphOf, graphWithDatabase, STACKS } from '../support/graphs.ts';
import { type Kind, lint, policiesOf } from '../support/policies.ts';

const GRAPHS = new Map([
  ...STACKS.map((stack) => [stack, () => graphOf(stack)] as const),
  ['a stack with a database of its own', graphWithDatabase] as const,
]);
for (const [stack, graph] of GRAPHS) {
  test(`${stack}: every policy says what AWS understands, and nothing that never matches`, async (t) => {
    const policies = policiesOf(await graph());
    for (const kind of ['identity', 'trust', 'resource']) {
      t.true(policies.filter((policy) => policy.kind === kind).length > 5, kind);
    }
    for (const { name, kind, text, longest } of policies) {
      t.deepEqual(await lint(text, kind), [], name);
      t.true(text.length <= longest, `${name} has ${text.length} characters`);
    }
  });
}

const BUCKET = 'arn:aws:s3:::bucket';
const OBJECTS = `${BUCKET}/*`;
const QUEUE = 'arn:aws:sqs:us-east-1:058264253741:queue';
const allow = (Action: string | string[], Resource: string | string[], Condition?: unknown) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition ? { Condition } : {}),
});
const header = 's3:x-amz-server-side-encryption';

const MISTAKES: [string, Kind, object | object[], RegExp][] = [
  ['a misspelt action', 'identity', allow('s3:PutObjectt', OBJECTS), /s3:PutObjectt is no action/],
  ['an action of no service', 'identity', allow('foo:Bar', '*'), /foo:Bar is no action/],
  ['a wildcard that matches nothing', 'identity', allow('s3:Zz*', OBJECTS), /s3:Zz\* is no action/],
  ['every action', 'identity', allow('*', '*'), /every action of every service/],
  [
    'an object action on a bucket',
    'identity',
    allow('s3:GetObject', BUCKET),
    /s3:GetObject cannot be done to/,
  ],
  [
    'a bucket among objects',
    'identity',
    allow('s3:GetObject', [BUCKET, OBJECTS]),
    /no action uses arn:aws:s3:::bucket$/,
  ],
  [
    'an ARN for an action that takes none',
    'identity',
    allow('states:ListStateMachines', 'arn:aws:states:us-east-1:058264253741:stateMachine:x'),
    /takes no resource but \*/,
  ],
  ['everything where a resource could be named', 'identity', allow('sqs:SendMessage', '*'), /on everything/],
  [
    'an unknown operator',
    'identity',
    allow('sqs:SendMessage', QUEUE, { StringEqualz: { 'aws:SourceAccount': '0' } }),
    /StringEqualz is no operator/,
  ],
  [
    'a misspelt global key',
    'identity',
    allow('sqs:SendMessage', QUEUE, { StringEquals: { 'aws:SourceAcount': '0' } }),
    /aws:SourceAcount is no condition key/,
  ],
  [
    'a key of another service',
    'identity',
    allow('sqs:SendMessage', QUEUE, { StringEquals: { 's3:prefix': 'x' } }),
    /sqs:SendMessage does not know s3:prefix/,
  ],
  [
    'a deny that a missing header sets off',
    'resource',
    {
      ...allow('s3:PutObject', OBJECTS, { StringNotEqualsIfExists: { [header]: 'aws:kms' } }),
      Effect: 'Deny',
      Principal: '*',
    },
    /StringNotEqualsIfExists is true of a request without/,
  ],
  [
    'the same without IfExists',
    'resource',
    {
      ...allow('s3:PutObject', OBJECTS, { StringNotEquals: { [header]: 'aws:kms' } }),
      Effect: 'Deny',
      Principal: '*',
    },
    /say Null "false" beside it/,
  ],
  ['a resource policy for nobody', 'resource', allow('sqs:SendMessage', QUEUE), /no principal/],
  [
    'a principal in an identity policy',
    'identity',
    { ...allow('sqs:SendMessage', QUEUE), Principal: '*' },
    /a principal in an identity policy/,
  ],
  [
    'a Sid twice',
    'identity',
    [
      { ...allow('sqs:SendMessage', QUEUE), Sid: 'Send' },
      { ...allow('sqs:ReceiveMessage', QUEUE), Sid: 'Send' },
    ],
    /a Sid twice/,
  ],
  [
    'everything but something',
    'identity',
    { Effect: 'Allow', NotAction: 's3:*', Resource: '*' },
    /NotAction/,
  ],
];
for (const [mistake, kind, statement, complaint] of MISTAKES) {
  test(`${mistake} is found`, async (t) => {
    const document = { Version: '2012-10-17', Statement: [statement].flat() };
    t.regex((await lint(JSON.stringify(document), kind)).join('\n'), complaint);
  });
}

test('a sound policy passes', async (t) => {
  const document = {
    Version: '2012-10-17',
    Statement: [
      allow(['s3:GetObject', 's3:PutObject'], `${BUCKET}/*/raw/*`),
      allow('s3:ListBucket', BUCKET, { StringLike: { 's3:prefix': '*/raw/*' } }),
      allow('xray:PutTraceSegments', '*'),
      allow('logs:PutLogEvents', 'arn:aws:logs:us-east-1:058264253741:log-group:/aws/lambda/x:*'),
    ],
  };
  t.deepEqual(await lint(JSON.stringify(document), 'identity'), []);
});
