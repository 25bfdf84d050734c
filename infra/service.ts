import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { backend, type EncryptedBucket, execution, projectUploads } from './permissions.ts';
import { trustRole, trustService } from './policies.ts';
import { Role } from './role.ts';
import { containerDefinitions, settingsEnvironment } from './service-container.ts';

export interface ServiceArgs extends Foundation {
  settings: Settings;
  bucket: EncryptedBucket;
  mediaBucket: pulumi.Input<string>;
  queue: { arn: pulumi.Input<string>; url: pulumi.Input<string>; deadLetterArn: pulumi.Input<string> };
  processingMachineArn: pulumi.Input<string>;
  finalizationMachineArn: pulumi.Input<string>;
  callbackSecretArn: pulumi.Input<string>;
}

/** The Koa API and its workers as an ECS task: its roles, its container, its log. Fargate runs it (cluster to come). */
export class Service extends pulumi.ComponentResource {
  readonly taskDefinitionArn: pulumi.Output<string>;
  readonly backendRoleArn: pulumi.Output<string>;
  readonly projectUploadsRoleArn: pulumi.Output<string>;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Service', name, {}, opts);
    const { names, account, settings } = args;

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

    // given by configuration, so that a wrong ARN stops the preview and not the first task
    const credentials = aws.secretsmanager.Secret.get(
      `${name}-database`,
      settings.database.credentialsSecretArn,
      undefined,
      { parent: this },
    );
    const logs = logGroup(name, names.serviceLogs, args, { parent: this });
    const executionRole = new Role(
      `${name}-execution-role`,
      {
        name: names.role('execution'),
        description: 'ECS starts the service',
        trust: trustService('ecs-tasks.amazonaws.com', account.id),
        permissions: execution(account, {
          imageRepositoryArn: repositoryArn(settings.service.image, account),
          logGroupArn: logs.arn,
          secretArns: [args.callbackSecretArn, credentials.arn],
          keyArn: args.bucket.keyArn,
        }),
      },
      { parent: this },
    );

    const task = new aws.ecs.TaskDefinition(
      name,
      {
        family: names.service,
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: 'ARM64' },
        cpu: String(settings.service.cpu),
        memory: String(settings.service.memoryMiB),
        taskRoleArn: backendRole.arn,
        executionRoleArn: executionRole.arn,
        containerDefinitions: containerDefinitions({
          name: 'service',
          image: settings.service.image,
          port: settings.service.port,
          region: account.region,
          logGroup: logs.name,
          environment: {
            ...settingsEnvironment(settings),
            MEDIA_BUCKET: args.mediaBucket,
            QUEUE_URL: args.queue.url,
            PROCESSING_STATE_MACHINE_ARN: args.processingMachineArn,
            FINALIZATION_STATE_MACHINE_ARN: args.finalizationMachineArn,
            PROJECT_UPLOADS_ROLE_ARN: projectUploadsRole.arn,
          },
          secrets: {
            DATABASE_USER: pulumi.interpolate`${credentials.arn}:username::`,
            DATABASE_PASSWORD: pulumi.interpolate`${credentials.arn}:password::`,
            CALLBACK_SECRET: args.callbackSecretArn,
          },
        }),
      },
      { parent: this },
    );

    this.taskDefinitionArn = task.arn;
    this.backendRoleArn = backendRole.arn;
    this.projectUploadsRoleArn = projectUploadsRole.arn;
    this.registerOutputs({
      taskDefinitionArn: this.taskDefinitionArn,
      backendRoleArn: this.backendRoleArn,
      projectUploadsRoleArn: this.projectUploadsRoleArn,
    });
  }
}

/** `arn:…:stateMachine:name` → `arn:…:execution:name:*`. */
const executionsOf = (machineArn: pulumi.Input<string>) =>
  pulumi.output(machineArn).apply((arn) => `${arn.replace(':stateMachine:', ':execution:')}:*`);

/** ARN of the repository that an image of this account's registry is pulled from. */
function repositoryArn(image: string, account: { id: string; region: string }) {
  const repository = image.replace(/@.*$/, '').replace(/^[^/]*\.amazonaws\.com\//, '');
  return `arn:aws:ecr:${account.region}:${account.id}:repository/${repository}`;
}
