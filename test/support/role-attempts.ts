import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateJobCommand, MediaConvertClient } from '@aws-sdk/client-mediaconvert';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { Manifest } from '../../local/graph/manifest.ts';
import type { DeclaredCloud } from './declared-cloud.ts';

export const RAW = '7/raw/photo/horizontal/1.jpg';
export const VIDEO = '7/raw/video/horizontal/1.mp4';
export const VARIANT = '7/processed/photo/large/1.jpg';
export const ZIP = '7/processed/zip/listing-media.zip';
export const PROJECT = '7/raw/project/plan.pdf';

/** How AWS ends a refusal: nothing of the role's allows it, or a resource's own policy denies it. */
export const identity = /because no identity-based policy allows the/;
export const explicit = /with an explicit deny in a resource-based policy/;

/** `allowed`, whatever else came of it; or AWS's sentence, of which a HEAD has only the status. */
export async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'allowed';
  } catch (error) {
    if (!(error instanceof Error) || !('$metadata' in error)) throw error;
    const { httpStatusCode } = error.$metadata as { httpStatusCode?: number }; // every exception of the SDK has it
    return /AccessDenied/.test(error.name) || httpStatusCode === 403 ? error.message : 'allowed';
  }
}

const named = <T extends { name: string; arn: string }>(list: T[], part: string): T => {
  const found = list.find(({ name }) => name.includes(part));
  if (!found) throw new Error(`nothing declared is called ${part}`);
  return found;
};

/** What a role may want something of. */
function resources(manifest: Manifest) {
  const [key] = manifest.keys;
  if (!key) throw new Error('no key is declared');
  const callbackSecret = named(manifest.secrets, 'callback').arn;
  return {
    Bucket: named(manifest.buckets, 'medias').name,
    key,
    jobs: manifest.queues.find(({ name }) => !name.includes('dlq'))?.url ?? '',
    deadLetters: named(manifest.queues, 'dlq').url,
    processing: named(manifest.stateMachines, 'processing'),
    finalization: named(manifest.stateMachines, 'finalization'),
    callbackSecret,
    databaseSecret: manifest.secrets.find(({ arn }) => arn !== callbackSecret)?.arn ?? '',
  };
}

/** What the tests of permissions let the declared roles try. */
export function roleAttempts({ manifest, client, roleArn }: DeclaredCloud) {
  const declared = resources(manifest);
  const { Bucket, jobs, callbackSecret } = declared;
  const s3 = (role: string) => client(S3Client, role);
  const sqs = (role: string) => client(SQSClient, role);
  const states = (role: string) => client(SFNClient, role);
  const secrets = (role: string) => client(SecretsManagerClient, role);
  const execution = ({ arn }: { arn: string }) => `${arn.replace(':stateMachine:', ':execution:')}:none`;
  const put = (role: string, Key: string, more: Partial<PutObjectCommandInput> = {}) =>
    s3(role).send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...more }));

  return {
    ...declared,
    s3,
    sqs,
    secrets,
    put,
    /** Puts there what is read. */
    async fill() {
      for (const key of [RAW, VIDEO, VARIANT, ZIP]) await put('admin', key);
    },
    get: (role: string, Key: string) => s3(role).send(new GetObjectCommand({ Bucket, Key })),
    head: (role: string, Key: string) =>
      s3(role).send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })),
    remove: (role: string, Key: string) => s3(role).send(new DeleteObjectCommand({ Bucket, Key })),
    send: (role: string, QueueUrl = jobs) =>
      sqs(role).send(new SendMessageCommand({ QueueUrl, MessageBody: '{}' })),
    receive: (role: string, QueueUrl = jobs) => sqs(role).send(new ReceiveMessageCommand({ QueueUrl })),
    depth: (role: string, QueueUrl: string) =>
      sqs(role).send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })),
    begin: (role: string, machine: { arn: string }) =>
      states(role).send(new StartExecutionCommand({ stateMachineArn: machine.arn, input: '{}' })),
    describe: (role: string, machine: { arn: string }) =>
      states(role).send(new DescribeExecutionCommand({ executionArn: execution(machine) })),
    stop: (role: string, machine: { arn: string }) =>
      states(role).send(new StopExecutionCommand({ executionArn: execution(machine) })),
    secret: (role: string, SecretId = callbackSecret) =>
      secrets(role).send(new GetSecretValueCommand({ SecretId })),
    invoke: (role: string, part: string) =>
      client(LambdaClient, role).send(
        new InvokeCommand({ FunctionName: named(manifest.functions, part).name, InvocationType: 'DryRun' }),
      ),
    assume: (role: string, wanted: string) =>
      client(STSClient, role).send(
        new AssumeRoleCommand({ RoleArn: roleArn(wanted), RoleSessionName: 'test-session' }),
      ),
    transcode: (role: string, passed: string, jobTemplate = manifest.mediaConvert.jobTemplates[0]?.name) =>
      client(MediaConvertClient, role).send(
        new CreateJobCommand({
          Role: roleArn(passed),
          Queue: manifest.mediaConvert.queues[0]?.arn,
          JobTemplate: jobTemplate,
          // refused as input, once the role has been found to be allowed
          Settings: { Inputs: [] },
        }),
      ),
  };
}
