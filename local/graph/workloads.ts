/** What runs: functions, state machines, MediaConvert, event rules, the container, the API. */
import { z } from 'zod';
import { type Declarations, json, Named, only } from './declarations.ts';
import type { Manifest } from './manifest.ts';

const Variables = z.record(z.string(), z.string());

const Lambda = Named.extend({
  role: z.string(),
  runtime: z.string(),
  handler: z.string(),
  timeout: z.number(),
  memorySize: z.number(),
  reservedConcurrentExecutions: z.number().optional(),
  environment: z.object({ variables: Variables }),
  code: z.string(),
});

/** Deployed is `x.zip`, for Lambda's processor; beside it `x/` is the same for this machine. */
const unpacked = (code: string) => code.replace(/\.zip$/, '');

export const functions = ({ of }: Declarations): Manifest['functions'] =>
  of('aws:lambda/function:Function', Lambda).map((lambda) => ({
    name: lambda.name,
    arn: lambda.arn,
    roleArn: lambda.role,
    runtime: lambda.runtime,
    handler: lambda.handler,
    timeoutSeconds: lambda.timeout,
    memoryMiB: lambda.memorySize,
    environment: lambda.environment.variables,
    artefact: unpacked(lambda.code),
    ...(lambda.reservedConcurrentExecutions && {
      reservedConcurrency: lambda.reservedConcurrentExecutions,
    }),
  }));

const EventSourceMapping = z.object({
  eventSourceArn: z.string(),
  functionName: z.string(),
  batchSize: z.number(),
  maximumBatchingWindowInSeconds: z.number(),
  functionResponseTypes: z.array(z.string()),
  scalingConfig: z.object({ maximumConcurrency: z.number() }).optional(),
});

export const eventSourceMappings = ({ of }: Declarations): Manifest['eventSourceMappings'] =>
  of('aws:lambda/eventSourceMapping:EventSourceMapping', EventSourceMapping).map((mapping) => ({
    queueArn: mapping.eventSourceArn,
    functionArn: mapping.functionName,
    batchSize: mapping.batchSize,
    maximumBatchingWindowSeconds: mapping.maximumBatchingWindowInSeconds,
    reportBatchItemFailures: mapping.functionResponseTypes.includes('ReportBatchItemFailures'),
    ...(mapping.scalingConfig && { maximumConcurrency: mapping.scalingConfig.maximumConcurrency }),
  }));

const Machine = Named.extend({
  roleArn: z.string(),
  definition: json(z.record(z.string(), z.unknown())),
});

export const stateMachines = ({ of }: Declarations): Manifest['stateMachines'] =>
  of('aws:sfn/stateMachine:StateMachine', Machine).map(({ name, arn, roleArn, definition }) => ({
    name,
    arn,
    roleArn,
    definition,
  }));

/** CloudFormation stacks are there for the one thing that the AWS provider lacks: job templates. */
const CloudFormation = z.object({
  outputs: Variables,
  templateBody: json(
    z.object({
      Resources: z.record(
        z.string(),
        z.object({
          Type: z.literal('AWS::MediaConvert::JobTemplate'),
          Properties: z.object({ Name: z.string(), SettingsJson: z.record(z.string(), z.unknown()) }),
        }),
      ),
    }),
  ),
});

export const mediaConvert = ({ of }: Declarations): Manifest['mediaConvert'] => ({
  queues: of('aws:mediaconvert/queue:Queue', Named).map(({ name, arn }) => ({ name, arn })),
  jobTemplates: of('aws:cloudformation/stack:Stack', CloudFormation).flatMap(({ templateBody, outputs }) =>
    Object.entries(templateBody.Resources).map(([logicalId, { Properties }]) => ({
      name: Properties.Name,
      arn: z.string().parse(outputs[`${logicalId}Arn`]),
      settings: Properties.SettingsJson,
    })),
  ),
});

const Rule = Named.extend({ eventPattern: json(z.unknown()) });
const Target = z.object({ rule: z.string(), targetId: z.string(), arn: z.string() });

export const rules = ({ of }: Declarations): Manifest['rules'] =>
  of('aws:cloudwatch/eventRule:EventRule', Rule).map(({ name, arn, eventPattern }) => ({
    name,
    arn,
    pattern: eventPattern,
    targets: of('aws:cloudwatch/eventTarget:EventTarget', Target)
      .filter((target) => target.rule === name)
      .map((target) => ({ id: target.targetId, arn: target.arn })),
  }));

const FargateService = z.object({ taskDefinition: z.string() });
const TaskDefinition = z.object({
  taskRoleArn: z.string(),
  executionRoleArn: z.string(),
  containerDefinitions: json(
    z.array(
      z.object({
        name: z.string(),
        portMappings: z.array(z.object({ containerPort: z.number() })),
        environment: z.array(z.object({ name: z.string(), value: z.string() })),
        secrets: z.array(z.object({ name: z.string(), valueFrom: z.string() })),
        stopTimeout: z.number(),
      }),
    ),
  ),
});

export function container({ of }: Declarations): Manifest['container'] {
  const { taskDefinition } = only('ECS service', of('aws:ecs/service:Service', FargateService));
  const task = only(
    'task definition of the service',
    of(
      'aws:ecs/taskDefinition:TaskDefinition',
      TaskDefinition,
      ({ outputs }) => outputs.arn === taskDefinition,
    ),
  );
  const declared = only('container', task.containerDefinitions);
  return {
    name: declared.name,
    taskRoleArn: task.taskRoleArn,
    executionRoleArn: task.executionRoleArn,
    port: only('container port', declared.portMappings).containerPort,
    environment: Object.fromEntries(declared.environment.map(({ name, value }) => [name, value])),
    secrets: Object.fromEntries(declared.secrets.map(({ name, valueFrom }) => [name, valueFrom])),
    stopTimeoutSeconds: declared.stopTimeout,
  };
}

const Api = z.object({ arn: z.string(), executionArn: z.string(), apiEndpoint: z.string() });
const Integration = z.object({ requestParameters: Variables.default({}) });
const Route = z.object({
  routeKey: z.string(),
  authorizationType: z.enum(['NONE', 'AWS_IAM']),
  target: z.string(),
});

export function api({ of }: Declarations): Manifest['api'] {
  const { resource, arn, executionArn, apiEndpoint } = only('HTTP API', of('aws:apigatewayv2/api:Api', Api));
  const integrations = of('aws:apigatewayv2/integration:Integration', Integration);
  return {
    id: z.string().parse(resource.id),
    arn,
    executionArn,
    endpoint: apiEndpoint,
    routes: of('aws:apigatewayv2/route:Route', Route).map(({ routeKey, authorizationType, target }) => {
      const integration = only(
        `integration of ${routeKey}`,
        integrations.filter((candidate) => target === `integrations/${candidate.resource.id}`),
      );
      const overwritePath = integration.requestParameters['overwrite:path'];
      return { key: routeKey, authorization: authorizationType, ...(overwritePath && { overwritePath }) };
    }),
  };
}
