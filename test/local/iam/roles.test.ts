import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { DeleteMessageCommand } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import { openDeclaredCloud } from '../../support/declared-cloud.ts';
import {
  explicit,
  identity,
  outcome,
  PROJECT,
  RAW,
  roleAttempts,
  VARIANT,
  VIDEO,
  ZIP,
} from '../../support/role-attempts.ts';

const cloud = await openDeclaredCloud();
test.after.always(cloud.close);
const { manifest, client } = cloud;
const {
  Bucket,
  assume,
  begin,
  databaseSecret,
  callbackSecret,
  deadLetters,
  depth,
  describe,
  fill,
  finalization,
  get,
  head,
  invoke,
  jobs,
  key,
  processing,
  put,
  receive,
  remove,
  s3,
  secret,
  secrets,
  send,
  sqs,
  stop,
  transcode,
} = roleAttempts(cloud);
test.before(fill);

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
