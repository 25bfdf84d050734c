import { at, type Declared, type Estate, list, type Rule, statements, unless } from './rule.ts';

const FUNCTION = 'lambda/function:Function';
const MACHINE = 'sfn/stateMachine:StateMachine';
const TASK = 'ecs/taskDefinition:TaskDefinition';
const SERVICE = 'ecs/service:Service';
const REPOSITORY = 'ecr/repository:Repository';
/** Newest Node.js that Lambda offers. */
const RUNTIME = 'nodejs24.x';
const SECRET_NAME = /(SECRET|PASSWORD|TOKEN|PRIVATE_KEY|CREDENTIAL)/;

const containers = ({ inputs }: Declared) => list(JSON.parse(String(inputs.containerDefinitions)));
const eachContainer =
  (holds: (container: unknown, task: Declared) => unknown, fault: string) => (task: Declared) =>
    containers(task).flatMap((container) =>
      unless(holds(container, task), `${at(container, 'name')}: ${fault}`),
    );

/** Variables that carry a secret's value in clear: by their names, where they do not just name the secret. */
const openSecrets = (names: string[]) =>
  names.filter((name) => SECRET_NAME.test(name) && !/_(ARN|NAME|ID)$/.test(name));

const logGroupNamed = (name: unknown, estate: Estate) =>
  estate.of('cloudwatch/logGroup:LogGroup').filter(({ inputs }) => inputs.name === name);

