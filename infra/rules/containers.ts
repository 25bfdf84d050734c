import { at, type Declared, list, logGroupNamed, type Rule, statements, unless } from './rule.ts';
import { openSecrets } from './secret-names.ts';

const TASK = 'ecs/taskDefinition:TaskDefinition';
const SERVICE = 'ecs/service:Service';
const REPOSITORY = 'ecr/repository:Repository';

const containers = ({ inputs }: Declared) => list(JSON.parse(String(inputs.containerDefinitions)));
const eachContainer =
  (holds: (container: unknown, task: Declared) => unknown, fault: string) => (task: Declared) =>
    containers(task).flatMap((container) =>
      unless(holds(container, task), `${at(container, 'name')}: ${fault}`),
    );

/** Rules for containers, their services and their images. */
export const containerRules: Rule[] = [
  {
    id: 'ECS2',
    meaning: 'a container has no environment variables in clear',
    of: [TASK],
    faults: eachContainer(
      (container) => list(at(container, 'environment')).length === 0,
      'has variables in its task definition',
    ),
  },
  {
    id: 'ECS.8',
    meaning: "no secret's value stands among a container's plain variables",
    of: [TASK],
    faults: (task) =>
      containers(task).flatMap((container) =>
        openSecrets(list(at(container, 'environment')).map((variable) => String(at(variable, 'name')))).map(
          (name) => `${name} is in clear`,
        ),
      ),
  },
  {
    id: 'ECS4',
    also: ['ECS.12'],
    meaning: 'a cluster has Container Insights',
    of: ['ecs/cluster:Cluster'],
    faults: ({ inputs }) =>
      unless(
        list(inputs.settings).some(
          (setting) =>
            at(setting, 'name') === 'containerInsights' &&
            ['enabled', 'enhanced'].includes(String(at(setting, 'value'))),
        ),
        'no Container Insights',
      ),
  },
  {
    id: 'ECS7',
    also: ['ECS.9'],
    meaning: 'a container logs to a declared log group',
    of: [TASK],
    faults: (task, estate) =>
      containers(task).flatMap((container) =>
        unless(
          at(container, 'logConfiguration.logDriver') === 'awslogs' &&
            logGroupNamed(
              Reflect.get(Object(at(container, 'logConfiguration.options')), 'awslogs-group'),
              estate,
            ).length === 1,
          `${at(container, 'name')}: no declared log group`,
        ),
      ),
  },
  {
    id: 'ECS.2',
    meaning: 'a service has no public address',
    of: [SERVICE],
    faults: ({ inputs }) =>
      unless(
        list(at(inputs, 'networkConfiguration.subnets')).length > 0 &&
          at(inputs, 'networkConfiguration.assignPublicIp') !== true,
        'has a public address',
      ),
  },
  {
    id: 'ECS.10',
    meaning: 'a service runs on the newest platform',
    of: [SERVICE],
    faults: ({ inputs }) => unless((inputs.platformVersion ?? 'LATEST') === 'LATEST', 'an old platform'),
  },
  {
    id: 'ECS.4',
    also: ['ECS.20'],
    meaning: 'a container is not privileged, and not root',
    of: [TASK],
    faults: eachContainer(
      (container) => at(container, 'privileged') !== true && /^[1-9]\d*/.test(String(at(container, 'user'))),
      'privileged or root',
    ),
  },
  {
    id: 'ECS.5',
    meaning: "a container's root file system is read-only",
    of: [TASK],
    faults: eachContainer((container) => at(container, 'readonlyRootFilesystem') === true, 'writable'),
  },
  {
    id: 'ECS.1',
    also: ['ECS.17'],
    meaning: 'a task has a network of its own',
    of: [TASK],
    faults: ({ inputs }) => unless(inputs.networkMode === 'awsvpc', "shares the host's network"),
  },
  {
    id: 'ECS.3',
    meaning: "a task does not see the host's processes",
    of: [TASK],
    faults: ({ inputs }) => unless(inputs.pidMode !== 'host', "shares the host's processes"),
  },
  {
    id: 'TOQ-ECS-ROLES',
    meaning: 'a task has one role to run with and another to be started with',
    of: [TASK],
    faults: ({ inputs }, estate) =>
      unless(
        estate.byArn(inputs.taskRoleArn) &&
          estate.byArn(inputs.executionRoleArn) &&
          inputs.taskRoleArn !== inputs.executionRoleArn,
        'one role for both',
      ),
  },
  {
    id: 'TOQ-ECS-IMAGE',
    meaning: 'a container is named by digest and has a health check',
    of: [TASK],
    faults: eachContainer(
      (container) =>
        /@sha256:[0-9a-f]{64}$/.test(String(at(container, 'image'))) &&
        list(at(container, 'healthCheck.command')).length > 0,
      'an image that can change, or no health check',
    ),
  },
  {
    id: 'TOQ-ECS-ROLLBACK',
    meaning: 'a deployment that fails is rolled back, and never takes capacity away',
    of: [SERVICE],
    faults: ({ inputs }) => [
      ...unless(
        at(inputs, 'deploymentCircuitBreaker.enable') === true &&
          at(inputs, 'deploymentCircuitBreaker.rollback') === true,
        'not rolled back',
      ),
      ...unless(Number(inputs.deploymentMinimumHealthyPercent ?? 100) >= 100, 'takes capacity away'),
    ],
  },
  {
    id: 'ECR1',
    meaning: 'a repository is not open to everybody',
    of: [REPOSITORY],
    faults: (repository, estate) =>
      unless(
        estate
          .about('ecr/repositoryPolicy:RepositoryPolicy', 'repository', repository)
          .flatMap(({ inputs }) => statements(inputs.policy))
          .every(({ Principal }) => Principal !== '*' && at(Principal, 'AWS') !== '*'),
        'open to everybody',
      ),
  },
  {
    id: 'ECR.1',
    meaning: 'a repository scans what is pushed',
    of: [REPOSITORY],
    faults: ({ inputs }) =>
      unless(at(inputs, 'imageScanningConfiguration.scanOnPush') === true, 'does not scan'),
  },
  {
    id: 'ECR.2',
    meaning: "a repository's tags cannot be moved",
    of: [REPOSITORY],
    faults: ({ inputs }) => unless(inputs.imageTagMutability === 'IMMUTABLE', 'tags can be moved'),
  },
  {
    id: 'ECR.3',
    meaning: 'a repository forgets old images',
    of: [REPOSITORY],
    faults: (repository, estate) =>
      unless(
        estate.about('ecr/lifecyclePolicy:LifecyclePolicy', 'repository', repository).length,
        'keeps everything',
      ),
  },
  {
    id: 'ECR.5',
    meaning: "a repository is encrypted with the stack's key",
    of: [REPOSITORY],
    faults: ({ inputs }, estate) =>
      unless(
        estate.byArn(at(inputs, 'encryptionConfigurations.kmsKey'))?.type === 'aws:kms/key:Key',
        "not the stack's key",
      ),
  },
];
