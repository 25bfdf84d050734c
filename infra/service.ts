import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Database } from './database.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { backend, type EncryptedBucket, execution, projectUploads } from './permissions.ts';
import { trustRole, trustService } from './policies.ts';
import { Role } from './role.ts';
import { containerDefinitions, migrationDefinitions, settingsEnvironment } from './service-container.ts';

export interface ServiceArgs extends Foundation {
  settings: Settings;
  database: Database;
  /** The container's, by digest. */
  image: pulumi.Input<string>;
  /** Of the repository that the image is in. */
  repositoryArn: pulumi.Input<string>;
  bucket: EncryptedBucket;
  mediaBucket: pulumi.Input<string>;
  queue: { arn: pulumi.Input<string>; url: pulumi.Input<string>; deadLetterArn: pulumi.Input<string> };
  processingMachineArn: pulumi.Input<string>;
  finalizationMachineArn: pulumi.Input<string>;
  callbackSecretArn: pulumi.Input<string>;
}

/** The Koa API and its workers as an ECS task: its roles, its container, its log; and the task that migrates the schema. */
export class Service extends pulumi.ComponentResource {
  readonly taskDefinitionArn: pulumi.Output<string>;
  readonly migrationsTaskDefinitionArn: pulumi.Output<string>;
  readonly backendRoleArn: pulumi.Output<string>;
  readonly projectUploadsRoleArn: pulumi.Output<string>;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Service', name, {}, opts);
    const { names, account, settings, database } = args;

    const backendRoleArn = `arn:aws:iam::${account.id}:role/${names.role('backend')}`;
    const projectUploadsRoleArn = `arn:aws:iam::${account.id}:role/${names.role('project-uploads')}`;
    const backendRole = new Role(
      `${name}-backend-role`,
      {
        name: names.role('backend'),
        description: 'The service',
        trust: trustService('ecs-tasks.amazonaws.com', account.id),
        permissions: backend(account, {
          bucket: args.bucket,
          queueArn: args.queue.arn,
          deadLetterQueueArn: args.queue.deadLetterArn,
          finalizationMachineArn: args.finalizationMachineArn,
          executionArns: [args.processingMachineArn, args.finalizationMachineArn].map(executionsOf),
          projectUploadsRoleArn,
        }),
      },
      { parent: this },
    );
    // the two name each other; IAM refuses a trusted principal that does not exist, but not a resource
    const projectUploadsRole = new Role(
      `${name}-project-uploads-role`,
      {
        name: names.role('project-uploads'),
        description: "Signs the owner's uploads of project files",
        trust: trustRole(backendRoleArn),
        permissions: projectUploads(account, args.bucket),
      },
      { parent: this, dependsOn: backendRole },
    );

    const logs = logGroup(name, names.serviceLogs, args, { parent: this });
    const executionRole = new Role(
      `${name}-execution-role`,
      {
        name: names.role('execution'),
        description: 'ECS starts the service',
        trust: trustService('ecs-tasks.amazonaws.com', account.id),
        permissions: execution(account, {
          imageRepositoryArn: args.repositoryArn,
          logGroupArn: logs.arn,
          secretArns: [args.callbackSecretArn, database.credentialsArn],
          keyArn: args.bucket.keyArn,
        }),
      },
      { parent: this },
    );

    const { port } = settings.service;
    const container = { image: args.image, region: account.region, logGroup: logs.name };
    const databaseSecrets = {
      DATABASE_USER: pulumi.interpolate`${database.credentialsArn}:username::`,
      DATABASE_PASSWORD: pulumi.interpolate`${database.credentialsArn}:password::`,
    };
    const fromSettings = { ...settingsEnvironment(settings), DATABASE_HOST: database.host };
    const task = new aws.ecs.TaskDefinition(
      name,
      {
        ...FARGATE,
        family: names.service,
        cpu: String(settings.service.cpu),
        memory: String(settings.service.memoryMiB),
        taskRoleArn: backendRole.arn,
        executionRoleArn: executionRole.arn,
        containerDefinitions: containerDefinitions({
          ...container,
          port,
          environment: {
            ...fromSettings,
            MEDIA_BUCKET: args.mediaBucket,
            QUEUE_URL: args.queue.url,
            PROCESSING_STATE_MACHINE_ARN: args.processingMachineArn,
            FINALIZATION_STATE_MACHINE_ARN: args.finalizationMachineArn,
            PROJECT_UPLOADS_ROLE_ARN: projectUploadsRole.arn,
          },
          secrets: { ...databaseSecrets, CALLBACK_SECRET: args.callbackSecretArn },
        }),
      },
      { parent: this },
    );
    const { DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_TLS, DATABASE_TLS_CA } = fromSettings;
    // no task role: it calls nothing of AWS
    const migrations = new aws.ecs.TaskDefinition(
      `${name}-migrations`,
      {
        ...FARGATE,
        family: names.serviceMigrations,
        cpu: '256',
        memory: '512',
        executionRoleArn: executionRole.arn,
        containerDefinitions: migrationDefinitions({
          ...container,
          environment: { DATABASE_HOST, DATABASE_PORT, DATABASE_NAME, DATABASE_TLS, DATABASE_TLS_CA },
          secrets: databaseSecrets,
        }),
      },
      { parent: this },
    );

    this.taskDefinitionArn = task.arn;
    this.migrationsTaskDefinitionArn = migrations.arn;
    this.backendRoleArn = backendRole.arn;
    this.projectUploadsRoleArn = projectUploadsRole.arn;
    this.registerOutputs({
      taskDefinitionArn: this.taskDefinitionArn,
      migrationsTaskDefinitionArn: this.migrationsTaskDefinitionArn,
      backendRoleArn: this.backendRoleArn,
      projectUploadsRoleArn: this.projectUploadsRoleArn,
    });
  }
}

const FARGATE = {
  requiresCompatibilities: ['FARGATE'],
  networkMode: 'awsvpc',
  runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: 'ARM64' },
};

/** `arn:…:stateMachine:name` → `arn:…:execution:name:*`. */
const executionsOf = (machineArn: pulumi.Input<string>) =>
  pulumi.output(machineArn).apply((arn) => `${arn.replace(':stateMachine:', ':execution:')}:*`);
