import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Sha256 } from '@aws-crypto/sha256-js';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateJobCommand, MediaConvertClient } from '@aws-sdk/client-mediaconvert';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectTaggingCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { SignatureV4 } from '@smithy/signature-v4';
import test from 'ava';
import { createActivity } from '../../local/activity.ts';
import { startCloud } from '../../local/cloud.ts';
import { createGate } from '../../local/gate.ts';
import type { PolicyDocument } from '../../local/graph/manifest.ts';
import { loadManifest } from '../../local/graph/program.ts';
import { createAuthority } from '../../local/iam/authority.ts';
import { choosePorts } from '../../local/ports.ts';
import { roleNamed } from '../../local/roles.ts';
import { startWatchdog } from '../../local/watchdog.ts';

const directory = await mkdtemp(path.join(tmpdir(), 'toq-iam-'));
const ports = await choosePorts(['api', 'gateway', 'door', 'console'], directory);
const urlOf = (port: number) => `http://127.0.0.1:${port}`;
const manifest = await loadManifest({
  awsEndpointUrl: urlOf(ports.door),
  apiEndpointUrl: urlOf(ports.gateway),
  callbackSecret: 'a test value of more than thirty-two characters',
  databaseCredentials: { username: 'user', password: 'password' },
  config: {
    database: { host: '127.0.0.1', port: 3306, name: 'toq_media' },
    jwt: { issuer: 'test', audience: 'test', jwksUrl: `${urlOf(ports.console)}/.well-known/jwks.json` },
    service: { port: ports.api },
  },
});
let tls = true;
const activity = createActivity();
const watchdog = startWatchdog();
const cloud = await startCloud({
  manifest,
  directory,
  ports,
  activity,
  gate: createGate(),
  watchdog,
  secureTransport: () => tls,
});
test.after.always(async () => {
  await cloud.close();
  await watchdog.close();
  await rm(directory, { recursive: true, force: true });
});

const roleArn = (role: string) => roleNamed(manifest.roles, 'local', role).arn;
const as = (role: string) => ({
  endpoint: cloud.endpoint,
  region: manifest.region,
  credentials: cloud.credentials.issueAccessKey(roleArn(role)),
  maxAttempts: 1,
});
const clients = new Map<string, unknown>();
/** One client of a kind for each role. */
function client<T>(Kind: new (config: ReturnType<typeof as>) => T, role: string): T {
  const name = `${Kind.name} ${role}`;
  if (!clients.has(name))
    clients.set(name, new Kind({ ...as(role), forcePathStyle: true } as ReturnType<typeof as>));
  return clients.get(name) as T; // the map holds what this line made
}
const s3 = (role: string) => client(S3Client, role);
const sqs = (role: string) => client(SQSClient, role);
const states = (role: string) => client(SFNClient, role);
const secrets = (role: string) => client(SecretsManagerClient, role);
const lambda = (role: string) => client(LambdaClient, role);

