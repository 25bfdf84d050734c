import { runSimulation } from '@cloud-copilot/iam-simulate';
import test from 'ava';
import { z } from 'zod';
import type { Manifest, PolicyDocument } from '../../local/graph/manifest.ts';
import { manifestOf } from '../../local/graph/projection.ts';
import { graphOf } from '../support/graphs.ts';
import { Statement } from '../support/policies.ts';

const statements = (document: PolicyDocument) => z.array(Statement).parse(document.Statement);

let declared: Manifest;
let account: string;
test.before(async () => {
  declared = manifestOf(await graphOf('staging'), '{}');
  account = declared.accountId;
});

test('objects are granted by prefix, never the whole bucket, except to the break-glass role', (t) => {
  const bucket = mediaBucket();
  for (const { name, policies: own } of declared.roles) {
    for (const arn of own.flatMap(({ document }) =>
      statements(document).flatMap(({ Resource = [] }) => Resource),
    )) {
      if (!arn.startsWith(`${bucket}/`) || name.includes('-admin-')) continue;
      t.regex(arn.slice(bucket.length), /^\/\*\/(raw|processed)\//, name);
    }
  }
});

test('a person breaks the glass only with a second factor', (t) => {
  t.like(statements(role('admin').trust)[0], {
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Condition: { Bool: { 'aws:MultiFactorAuthPresent': ['true'] } },
  });
});

const RAW = '28/raw/photo/horizontal/a.jpg';
const RAW_VIDEO = '28/raw/video/vertical/a.mp4';
const PROJECT = '28/raw/project/doc/plan.pdf';
const STILL = '28/processed/photo/horizontal/large/a.jpg';
const RENDITION = '28/processed/video/vertical/original/a-1080p.mp4';
const BUNDLE = '28/processed/zip/listing-media.zip';

interface Question {
  /** part of a role's name */
  role: string;
  action: string;
  /** key of an object, or an ARN */
  on: string;
  context?: Record<string, string>;
}

/** A role that may not list is told 403 of an object that is not there, instead of 404: S3 takes the key as the prefix. */
const asks = (role: string, key: string): Question => ({
  role,
  action: 's3:ListBucket',
  on: mediaBucket(),
  context: { 's3:prefix': key },
});

const viaS3 = { 'kms:ViaService': 's3.us-east-1.amazonaws.com' };
const may = (): Question[] => [
  { role: 'lambda-start', action: 'sqs:ReceiveMessage', on: queue() },
  { role: 'lambda-start', action: 'sqs:DeleteMessage', on: queue() },
  { role: 'lambda-start', action: 'states:StartExecution', on: machine('processing') },
  {
    role: 'lambda-start',
    action: 'kms:Decrypt',
    on: key(),
    context: { 'kms:ViaService': 'sqs.us-east-1.amazonaws.com' },
  },
  { role: 'lambda-validate', action: 's3:GetObject', on: RAW },
  asks('lambda-validate', RAW),
  asks('lambda-thumbnails', RAW),
  asks('lambda-thumbnails', RENDITION),
  asks('lambda-zip', RAW),
  asks('backend', RAW),
  asks('backend', STILL),
  { role: 'lambda-validate', action: 'kms:Decrypt', on: key(), context: viaS3 },
  { role: 'lambda-thumbnails', action: 's3:GetObject', on: RAW },
  { role: 'lambda-thumbnails', action: 's3:GetObject', on: RENDITION },
  { role: 'lambda-thumbnails', action: 's3:PutObject', on: STILL },
  { role: 'lambda-thumbnails', action: 's3:PutObject', on: '28/processed/video/vertical/small/a.jpg' },
  { role: 'lambda-thumbnails', action: 's3:PutObject', on: '28/processed/project/doc/original/plan.pdf' },
  { role: 'lambda-thumbnails', action: 'kms:GenerateDataKey', on: key(), context: viaS3 },
  { role: 'lambda-zip', action: 's3:GetObject', on: RAW_VIDEO },
  { role: 'lambda-zip', action: 's3:PutObject', on: BUNDLE },
  { role: 'lambda-zip', action: 's3:AbortMultipartUpload', on: BUNDLE },
  { role: 'lambda-callback-dispatch', action: 'secretsmanager:GetSecretValue', on: callbackSecret() },
  { role: 'lambda-callback-dispatch', action: 'execute-api:Invoke', on: callbackRoute() },
  { role: 'backend', action: 's3:PutObject', on: RAW },
  { role: 'backend', action: 's3:PutObjectTagging', on: RAW },
  { role: 'backend', action: 's3:GetObject', on: BUNDLE },
  { role: 'backend', action: 's3:ListBucket', on: mediaBucket() },
  { role: 'backend', action: 'sqs:SendMessage', on: queue() },
  { role: 'backend', action: 'states:StartExecution', on: machine('finalization') },
  { role: 'backend', action: 'states:DescribeExecution', on: executionOf('processing') },
  { role: 'backend', action: 'states:StopExecution', on: executionOf('finalization') },
  { role: 'backend', action: 'sts:AssumeRole', on: role('project-uploads').arn },
  { role: 'project-uploads', action: 's3:PutObject', on: PROJECT },
  { role: 'project-uploads', action: 's3:PutObjectTagging', on: PROJECT },
  { role: 'stepfunctions', action: 'lambda:InvokeFunction', on: functionArn('thumbnails') },
  { role: 'stepfunctions', action: 'mediaconvert:CreateJob', on: jobTemplate() },
  {
    role: 'stepfunctions',
    action: 'iam:PassRole',
    on: role('mediaconvert').arn,
    context: { 'iam:PassedToService': 'mediaconvert.amazonaws.com' },
  },
  { role: 'mediaconvert', action: 's3:GetObject', on: RAW_VIDEO },
  { role: 'mediaconvert', action: 's3:PutObject', on: RENDITION },
  { role: 'execution', action: 'secretsmanager:GetSecretValue', on: callbackSecret() },
  { role: 'admin', action: 's3:DeleteObject', on: RAW },
  { role: 'admin', action: 'sqs:StartMessageMoveTask', on: queue().replace('processing', 'processing-dlq') },
];
const mayNot = (): Question[] => [
  { role: 'lambda-start', action: 'states:StartExecution', on: machine('finalization') },
  { role: 'lambda-start', action: 'sqs:SendMessage', on: queue() },
  { role: 'lambda-start', action: 's3:GetObject', on: RAW },
  { role: 'lambda-validate', action: 's3:PutObject', on: RAW },
  { role: 'lambda-validate', action: 's3:GetObject', on: STILL },
  { role: 'lambda-validate', action: 's3:ListBucket', on: mediaBucket() },
  { role: 'lambda-validate', action: 'kms:Decrypt', on: key() },
  { role: 'lambda-validate', action: 'kms:GenerateDataKey', on: key(), context: viaS3 },
  { role: 'lambda-thumbnails', action: 's3:PutObject', on: RAW },
  { role: 'lambda-thumbnails', action: 's3:PutObject', on: BUNDLE },
  { role: 'lambda-consolidate', action: 's3:GetObject', on: RAW },
  { role: 'lambda-consolidate', action: 'kms:Decrypt', on: key(), context: viaS3 },
  { role: 'lambda-zip', action: 's3:PutObject', on: STILL },
  { role: 'lambda-zip', action: 's3:DeleteObject', on: BUNDLE },
  { role: 'lambda-callback-dispatch', action: 's3:GetObject', on: RAW },
  {
    role: 'lambda-callback-dispatch',
    action: 'execute-api:Invoke',
    on: callbackRoute().replace('POST/media-processing/callback', 'GET/api/v2/listings/media'),
  },
  { role: 'lambda-validate', action: 'secretsmanager:GetSecretValue', on: callbackSecret() },
  { role: 'backend', action: 's3:DeleteObject', on: RAW },
  { role: 'backend', action: 's3:PutObject', on: STILL },
  asks('backend', '28/'),
  { role: 'backend', action: 'states:StartExecution', on: machine('processing') },
  { role: 'backend', action: 'lambda:InvokeFunction', on: functionArn('zip') },
  { role: 'backend', action: 'secretsmanager:GetSecretValue', on: callbackSecret() },
  { role: 'backend', action: 'sts:AssumeRole', on: role('admin').arn },
  { role: 'project-uploads', action: 's3:PutObject', on: RAW },
  { role: 'project-uploads', action: 's3:GetObject', on: PROJECT },
  { role: 'project-uploads', action: 's3:DeleteObject', on: PROJECT },
  { role: 'stepfunctions', action: 'lambda:InvokeFunction', on: functionArn('start') },
  {
    role: 'stepfunctions',
    action: 'iam:PassRole',
    on: role('mediaconvert').arn,
    context: { 'iam:PassedToService': 'lambda.amazonaws.com' },
  },
  { role: 'stepfunctions', action: 's3:GetObject', on: RAW },
  { role: 'mediaconvert', action: 's3:GetObject', on: RAW },
  { role: 'mediaconvert', action: 's3:PutObject', on: BUNDLE },
  { role: 'execution', action: 's3:GetObject', on: RAW },
];

test('each role may do what its code calls', async (t) => {
  for (const question of may()) t.is(await answer(question), 'Allowed', said(question));
});

test('no role may do what is not its work', async (t) => {
  for (const question of mayNot()) t.not(await answer(question), 'Allowed', said(question));
});

test('the bucket refuses deletes by others even where a role would allow them', async (t) => {
  const everything = { Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };
  for (const [name, expected] of [
    ['lambda-zip', 'ExplicitlyDenied'],
    ['project-uploads', 'ExplicitlyDenied'],
    ['backend', 'Allowed'],
    ['admin', 'Allowed'],
  ] as const) {
    const question = { role: name, action: 's3:DeleteObject', on: RAW };
    t.is(await answer(question, [everything]), expected, name);
    t.is(await answer({ ...question, action: 's3:DeleteObjectVersion' }, [everything]), expected, name);
  }
});

test('the bucket takes default encryption and its own key, and refuses plain HTTP, AES256 and other keys', async (t) => {
  const put = { role: 'backend', action: 's3:PutObject', on: RAW };
  const header = 's3:x-amz-server-side-encryption';
  const keyHeader = `${header}-aws-kms-key-id`;
  t.is(await answer(put), 'Allowed');
  t.is(await answer({ ...put, context: { [header]: 'aws:kms', [keyHeader]: key() } }), 'Allowed');
  const refused: Record<string, string>[] = [
    { [header]: 'AES256' },
    { [header]: 'aws:kms', [keyHeader]: key().replace(/.$/, '_') },
    { 'aws:SecureTransport': 'false' },
  ];
  for (const context of refused) {
    t.is(await answer({ ...put, context }), 'ExplicitlyDenied', JSON.stringify(context));
  }
});

test('the key serves no role that the stack does not list, whatever its own policy says', async (t) => {
  const everything = { Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }] };
  const question = { action: 'kms:Decrypt', on: key(), context: viaS3 };
  t.is(await answer({ ...question, role: 'lambda-validate' }, [everything]), 'Allowed');
  t.not(await answer({ ...question, role: 'lambda-consolidate' }, [everything]), 'Allowed');
  t.not(await answer({ ...question, role: 'stepfunctions' }, [everything]), 'Allowed');
});

