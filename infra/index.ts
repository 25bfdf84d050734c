/**
 * The whole stack on one page: a photographer's files go into the bucket, a message into the queue, the functions and
 * MediaConvert do the work in two state machines, and the service learns of it by a signed callback.
 */
import * as aws from '@pulumi/aws';
import type { Environment } from '../lambdas/config.ts';
import { Admin } from './admin.ts';
import { Alarms } from './alarms.ts';
import { Alerts } from './alerts.ts';
import { CallbackSecret } from './callback-secret.ts';
import { loadSettings } from './config.ts';
import { Dashboard } from './dashboard.ts';
import { Encryption } from './encryption.ts';
import { Entrance } from './entrance.ts';
import { Hosting } from './hosting.ts';
import { Intake } from './intake.ts';
import type { Late } from './media-function.ts';
import { functionsOf, namesOf, type RolePart } from './names.ts';
import { Queues } from './queues.ts';
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
  const foundation = { names, account, keyArn, logRetentionDays: settings.logs.retentionDays };

  const storage = new Storage(
    'storage',
    {
      ...foundation,
      mediaBucket: media.bucket,
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
  const queues = new Queues('queues', foundation, opts);
  const alerts = new Alerts('alerts', { ...foundation, email: settings.alerts.email }, opts);
  const secret = new CallbackSecret(
    'callback-secret',
    { ...foundation, value: settings.callbackSecret },
    opts,
  );
  const entrance = new Entrance(
    'entrance',
    { ...foundation, settings, logsBucket: storage.logsBucket },
    opts,
  );
  const { api } = entrance;

  const transcoding = new Transcoding('transcoding', { ...foundation, bucket }, opts);
  const transcodeEvents = new TranscodeEvents(
    'transcode-events',
    { ...foundation, queueArn: transcoding.queueArn, alertsTopicArn: alerts.topicArn },
    opts,
  );

  const common: Late<Environment<'validate'>> = {
    ENV: environment,
    MEDIA_BUCKET: storage.mediaBucket,
    TRACE_HEADER_KEY: 'traceparent',
  };
  const callback = { url: api.callbackUrl, routeArn: api.callbackRouteArn, secretArn: secret.arn };
  const tasks = new Tasks('tasks', { ...foundation, common, bucket, callback }, opts);
  const machines = new StateMachines(
    'state-machines',
    { ...foundation, tasks: tasks.arns, transcoding },
    opts,
  );
  const intake = new Intake(
    'intake',
    {
      ...foundation,
      environment: { ...common, PROCESSING_STATE_MACHINE_ARN: machines.processingArn },
      queueArn: queues.arn,
    },
    opts,
  );

  const { service, registry, image, fargate, database } = new Hosting(
    'hosting',
    {
      ...foundation,
      settings,
      entrance,
      bucket,
      mediaBucket: storage.mediaBucket,
      queue: queues,
      processingMachineArn: machines.processingArn,
      finalizationMachineArn: machines.finalizationArn,
      callbackSecretArn: secret.arn,
    },
    opts,
  );
  const watched = {
    environment,
    processingMachineArn: machines.processingArn,
    finalizationMachineArn: machines.finalizationArn,
    queue: names.queue,
    deadLetterQueue: names.deadLetterQueue,
    functions: functionsOf(names),
    transcodeQueueArn: transcoding.queueArn,
    apiId: api.id,
    loadBalancer: entrance.loadBalancer,
    cluster: fargate.clusterName,
    service: fargate.serviceName,
    database: database.instanceName,
  };
  new Alarms('alarms', { ...foundation, topicArn: alerts.topicArn, watched }, opts);
  new Dashboard('dashboard', { ...foundation, watched }, opts);
  const admin = new Admin(
    'admin',
    { ...foundation, bucket, queueArns: [queues.arn, queues.deadLetterArn] },
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
    callbackSecretArn: secret.arn,
    apiEndpoint: api.endpoint,
    callbackUrl: api.callbackUrl,
    roleArns: {
      backend: service.backendRoleArn,
      projectUploads: service.projectUploadsRoleArn,
      stepfunctions: machines.roleArn,
      mediaconvert: transcoding.roleArn,
      admin: admin.roleArn,
    },
    taskDefinitionArn: service.taskDefinitionArn,
    repositoryUrl: registry.repositoryUrl,
    image,
    clusterName: fargate.clusterName,
    serviceName: fargate.serviceName,
    // what `aws ecs run-task` takes
    migrations: {
      taskDefinition: service.migrationsTaskDefinitionArn,
      subnets: entrance.network.privateSubnetIds,
      securityGroup: entrance.network.securityGroups.service,
    },
  };
}