const named = <T extends { name: string; arn: string }>(list: T[], part: string): T => {
  const found = list.find(({ name }) => name.includes(part));
  if (!found) throw new Error(`nothing declared is called ${part}`);
  return found;
};
const Bucket = named(manifest.buckets, 'medias').name;
const [key] = manifest.keys;
if (!key) throw new Error('no key is declared');
const jobs = manifest.queues.find(({ name }) => !name.includes('dlq'))?.url ?? '';
const deadLetters = named(manifest.queues, 'dlq').url;
const processing = named(manifest.stateMachines, 'processing');
const finalization = named(manifest.stateMachines, 'finalization');
const execution = (machine: { arn: string }, name = 'none') =>
  `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;
const callbackSecret = named(manifest.secrets, 'callback').arn;
const databaseSecret = manifest.secrets.find(({ arn }) => arn !== callbackSecret)?.arn ?? '';

const RAW = '7/raw/photo/horizontal/1.jpg';
const VIDEO = '7/raw/video/horizontal/1.mp4';
const VARIANT = '7/processed/photo/large/1.jpg';
const ZIP = '7/processed/zip/listing-media.zip';
const PROJECT = '7/raw/project/plan.pdf';

test.before(async () => {
  for (const Key of [RAW, VIDEO, VARIANT, ZIP]) {
    await s3('admin').send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  }
});

/** `allowed`, whatever else came of it; or AWS's sentence, of which a HEAD has only the status. */
async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'allowed';
  } catch (error) {
    if (!(error instanceof Error) || !('$metadata' in error)) throw error;
    const { httpStatusCode } = error.$metadata as { httpStatusCode?: number };
    return /AccessDenied/.test(error.name) || httpStatusCode === 403 ? error.message : 'allowed';
  }
}

const get = (role: string, Key: string) => s3(role).send(new GetObjectCommand({ Bucket, Key }));
const head = (role: string, Key: string) =>
  s3(role).send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
const put = (role: string, Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  s3(role).send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...more }));
const remove = (role: string, Key: string) => s3(role).send(new DeleteObjectCommand({ Bucket, Key }));
const send = (role: string, QueueUrl = jobs) =>
  sqs(role).send(new SendMessageCommand({ QueueUrl, MessageBody: '{}' }));
const receive = (role: string, QueueUrl = jobs) => sqs(role).send(new ReceiveMessageCommand({ QueueUrl }));
const depth = (role: string, QueueUrl: string) =>
  sqs(role).send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
const begin = (role: string, machine: { arn: string }) =>
  states(role).send(new StartExecutionCommand({ stateMachineArn: machine.arn, input: '{}' }));
const describe = (role: string, machine: { arn: string }) =>
  states(role).send(new DescribeExecutionCommand({ executionArn: execution(machine) }));
const stop = (role: string, machine: { arn: string }) =>
  states(role).send(new StopExecutionCommand({ executionArn: execution(machine) }));
const secret = (role: string, SecretId = callbackSecret) =>
  secrets(role).send(new GetSecretValueCommand({ SecretId }));
const invoke = (role: string, part: string) =>
  lambda(role).send(
    new InvokeCommand({ FunctionName: named(manifest.functions, part).name, InvocationType: 'DryRun' }),
  );
const assume = (role: string, wanted: string) =>
  client(STSClient, role).send(
    new AssumeRoleCommand({ RoleArn: roleArn(wanted), RoleSessionName: 'test-session' }),
  );
const transcode = (role: string, passed: string, jobTemplate = manifest.mediaConvert.jobTemplates[0]?.name) =>
  client(MediaConvertClient, role).send(
    new CreateJobCommand({
      Role: roleArn(passed),
      Queue: manifest.mediaConvert.queues[0]?.arn,
      JobTemplate: jobTemplate,
      // refused as input, once the role has been found to be allowed
      Settings: { Inputs: [] },
    }),
  );

const may: [string, () => Promise<unknown>][] = [
  ['validate reads an original', () => get('lambda-validate', RAW)],
  ['validate asks for a checksum', () => head('lambda-validate', RAW)],
  ['thumbnails reads an original', () => get('lambda-thumbnails', RAW)],
  ['thumbnails writes a variant', () => put('lambda-thumbnails', '8/processed/photo/small/1.jpg')],
  [
    'thumbnails copies a document',
    () =>
      s3('lambda-thumbnails').send(
        new CopyObjectCommand({
          Bucket,
          Key: '7/processed/project/original/plan.pdf',
          CopySource: `${Bucket}/${RAW}`,
          TaggingDirective: 'REPLACE',
        }),
      ),
  ],
  ['zip reads an original', () => get('lambda-zip', RAW)],
  ['zip writes the bundle', () => put('lambda-zip', ZIP)],
  [
    'zip gives an upload up',
    async () => {
      const zip = s3('lambda-zip');
      const { UploadId } = await zip.send(new CreateMultipartUploadCommand({ Bucket, Key: ZIP }));
      await zip.send(new AbortMultipartUploadCommand({ Bucket, Key: ZIP, UploadId }));
    },
  ],
  ['MediaConvert reads a video', () => get('mediaconvert', VIDEO)],
  [
    'MediaConvert writes a rendition',
    () =>
      put('mediaconvert', '7/processed/video/horizontal/original/1-720p.mp4', {
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: key.arn,
      }),
  ],
  ['backend puts a tagged original', () => put('backend', RAW, { Tagging: 'stage=raw' })],
  ['backend reads a variant', () => get('backend', VARIANT)],
  ['backend sends a job', () => send('backend')],
  ['backend counts dead letters', () => depth('backend', deadLetters)],
  ['backend starts a finalization', () => begin('backend', finalization)],
  ['backend asks after a processing', () => describe('backend', processing)],
  ['backend asks after a finalization', () => describe('backend', finalization)],
  ['backend stops a processing', () => stop('backend', processing)],
  ['backend stops a finalization', () => stop('backend', finalization)],
  ['backend becomes project-uploads', () => assume('backend', 'project-uploads')],
  [
    'project-uploads puts a tagged project file',
    () => put('project-uploads', PROJECT, { Tagging: 'stage=raw' }),
  ],
  ['start receives jobs', () => receive('lambda-start')],
  [
    'start deletes jobs',
    () => sqs('lambda-start').send(new DeleteMessageCommand({ QueueUrl: jobs, ReceiptHandle: 'gone' })),
  ],
  ['start starts a processing', () => begin('lambda-start', processing)],
  ['callback-dispatch reads the callback secret', () => secret('lambda-callback-dispatch')],
  ['stepfunctions invokes validate', () => invoke('stepfunctions', 'validate')],
  ['stepfunctions creates a job', () => transcode('stepfunctions', 'mediaconvert')],
  ['admin deletes an object', () => remove('admin', '9/raw/photo/horizontal/none.jpg')],
  ['admin takes a dead letter', () => receive('admin', deadLetters)],
  ['admin sends a job again', () => send('admin')],
  [
    'anyone asks who he is',
    () => client(STSClient, 'lambda-consolidate').send(new GetCallerIdentityCommand({})),
  ],
];

const identity = /because no identity-based policy allows the/;
const explicit = /with an explicit deny in a resource-based policy/;

const mayNot: [string, () => Promise<unknown>, RegExp][] = [
  ['thumbnails reads a bundle', () => get('lambda-thumbnails', ZIP), identity],
  ['thumbnails reads its own variants', () => get('lambda-thumbnails', VARIANT), identity],
  ['thumbnails writes an original', () => put('lambda-thumbnails', RAW), identity],
  ['thumbnails writes a bundle', () => put('lambda-thumbnails', ZIP), identity],
  ['thumbnails deletes', () => remove('lambda-thumbnails', VARIANT), explicit],
  ['thumbnails sends to the queue', () => send('lambda-thumbnails'), identity],
  [
    'thumbnails copies the tags along',
    () =>
      s3('lambda-thumbnails').send(
        new CopyObjectCommand({ Bucket, Key: '7/processed/project/1.pdf', CopySource: `${Bucket}/${RAW}` }),
      ),
    /s3:GetObjectTagging/,
  ],
  [
    'thumbnails copies from a foreign prefix',
    () =>
      s3('lambda-thumbnails').send(
        new CopyObjectCommand({
          Bucket,
          Key: '7/processed/project/1.pdf',
          CopySource: `${Bucket}/${ZIP}`,
          TaggingDirective: 'REPLACE',
        }),
      ),
    /s3:GetObject on/,
  ],
  [
    'thumbnails lists the bucket',
    () => s3('lambda-thumbnails').send(new ListObjectsV2Command({ Bucket })),
    identity,
  ],
  ['validate writes an original', () => put('lambda-validate', RAW), identity],
  ['validate writes a variant', () => put('lambda-validate', VARIANT), identity],
  ['validate reads what was processed', () => get('lambda-validate', VARIANT), identity],
  ['zip writes outside processed/zip', () => put('lambda-zip', VARIANT), identity],
  ['zip writes an original', () => put('lambda-zip', RAW), identity],
  [
    'zip begins an upload elsewhere',
    () => s3('lambda-zip').send(new CreateMultipartUploadCommand({ Bucket, Key: VARIANT })),
    identity,
  ],
  ['MediaConvert reads a photo', () => get('mediaconvert', RAW), identity],
  ['MediaConvert writes a photo', () => put('mediaconvert', VARIANT), identity],
  ['consolidate reads', () => get('lambda-consolidate', RAW), identity],
  ['consolidate writes', () => put('lambda-consolidate', VARIANT), identity],
  ['consolidate receives', () => receive('lambda-consolidate'), identity],
  ['consolidate starts', () => begin('lambda-consolidate', finalization), identity],
  ['consolidate reads the callback secret', () => secret('lambda-consolidate'), identity],
  ['backend starts a processing by itself', () => begin('backend', processing), identity],
  [
    'backend starts a foreign machine',
    () => begin('backend', { arn: processing.arn.replace(/[^:]+$/, 'other') }),
    identity,
  ],
  [
    'backend stops a foreign execution',
    () => stop('backend', { arn: processing.arn.replace(/[^:]+$/, 'other') }),
    identity,
  ],
  ['backend deletes an object', () => remove('backend', RAW), identity],
  ['backend writes what was processed', () => put('backend', VARIANT), identity],
  [
    'backend changes the tags of what was processed',
    () =>
      s3('backend').send(
        new PutObjectTaggingCommand({
          Bucket,
          Key: VARIANT,
          Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] },
        }),
      ),
    identity,
  ],
  ['backend receives jobs', () => receive('backend'), identity],
  ['backend sends a dead letter', () => send('backend', deadLetters), identity],
  ['backend reads the callback secret by itself', () => secret('backend'), identity],
  ['backend becomes admin', () => assume('backend', 'admin'), /sts:AssumeRole/],
  ['backend becomes a function', () => assume('backend', 'lambda-zip'), /sts:AssumeRole/],
  ['backend invokes a function', () => invoke('backend', 'zip'), identity],
  ['project-uploads puts a photo', () => put('project-uploads', RAW), identity],
  ['project-uploads reads its file back', () => get('project-uploads', PROJECT), identity],
  ['project-uploads becomes backend', () => assume('project-uploads', 'backend'), /sts:AssumeRole/],
  ['start sends a job', () => send('lambda-start'), identity],
  ['start empties the dead letters', () => receive('lambda-start', deadLetters), identity],
  ['start starts a finalization', () => begin('lambda-start', finalization), identity],
  [
    'callback-dispatch reads another secret',
    () => secret('lambda-callback-dispatch', databaseSecret),
    identity,
  ],
  [
    'callback-dispatch changes its secret',
    () =>
      secrets('lambda-callback-dispatch').send(
        new PutSecretValueCommand({ SecretId: callbackSecret, SecretString: 'x' }),
      ),
    identity,
  ],
  ['callback-dispatch reads an original', () => get('lambda-callback-dispatch', RAW), identity],
  ['stepfunctions invokes start', () => invoke('stepfunctions', 'start'), identity],
  ['stepfunctions passes another role', () => transcode('stepfunctions', 'backend'), /iam:PassRole/],
  [
    'stepfunctions uses a foreign template',
    () => transcode('stepfunctions', 'mediaconvert', 'other'),
    identity,
  ],
  ['stepfunctions reads an original', () => get('stepfunctions', RAW), identity],
  ['thumbnails creates a job', () => transcode('lambda-thumbnails', 'mediaconvert'), identity],
  ['admin reads a secret', () => secret('admin'), identity],
  ['admin starts a machine', () => begin('admin', processing), identity],
  [
    'anyone publishes an alert',
    () =>
      client(SNSClient, 'backend').send(
        new PublishCommand({ TopicArn: manifest.topics[0]?.arn, Message: 'x' }),
      ),
    identity,
  ],
  ['anyone puts with AES256', () => put('backend', RAW, { ServerSideEncryption: 'AES256' }), explicit],
  [
    'anyone puts with another key',
    () =>
      put('backend', RAW, { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key.arn.replace(/.{4}$/, 'beef') }),
    explicit,
  ],
  ['admin puts with AES256', () => put('admin', RAW, { ServerSideEncryption: 'AES256' }), explicit],
];

for (const [title, attempt] of may) {
  test(`may: ${title}`, async (t) => {
    t.is(await outcome(attempt()), 'allowed');
  });
}

for (const [title, attempt, sentence] of mayNot) {
  test(`may not: ${title}`, async (t) => {
    const said = await outcome(attempt());
    t.regex(said, sentence);
    t.regex(
      said,
      /^User: arn:aws:sts::000000000000:assumed-role\/toq-media-processing-[\w-]+\/local is not authorized to perform: /,
    );
  });
}

test('a refusal is logged in the same words', async (t) => {
  const said = await outcome(get('lambda-validate', ZIP));
  t.true(activity.lines().some(({ source, text }) => source === 'iam' && `User: ${text}` === said));
  t.true(cloud.permissions().denied.some((sentence) => `User: ${sentence}` === said));
});

// before the others, which go over TLS
test.serial('nothing goes over plain HTTP, whoever asks', async (t) => {
  tls = false;
  t.teardown(() => {
    tls = true;
  });
  for (const attempt of [get('admin', RAW), put('backend', RAW), send('backend'), receive('lambda-start')]) {
    t.regex(await outcome(attempt), explicit);
  }
});

const without = (document: PolicyDocument, sid: string): PolicyDocument => ({
  ...document,
  Statement: [document.Statement].flat().filter((statement) => Object(statement).Sid !== sid),
});

test('a call to KMS is asked of the key as well, by role and by service', async (t) => {
  const { executionRoleArn, secrets: references } = manifest.container;
  const reference = references.CALLBACK_SECRET ?? '';
  const topicArn = manifest.topics[0]?.arn ?? '';
  const withKey = (...sids: string[]) =>
    createAuthority({
      declared: {
        ...manifest,
        keys: manifest.keys.map((declared) => ({
          ...declared,
          policy: sids.reduce(without, declared.policy),
        })),
      },
    });
  await t.notThrowsAsync(withKey().readSecret(executionRoleArn, reference));
  await t.notThrowsAsync(withKey().publish(topicArn));
  await t.throwsAsync(withKey('Use').readSecret(executionRoleArn, reference), {
    message: /kms:Decrypt on resource: .* because no resource-based policy allows the kms:Decrypt action$/,
  });
  await t.throwsAsync(withKey('Events').publish(topicArn), {
    message: /^User: events\.amazonaws\.com .*kms:/,
  });
});

test('a topic lets EventBridge publish, a role lets its own service act as it, and both nobody else', async (t) => {
  const authority = createAuthority({ declared: manifest });
  const closed = createAuthority({
    declared: {
      ...manifest,
      topics: manifest.topics.map((topic) => ({
        ...topic,
        ...(topic.policy && { policy: without(topic.policy, 'Events') }),
      })),
    },
  });
  await t.throwsAsync(closed.publish(manifest.topics[0]?.arn ?? ''), { message: /sns:Publish/ });
  await t.notThrowsAsync(authority.assume('lambda.amazonaws.com', roleArn('lambda-zip')));
  await t.throwsAsync(authority.assume('lambda.amazonaws.com', roleArn('backend')), {
    message: /sts:AssumeRole/,
  });
  await t.throwsAsync(authority.assume('mediaconvert.amazonaws.com', roleArn('stepfunctions')), {
    message: /sts:AssumeRole/,
  });
});

test('a log group takes the events of its own rule, as long as the program lets EventBridge write there', async (t) => {
  const targets = manifest.rules.flatMap((rule) => rule.targets.map(({ arn }) => ({ rule: rule.arn, arn })));
  const kept = targets.find(({ arn }) => arn.startsWith('arn:aws:logs:'));
  if (!kept) throw new Error('no rule has a log group for a target');
  const another = manifest.rules.find(({ arn }) => arn !== kept.rule)?.arn ?? '';
  const authority = createAuthority({ declared: manifest });
  await t.notThrowsAsync(authority.logEvent(kept.arn, kept.rule));
  await t.throwsAsync(authority.logEvent(kept.arn, another), { message: /logs:PutLogEvents on resource: / });
  await t.throwsAsync(authority.logEvent(`${kept.arn}-another`, kept.rule), {
    message: /logs:CreateLogStream/,
  });
  const closed = createAuthority({ declared: { ...manifest, logPolicies: [] } });
  await t.throwsAsync(closed.logEvent(kept.arn, kept.rule), { message: /logs:CreateLogStream/ });
});

test('the callback route is for callback-dispatch alone', async (t) => {
  const call = async (role: string) => {
    const signer = new SignatureV4({
      service: 'execute-api',
      region: manifest.region,
      credentials: as(role).credentials,
      sha256: Sha256,
    });
    const { hostname, port, host, origin } = new URL(cloud.gatewayUrl);
    const signed = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname,
      port: Number(port),
      path: '/media-processing/callback',
      headers: { host, 'content-type': 'application/json' },
      body: '{}',
      query: {},
    });
    const { host: _, ...headers } = signed.headers;
    return (await fetch(`${origin}${signed.path}`, { method: 'POST', headers, body: '{}' })).status;
  };
  // there is no service behind the gateway here
  t.is(await call('lambda-callback-dispatch'), 503);
  t.is(await call('lambda-zip'), 403);
  t.is(await call('backend'), 403);
});

test('who may not list is not told whether an object is there; who may is', async (t) => {
  const missing = await t.throwsAsync(get('lambda-validate', '7/raw/photo/horizontal/none.jpg'));
  t.is(missing?.name, 'NoSuchKey');
  const hidden = await t.throwsAsync(get('mediaconvert', '7/raw/video/horizontal/none.mp4'));
  t.is(hidden?.name, 'AccessDenied');
  t.regex(String(hidden?.message), /s3:ListBucket/);
});

test('a presigned upload may do what its signer may, and its tags need a permission of their own', async (t) => {
  const url = async (role: string, Tagging?: string) =>
    getSignedUrl(s3(role), new PutObjectCommand({ Bucket, Key: PROJECT, ...(Tagging && { Tagging }) }), {
      unhoistableHeaders: new Set(['x-amz-tagging']),
    });
  const status = async (address: string, headers: Record<string, string> = {}) =>
    (await fetch(address, { method: 'PUT', body: 'x', headers })).status;
  const tagged = { 'x-amz-tagging': 'stage=raw' };
  t.is(await status(await url('project-uploads')), 200);
  t.is(await status(await url('project-uploads', 'stage=raw'), tagged), 200);
  t.is(await status(await url('lambda-zip')), 403);
  t.is(await status(await url('mediaconvert', 'stage=raw'), tagged), 403);
});

test('a presigned URL is refused when it is older than ours live, however long it says it lives', async (t) => {
  const MINUTE = 60_000;
  const signed = (minutesAgo: number) => ({
    expiresIn: 6 * 3600,
    signingDate: new Date(Date.now() - minutesAgo * MINUTE),
  });
  const upload = async (minutesAgo: number) => {
    const url = await getSignedUrl(
      s3('project-uploads'),
      new PutObjectCommand({ Bucket, Key: PROJECT }),
      signed(minutesAgo),
    );
    return (await fetch(url, { method: 'PUT', body: 'x' })).status;
  };
  const download = async (minutesAgo: number) => {
    const url = await getSignedUrl(
      s3('backend'),
      new GetObjectCommand({ Bucket, Key: VARIANT }),
      signed(minutesAgo),
    );
    return (await fetch(url)).status;
  };
  t.deepEqual([await upload(14), await upload(16)], [200, 403]);
  t.deepEqual([await download(59), await download(61)], [200, 403]);
});

test('of several objects to delete, each refused one is named', async (t) => {
  const { Errors, Deleted } = await s3('backend').send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: RAW }, { Key: VARIANT }] } }),
  );
  t.is(Deleted, undefined);
  t.deepEqual(
    Errors?.map(({ Key, Code }) => [Key, Code]),
    [
      [RAW, 'AccessDenied'],
      [VARIANT, 'AccessDenied'],
    ],
  );
  t.is(await outcome(get('backend', RAW)), 'allowed');
  t.regex(await outcome(s3('lambda-zip').send(new GetObjectTaggingCommand({ Bucket, Key: RAW }))), identity);
});