test('the key lists exactly the roles whose work needs it', (t) => {
  const use = declared.keys.flatMap(({ policy }) => statements(policy)).find(({ Sid }) => Sid === 'Use');
  const listed = use?.Condition?.ArnEquals?.['aws:PrincipalArn'] ?? [];
  const needing = declared.roles.filter(({ policies: own }) =>
    own.some(({ document }) =>
      statements(document).some(({ Action }) => Action.some((action) => action.startsWith('kms:'))),
    ),
  );
  t.deepEqual(listed.toSorted(), needing.map(({ arn }) => arn).sort());
});

test('only the backend assumes the role that signs project uploads', (t) => {
  t.deepEqual(
    statements(role('project-uploads').trust).map(({ Principal, Action }) => ({ Principal, Action })),
    [{ Principal: { AWS: role('backend').arn }, Action: ['sts:AssumeRole'] }],
  );
});

/** What IAM would answer, all declared policies considered. */
async function answer(question: Question, instead?: PolicyDocument[]) {
  const asking = role(question.role);
  const resource = question.on.startsWith('arn:') ? question.on : `${mediaBucket()}/${question.on}`;
  const resourcePolicy =
    declared.keys.find(({ arn }) => arn === resource)?.policy ??
    [...declared.buckets, ...declared.queues].find(
      ({ arn }) => resource === arn || resource.startsWith(`${arn}/`),
    )?.policy ??
    declared.roles.find(({ arn }) => arn === resource && question.action === 'sts:AssumeRole')?.trust;
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/${asking.name}/test`,
        action: question.action,
        resource: { resource, accountId: account },
        contextVariables: {
          'aws:SecureTransport': 'true',
          'aws:PrincipalArn': asking.arn,
          ...question.context,
        },
      },
      identityPolicies: (instead ?? asking.policies.map(({ document }) => document)).map((policy, index) => ({
        name: String(index),
        policy: { Version: '2012-10-17', ...policy },
      })),
      ...(resourcePolicy && { resourcePolicy }),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (result.resultType === 'error') throw new Error(`${said(question)}: ${JSON.stringify(result.errors)}`);
  return result.overallResult;
}

const said = ({ role: name, action, on, context }: Question) =>
  `${name} ${action} ${on} ${JSON.stringify(context ?? {})}`;

function found<T>(what: string, things: T[], matching: (thing: T) => boolean): T {
  const thing = things.find(matching);
  if (!thing) throw new Error(`no ${what} is declared`);
  return thing;
}
const role = (part: string) =>
  found(part, declared.roles, ({ name }) => name === `toq-media-processing-${part}-staging`);
const mediaBucket = () => found('bucket', declared.buckets, ({ name }) => name === 'toq-listing-medias').arn;
const queue = () => found('queue', declared.queues, ({ name }) => !name.includes('dlq')).arn;
const key = () => found('key', declared.keys, () => true).arn;
const machine = (part: string) => found(part, declared.stateMachines, ({ name }) => name.includes(part)).arn;
const executionOf = (part: string) => `${machine(part).replace(':stateMachine:', ':execution:')}:process-1-2`;
const functionArn = (task: string) =>
  found(task, declared.functions, ({ name }) => name === `listing-media-${task}-staging`).arn;
const jobTemplate = () => found('template', declared.mediaConvert.jobTemplates, () => true).arn;
const callbackSecret = () => found('secret', declared.secrets, ({ name }) => name.includes('callback')).arn;
const callbackRoute = () => `${declared.api.executionArn}/$default/POST/media-processing/callback`;
