import test from 'ava';
import { z } from 'zod';
import { ServiceConfig, secretVariables } from '../../service/config.ts';
import { accountOf, graphOf, inputsOf, ofType, STACKS } from '../support/graphs.ts';

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: the container reads every variable that the service parses, secrets as secrets`, async (t) => {
    const graph = await graphOf(stack);
    const task = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
    const [container, ...others] = JSON.parse(String(task.containerDefinitions));
    t.deepEqual(others, []);
    const pairs = z.array(z.object({ name: z.string(), value: z.string() })).parse(container.environment);
    const plain = Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
    const secret = z
      .array(z.object({ name: z.string(), valueFrom: z.string() }))
      .parse(container.secrets)
      .map(({ name }) => name);

    t.deepEqual(secret.toSorted(), [...secretVariables].sort());
    t.deepEqual(
      secret.filter((name) => name in plain),
      [],
    );
    const values = Object.fromEntries(secret.map((name) => [name, 'x'.repeat(32)]));
    t.notThrows(() => z.strictObject(ServiceConfig.shape).parse({ ...plain, ...values }));
  });

  test(`${stack}: the container is unprivileged, watched, and stopped slower than it drains`, async (t) => {
    const graph = await graphOf(stack);
    const task = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
    const [container] = JSON.parse(String(task.containerDefinitions));
    t.like(task, {
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      runtimePlatform: { cpuArchitecture: 'ARM64', operatingSystemFamily: 'LINUX' },
      taskRoleArn: `arn:aws:iam::${accountOf(graph)}:role/toq-media-processing-backend${suffix}`,
    });
    t.like(container, { readonlyRootFilesystem: true, user: '1000:1000' });
    t.regex(container.image, /@sha256:[0-9a-f]{64}$/);
    t.is(container.healthCheck.command[0], 'CMD');
    t.true(container.stopTimeout > ServiceConfig.shape.SHUTDOWN_GRACE_SECONDS.parse(undefined));
    t.is(container.logConfiguration.options['awslogs-group'], `/aws/ecs/toq-media-service${suffix}`);
  });

  test(`${stack}: the API has two routes, and only IAM callers reach the callback`, async (t) => {
    const graph = await graphOf(stack);
    const routes = ofType(graph, 'apigatewayv2/route:Route').map(({ inputs }) => ({
      key: inputs.routeKey,
      authorization: inputs.authorizationType,
      integration: ofType(graph, 'apigatewayv2/integration:Integration').find(
        ({ id }) => inputs.target === `integrations/${id}`,
      )?.inputs,
    }));
    t.like(
      routes.find(({ key }) => key === 'POST /media-processing/callback'),
      {
        authorization: 'AWS_IAM',
        integration: {
          connectionType: 'VPC_LINK',
          requestParameters: { 'overwrite:path': '/internal/media-processing/callback' },
        },
      },
    );
    const open = routes.find(({ key }) => key === 'ANY /api/v2/{proxy+}');
    t.like(open, { authorization: 'NONE', integration: { connectionType: 'VPC_LINK' } });
    t.is(open?.integration?.requestParameters, undefined);
    t.is(routes.length, 2);
  });

  test(`${stack}: the stage throttles and logs neither headers nor query strings`, async (t) => {
    const graph = await graphOf(stack);
    const stage = inputsOf(graph, 'apigatewayv2/stage:Stage');
    t.like(stage, { name: '$default', autoDeploy: true });
    t.like(stage.defaultRouteSettings, { throttlingRateLimit: 500, throttlingBurstLimit: 1000 });
    const { format } = z.object({ format: z.string() }).parse(stage.accessLogSettings);
    t.notRegex(format, /header|querystring|authorizer/i);
  });
}