/** Every ARN of this account in a machine's definition; AWS's integrations have no account. */
const arnsIn = (definition: unknown) => [
  ...new Set(String(definition).match(/arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d{12}:[^"]+/g)),
];

const functionRules: Rule[] = [
  {
    id: 'L1',
    meaning: `a function runs on the newest runtime (${RUNTIME}) and on arm64`,
    of: [FUNCTION],
    faults: ({ inputs }) => [
      ...unless(inputs.runtime === RUNTIME, `runs on ${inputs.runtime}`),
      ...unless(list(inputs.architectures).join() === 'arm64', 'not on arm64'),
    ],
  },
  {
    id: 'LambdaTracing',
    meaning: 'a function is traced by X-Ray, and may write its traces',
    of: [FUNCTION],
    faults: ({ inputs }) => unless(at(inputs, 'tracingConfig.mode') === 'Active', 'not traced'),
  },
  {
    id: 'LambdaConcurrency',
    meaning: 'a function has a limit on the copies that run at once',
    of: [FUNCTION],
    faults: ({ inputs, outputs }, estate) =>
      unless(
        Number(inputs.reservedConcurrentExecutions) > 0 ||
          estate
            .of('lambda/eventSourceMapping:EventSourceMapping')
            .some(
              (mapping) =>
                mapping.inputs.functionName === outputs.arn &&
                Number(at(mapping.inputs, 'scalingConfig.maximumConcurrency')) > 0,
            ),
        'no limit',
      ),
  },
  {
    id: 'LambdaDLQ',
    meaning: 'a function that is invoked asynchronously has somewhere to leave its failures',
    of: [FUNCTION],
    faults: (lambda, estate) => {
      const { inputs, outputs } = lambda;
      // the queue keeps what its consumer could not take
      const pulled = estate
        .of('lambda/eventSourceMapping:EventSourceMapping')
        .some((mapping) => mapping.inputs.functionName === outputs.arn);
      return unless(pulled || at(inputs, 'deadLetterConfig.targetArn'), 'failures are lost');
    },
  },
  {
    id: 'LambdaFunctionPublicAccessProhibited',
    meaning: 'nobody outside the account invokes a function: no URL, no permission for everybody',
    of: [FUNCTION],
    faults: ({ inputs, outputs }, estate) => {
      const aboutIt = (type: string) =>
        estate
          .of(type)
          .filter((one) =>
            [inputs.name, outputs.arn].includes(at(one.inputs, 'function') ?? one.inputs.functionName),
          );
      return [
        ...unless(!aboutIt('lambda/functionUrl:FunctionUrl').length, 'has a URL'),
        ...unless(
          aboutIt('lambda/permission:Permission').every(
            (grant) =>
              grant.inputs.principal !== '*' &&
              (!String(grant.inputs.principal).endsWith('.amazonaws.com') ||
                grant.inputs.sourceAccount ||
                grant.inputs.sourceArn),
          ),
          'anybody may invoke it',
        ),
      ];
    },
  },
  {
    id: 'TOQ-LAMBDA-LOGS',
    meaning: 'a function writes JSON to a declared log group of its own, and its role writes there only',
    of: [FUNCTION],
    faults: ({ inputs }, estate) => {
      const [group] = logGroupNamed(at(inputs, 'loggingConfig.logGroup'), estate);
      const role = estate.byArn(inputs.role);
      const writes = estate
        .of('iam/rolePolicy:RolePolicy')
        .filter((policy) => policy.inputs.role === role?.inputs.name)
        .flatMap((policy) => statements(policy.inputs.policy))
        .filter(({ Action }) => list(Action).includes('logs:PutLogEvents'))
        .flatMap(({ Resource }) => list(Resource));
      return [
        ...unless(group?.inputs.name === `/aws/lambda/${inputs.name}`, 'no log group of its own'),
        ...unless(at(inputs, 'loggingConfig.logFormat') === 'JSON', 'its log is not JSON'),
        ...unless(writes.join() === `${group?.outputs.arn}:*`, `writes to ${writes.join(' ') || 'nothing'}`),
      ];
    },
  },
  {
    id: 'TOQ-LAMBDA-ROLE',
    meaning: 'a function has a role that no other function has',
    of: [FUNCTION],
    faults: ({ inputs }, estate) =>
      unless(
        estate.of(FUNCTION).filter((other) => other.inputs.role === inputs.role).length === 1,
        'shares its role',
      ),
  },
  {
    id: 'TOQ-LAMBDA-SECRETS',
    meaning: "no secret's value stands in a function's environment",
    of: [FUNCTION],
    faults: ({ inputs }) =>
      openSecrets(Object.keys(at(inputs, 'environment.variables') ?? {})).map(
        (name) => `${name} is in clear`,
      ),
  },
];

const machineRules: Rule[] = [
  {
    id: 'SF1',
    meaning: 'a state machine logs every event, without its data, to an encrypted group of its own',
    of: [MACHINE],
    faults: ({ inputs }, estate) => {
      const destination = String(at(inputs, 'loggingConfiguration.logDestination')).replace(/:\*$/, '');
      return [
        ...unless(at(inputs, 'loggingConfiguration.level') === 'ALL', 'does not log everything'),
        ...unless(
          at(inputs, 'loggingConfiguration.includeExecutionData') === false,
          'puts listings and keys into the log',
        ),
        ...unless(
          String(estate.byArn(destination)?.inputs.name).startsWith('/aws/vendedlogs/states/'),
          'no log group of its own under /aws/vendedlogs/states/',
        ),
      ];
    },
  },
  {
    id: 'SF2',
    meaning: 'a state machine is traced by X-Ray',
    of: [MACHINE],
    faults: ({ inputs }) => unless(at(inputs, 'tracingConfiguration.enabled') === true, 'not traced'),
  },
  {
    id: 'TOQ-SFN-STANDARD',
    meaning:
      'a state machine is Standard (exactly once, a history of its own) and ends after an hour at the latest',
    of: [MACHINE],
    faults: ({ inputs }) => [
      ...unless(inputs.type === 'STANDARD', 'not Standard'),
      ...unless(Number(at(JSON.parse(String(inputs.definition)), 'TimeoutSeconds')) <= 3600, 'may never end'),
    ],
  },
  {
    id: 'TOQ-ASL-ARNS',
    meaning: 'every ARN in a state machine is that of a declared resource, and no placeholder is left',
    of: [MACHINE],
    faults: ({ inputs }, estate) => {
      const templates = estate
        .of('cloudformation/stack:Stack')
        .flatMap(({ outputs }) => Object.values(outputs.outputs ?? {}));
      return [
        ...arnsIn(inputs.definition)
          .filter((arn) => !estate.byArn(arn) && !templates.includes(arn))
          .map((arn) => `${arn} is not declared`),
        ...unless(arnsIn(inputs.definition).length, 'calls nothing of ours'),
        ...unless(!String(inputs.definition).includes('${'), 'a placeholder is left'),
      ];
    },
  },
];

const containerRules: Rule[] = [
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
    meaning: 'a service has no public address, and its newest platform',
    of: [SERVICE],
    faults: ({ inputs }) => [
      ...unless(
        list(at(inputs, 'networkConfiguration.subnets')).length > 0 &&
          at(inputs, 'networkConfiguration.assignPublicIp') !== true,
        'has a public address',
      ),
      ...unless([undefined, 'LATEST'].includes(inputs.platformVersion as undefined), 'an old platform'),
    ],
  },
  {
    id: 'ECS.4',
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
    id: 'ECS.9',
    meaning: 'a task has a network of its own, and roles to run and to start with',
    of: [TASK],
    faults: ({ inputs }, estate) => [
      ...unless(inputs.networkMode === 'awsvpc' && inputs.pidMode !== 'host', "shares the host's network"),
      ...unless(
        estate.byArn(inputs.taskRoleArn) &&
          estate.byArn(inputs.executionRoleArn) &&
          inputs.taskRoleArn !== inputs.executionRoleArn,
        'one role for both',
      ),
    ],
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

/** Rules for functions, state machines and containers. */
export const computeRules: Rule[] = [...functionRules, ...machineRules, ...containerRules];
