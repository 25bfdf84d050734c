/**
 * The whole stack on one page: a photographer's files go into the bucket, a message into the queue, the functions and
 * MediaConvert do the work in two state machines, and the service learns of it by a signed callback.
 */
import * as aws from '@pulumi/aws';
import type { Environment } from '../lambdas/config.ts';
import { Alerts } from './alerts.ts';
import { CallbackSecret } from './callback-secret.ts';
import { loadSettings } from './config.ts';
import { Encryption } from './encryption.ts';
import { HttpApi } from './http-api.ts';
import { Intake } from './intake.ts';
import type { Late } from './media-function.ts';
import { namesOf, type RolePart } from './names.ts';
import { admin } from './permissions.ts';
import { trustPeople } from './policies.ts';
import { Queues } from './queues.ts';
import { Role } from './role.ts';
import { Service } from './service.ts';
import { StateMachines } from './state-machines.ts';
import { Storage } from './storage.ts';
import { Tasks } from './tasks.ts';
import { TranscodeEvents } from './transcode-events.ts';
import { Transcoding } from './transcoding.ts';

/** Roles whose work touches encrypted objects, messages or secrets. */
const KEY_USERS: RolePart[] = [
  'backend',
  'execution',
  'lambda-start',
  'lambda-validate',
  'lambda-thumbnails',
  'lambda-zip',
  'lambda-callback-dispatch',
  'mediaconvert',
  'project-uploads',
  'admin',
];

/** Declares the resources of the selected stack and answers what its users need to know. */
export default async function stack() {
  const settings = loadSettings();
  const { account, environment, media, protectData: protect } = settings;
  const names = namesOf(environment);
  const roleArn = (part: RolePart) => `arn:aws:iam::${account.id}:role/${names.role(part)}`;

  const provider = new aws.Provider('aws', {
    region: account.region,
    allowedAccountIds: [account.id],
    defaultTags: { tags: { Project: 'toq-media', Environment: environment, ManagedBy: 'pulumi' } },
  });
  const opts = { provider };

  const { keyArn, keyId } = new Encryption(
    'encryption',
    { alias: names.key, account, users: KEY_USERS.map(roleArn), protect },
    opts,
  );
  const logs = { retentionDays: settings.logs.retentionDays, keyArn };

  const storage = new Storage(
    'storage',
    {
      mediaBucket: media.bucket,
      logsBucket: names.logsBucket,
      account,
      keyArn,
      frontendOrigins: media.frontendOrigins,
      deleters: [roleArn('backend'), roleArn('admin')],
      archiveRawAfterDays: media.archiveRawAfterDays,
      keepNoncurrentDays: media.keepNoncurrentDays,
      accessLogDays: settings.logs.accessLogDays,
      protect,
    },
    opts,
  );
  const bucket = { arn: storage.mediaBucketArn, keyArn };
  const queues = new Queues(
    'queues',
    { queue: names.queue, deadLetterQueue: names.deadLetterQueue, keyArn },
    opts,
  );
  const alerts = new Alerts(
    'alerts',
    { topic: names.alerts, accountId: account.id, keyArn, email: settings.alerts.email },
    opts,
  );
  const callbackSecret = new CallbackSecret(
    'callback-secret',
    { secret: names.callbackSecret, value: settings.callbackSecret, keyArn },
    opts,
  );
  const api = new HttpApi(
    'api',
    { api: names.api, logGroup: names.apiLogs, logs, ingress: settings.ingress },
    opts,
  );

  const transcoding = new Transcoding(
    'transcoding',
    {
      queue: names.transcodeQueue,
      jobTemplate: names.jobTemplate,
      role: names.role('mediaconvert'),
      account,
      bucket,
    },
    opts,
  );
  const transcodeEvents = new TranscodeEvents(
    'transcode-events',
    {
      rule: names.transcodeRule,
      errorRule: names.transcodeErrorRule,
      logGroup: names.transcodeEventLogs,
      logs,
      queueArn: transcoding.queueArn,
      alertsTopicArn: alerts.topicArn,
    },
    opts,
  );

  const common: Late<Environment<'validate'>> = {
    ENV: environment,
    MEDIA_BUCKET: storage.mediaBucket,
    TRACE_HEADER_KEY: 'traceparent',
  };
  const tasks = new Tasks(
    'tasks',
    {
      names,
      account,
      logs,
      common,
      bucket,
      callback: { url: api.callbackUrl, routeArn: api.callbackRouteArn, secretArn: callbackSecret.arn },
    },
    opts,
  );
  const machines = new StateMachines(
    'state-machines',
    { names, account, logs, tasks: tasks.arns, transcoding },
    opts,
  );
  const intake = new Intake(
    'intake',
    {
      names,
      account,
      logs,
      environment: { ...common, PROCESSING_STATE_MACHINE_ARN: machines.processingArn },
      queueArn: queues.arn,
      keyArn,
    },
    opts,
  );

  const service = new Service(
    'service',
    {
      names,
      settings,
      logs,
      bucket,
      mediaBucket: storage.mediaBucket,
      queue: queues,
      processingMachineArn: machines.processingArn,
      finalizationMachineArn: machines.finalizationArn,
      callbackSecretArn: callbackSecret.arn,
    },
    opts,
  );
  const adminRole = new Role(
    'admin-role',
    {
      name: names.role('admin'),
      description: 'Break-glass: manual access to the media bucket and the queues',
      trust: trustPeople(account.id),
      permissions: admin(account, bucket, [queues.arn, queues.deadLetterArn]),
    },
    opts,
  );

  return {
    kmsKeyId: keyId,
    kmsKeyArn: keyArn,
    kmsKeyAlias: names.key,
    mediaBucket: storage.mediaBucket,
    mediaBucketArn: storage.mediaBucketArn,
    logsBucket: storage.logsBucket,
    queueArn: queues.arn,
    queueUrl: queues.url,
    deadLetterQueueArn: queues.deadLetterArn,
    deadLetterQueueUrl: queues.deadLetterUrl,
    processingStateMachineArn: machines.processingArn,
    finalizationStateMachineArn: machines.finalizationArn,
    functionArns: { start: intake.functionArn, ...tasks.arns },
    mediaConvertQueueArn: transcoding.queueArn,
    jobTemplateArns: {
      horizontal: transcoding.horizontalTemplateArn,
      vertical: transcoding.verticalTemplateArn,
    },
    mediaConvertRuleArn: transcodeEvents.ruleArn,
    alertsTopicArn: alerts.topicArn,
    callbackSecretArn: callbackSecret.arn,
    apiEndpoint: api.endpoint,
    callbackUrl: api.callbackUrl,
    roleArns: {
      backend: service.backendRoleArn,
      projectUploads: service.projectUploadsRoleArn,
      stepfunctions: machines.roleArn,
      mediaconvert: transcoding.roleArn,
      admin: adminRole.arn,
    },
    taskDefinitionArn: service.taskDefinitionArn,
  };
}
