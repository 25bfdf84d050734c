import test from 'ava';
import { z } from 'zod';
import type { Graph, Properties } from '../../local/graph/graph.ts';
import { ServiceConfig } from '../../service/config.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';

const STACKS = ['staging', 'production'] as const;
const graphs = new Map<string, Graph>();
const graph = (stack: string) => {
  const found = graphs.get(stack);
  if (!found) throw new Error(`${stack} was not harvested`);
  return found;
};
test.before(async () => {
  for (const stack of STACKS) graphs.set(stack, await graphOf(stack));
});

const vpcOf = (stack: string) => {
  const vpc = graph(stack).resources.find(({ type }) => type === 'awsx:ec2:Vpc');
  return { inputs: vpc?.inputs ?? {}, outputs: vpc?.outputs ?? {} };
};
const idOf = (stack: string, type: string, name: string) =>
  ofType(graph(stack), type).find((resource) => resource.name === name)?.id;
const groupOf = (stack: string, part: string) =>
  idOf(stack, 'ec2/securityGroup:SecurityGroup', `entrance-network-security-${part}`);
const container = (stack: string, name: string) => {
  const task = inputsOf(graph(stack), 'ecs/taskDefinition:TaskDefinition', name);
  const [only] = JSON.parse(String(task.containerDefinitions));
  return { task, container: only };
};

const ZONES = {
  staging: { numberOfAvailabilityZones: 2, natGateways: { strategy: 'Single' } },
  production: { numberOfAvailabilityZones: 3, natGateways: { strategy: 'OnePerAz' } },
};
const ENDPOINTS = {
  staging: [],
  production: ['ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'sqs', 'states', 'sts'],
};
const TASKS = { staging: [1, 4], production: [2, 10] };

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: zones and NAT gateways are those of the settings`, (t) => {
    t.like(vpcOf(stack).inputs, { ...ZONES[stack], enableDnsHostnames: true, enableDnsSupport: true });
    const { privateSubnetIds } = z
      .object({ privateSubnetIds: z.array(z.string()) })
      .parse(vpcOf(stack).outputs);
    t.is(privateSubnetIds.length, ZONES[stack].numberOfAvailabilityZones);
  });

  test(`${stack}: S3 is reached from every subnet by a gateway endpoint, other services by those of the settings`, (t) => {
    const endpoints = ofType(graph(stack), 'ec2/vpcEndpoint:VpcEndpoint').map(({ inputs }) => inputs);
    const [s3] = endpoints.filter(({ vpcEndpointType }) => vpcEndpointType === 'Gateway');
    t.is(s3?.serviceName, 'com.amazonaws.us-east-1.s3');
    t.is(z.array(z.string()).parse(s3?.routeTableIds).length, 2 * ZONES[stack].numberOfAvailabilityZones);

    const others = endpoints.filter(({ vpcEndpointType }) => vpcEndpointType === 'Interface');
    t.deepEqual(
      others.map(({ serviceName }) => String(serviceName)).sort(),
      ENDPOINTS[stack].map((service) => `com.amazonaws.us-east-1.${service}`),
    );
    for (const endpoint of others) {
      t.like(endpoint, { privateDnsEnabled: true, subnetIds: vpcOf(stack).outputs.privateSubnetIds });
      t.deepEqual(endpoint.securityGroupIds, [groupOf(stack, 'endpoints')]);
    }
  });

  test(`${stack}: all traffic is noted in an encrypted log group that forgets`, (t) => {
    t.like(inputsOf(graph(stack), 'ec2/flowLog:FlowLog'), {
      trafficType: 'ALL',
      vpcId: vpcOf(stack).outputs.vpcId,
      iamRoleArn: String(graph(stack).outputs.alertsTopicArn).replace(
        /:sns:us-east-1:(\d+):.*/,
        `:iam::$1:role/toq-media-processing-flow-logs${suffix}`,
      ),
    });
    const { logDestination } = inputsOf(graph(stack), 'ec2/flowLog:FlowLog');
    t.regex(String(logDestination), new RegExp(`:log-group:/aws/vpc/toq-media${suffix}$`));
  });

  test(`${stack}: the only ways are API → load balancer → task → endpoints, database and HTTPS`, (t) => {
    const name = (id: unknown) =>
      ofType(graph(stack), 'ec2/securityGroup:SecurityGroup')
        .find((group) => group.id === id)
        ?.name.replace('entrance-network-security-', '');
    const ports = ({ ipProtocol, fromPort, toPort }: Properties) => `${ipProtocol} ${fromPort}-${toPort}`;
    const out = ofType(graph(stack), 'vpc/securityGroupEgressRule:SecurityGroupEgressRule').map(
      ({ inputs }) =>
        `${name(inputs.securityGroupId)} → ${name(inputs.referencedSecurityGroupId) ?? inputs.cidrIpv4} ${ports(inputs)}`,
    );
    const database = stack === 'staging' ? '10.20.0.0/16' : '10.30.0.0/16';
    t.deepEqual(out.sort(), [
      'load-balancer → service tcp 3000-3000',
      'service → 0.0.0.0/0 tcp 443-443',
      `service → ${database} tcp 3306-3306`,
      'service → endpoints tcp 443-443',
      'vpc-link → load-balancer tcp 443-443',
    ]);
    const into = ofType(graph(stack), 'vpc/securityGroupIngressRule:SecurityGroupIngressRule').map(
      ({ inputs }) =>
        `${name(inputs.referencedSecurityGroupId)} → ${name(inputs.securityGroupId)} ${ports(inputs)}`,
    );
    t.deepEqual(into.sort(), [
      'load-balancer → service tcp 3000-3000',
      'service → endpoints tcp 443-443',
      'vpc-link → load-balancer tcp 443-443',
    ]);
    t.like(inputsOf(graph(stack), 'ec2/defaultSecurityGroup:DefaultSecurityGroup'), {
      vpcId: vpcOf(stack).outputs.vpcId,
      ingress: [],
      egress: [],
    });
  });

  test(`${stack}: the load balancer is internal, logged, strict about headers and hard to delete`, (t) => {
    const balancer = inputsOf(graph(stack), 'lb/loadBalancer:LoadBalancer');
    t.like(balancer, {
      internal: true,
      subnets: vpcOf(stack).outputs.privateSubnetIds,
      dropInvalidHeaderFields: true,
      enableDeletionProtection: true,
      accessLogs: { enabled: true, bucket: `toq-logs${suffix}`, prefix: 'load-balancer' },
    });
    const logs = inputsOf(graph(stack), 's3/bucketPolicy:BucketPolicy', 'storage-logs');
    const [delivery] = JSON.parse(String(logs.policy)).Statement.filter(
      ({ Sid }: { Sid: string }) => Sid === 'LoadBalancerLogs',
    );
    t.like(delivery, {
      Effect: 'Allow',
      Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
      Action: 's3:PutObject',
    });
    t.regex(delivery.Resource, new RegExp(`:::toq-logs${suffix}/load-balancer/AWSLogs/\\d{12}/\\*$`));
    t.deepEqual(
      inputsOf(
        graph(stack),
        's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration',
        'storage-logs',
      ).rules,
      [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
    );
  });

  test(`${stack}: a task is asked for /readyz, and drained before it is stopped`, (t) => {
    const targets = inputsOf(graph(stack), 'lb/targetGroup:TargetGroup');
    t.like(targets, {
      targetType: 'ip',
      port: 3000,
      healthCheck: { path: '/readyz', matcher: '200', interval: 10, unhealthyThreshold: 3 },
    });
    const grace = ServiceConfig.shape.SHUTDOWN_GRACE_SECONDS.parse(undefined);
    t.true(Number(targets.deregistrationDelay) >= grace);
    t.true(container(stack, 'hosting-service').container.stopTimeout > grace);
  });

  test(`${stack}: TLS from the API to the load balancer, under the domain's name`, (t) => {
    const { protocol, port, sslPolicy, certificateArn } = inputsOf(graph(stack), 'lb/listener:Listener');
    t.like(
      { protocol, port, sslPolicy },
      { protocol: 'HTTPS', port: 443, sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06' },
    );
    const domain = inputsOf(graph(stack), 'apigatewayv2/domainName:DomainName');
    t.like(domain.domainNameConfiguration, { certificateArn, securityPolicy: 'TLS_1_2' });
    for (const { inputs } of ofType(graph(stack), 'apigatewayv2/integration:Integration')) {
      t.like(inputs, {
        connectionId: idOf(stack, 'apigatewayv2/vpcLink:VpcLink', 'entrance-api'),
        tlsConfig: { serverNameToVerify: domain.domainName },
      });
      t.regex(String(inputs.integrationUri), /:listener\/app\//);
    }
    t.like(inputsOf(graph(stack), 'apigatewayv2/vpcLink:VpcLink'), {
      subnetIds: vpcOf(stack).outputs.privateSubnetIds,
      securityGroupIds: [groupOf(stack, 'vpc-link')],
    });
    t.is(graph(stack).outputs.apiEndpoint, `https://${domain.domainName}`);
  });

  test(`${stack}: images are immutable, scanned, encrypted, and forgotten in the end`, (t) => {
    const [repository] = ofType(graph(stack), 'ecr/repository:Repository');
    t.like(repository?.inputs ?? {}, {
      name: 'toq-media',
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
    });
    t.regex(
      JSON.stringify(repository?.inputs.encryptionConfigurations),
      /"encryptionType":"KMS","kmsKey":"arn:/,
    );
    t.like(repository?.options, { protect: true, retainOnDelete: true });
    const { policy } = inputsOf(graph(stack), 'ecr/lifecyclePolicy:LifecyclePolicy');
    const expire = { action: { type: 'expire' } };
    t.like(JSON.parse(String(policy)).rules, [
      {
        ...expire,
        selection: {
          tagStatus: 'untagged',
          countType: 'sinceImagePushed',
          countUnit: 'days',
          countNumber: 14,
        },
      },
      { ...expire, selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 30 } },
    ]);
  });

  test(`${stack}: a deployment adds before it removes, and takes back what does not come up`, (t) => {
    t.like(inputsOf(graph(stack), 'ecs/cluster:Cluster'), {
      name: `toq-media${suffix}`,
      settings: [{ name: 'containerInsights', value: 'enabled' }],
    });
    const service = inputsOf(graph(stack), 'ecs/service:Service');
    t.like(service, {
      launchType: 'FARGATE',
      desiredCount: TASKS[stack][0],
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      enableExecuteCommand: false,
      waitForSteadyState: true,
      networkConfiguration: {
        assignPublicIp: false,
        subnets: vpcOf(stack).outputs.privateSubnetIds,
        securityGroups: [groupOf(stack, 'service')],
      },
      loadBalancers: [{ containerName: 'service', containerPort: 3000 }],
    });
    t.is(service.taskDefinition, graph(stack).outputs.taskDefinitionArn);
  });

  test(`${stack}: the number of tasks follows CPU and requests`, (t) => {
    t.like(inputsOf(graph(stack), 'appautoscaling/target:Target'), {
      resourceId: `service/toq-media${suffix}/toq-media-service${suffix}`,
      scalableDimension: 'ecs:service:DesiredCount',
      minCapacity: TASKS[stack][0],
      maxCapacity: TASKS[stack][1],
    });
    const tracked = ofType(graph(stack), 'appautoscaling/policy:Policy').map(
      ({ inputs }) => inputs.targetTrackingScalingPolicyConfiguration,
    );
    t.is(tracked.length, 2);
    const [cpu, requests] = tracked;
    t.like(cpu, {
      targetValue: 60,
      predefinedMetricSpecification: { predefinedMetricType: 'ECSServiceAverageCPUUtilization' },
    });
    t.like(requests, {
      targetValue: 1000,
      predefinedMetricSpecification: { predefinedMetricType: 'ALBRequestCountPerTarget' },
    });
    t.regex(
      JSON.stringify(requests),
      /"resourceLabel":"app\/[^/]+\/[0-9a-f]{16}\/targetgroup\/[^/]+\/[0-9a-f]{16}"/,
    );
  });

  test(`${stack}: migrations are a task of the same image that knows the database and nothing else`, (t) => {
    const { task, container: migrations } = container(stack, 'hosting-service-migrations');
    t.is(migrations.image, container(stack, 'hosting-service').container.image);
    t.deepEqual(migrations.command, ['node', 'migrations/migrate.ts']);
    t.is(task.taskRoleArn, undefined);
    t.like(migrations, { readonlyRootFilesystem: true, user: '1000:1000', essential: true });
    const variables = [...migrations.environment, ...migrations.secrets].map(({ name }) => name);
    t.deepEqual(variables.sort(), [
      'DATABASE_HOST',
      'DATABASE_NAME',
      'DATABASE_PASSWORD',
      'DATABASE_PORT',
      'DATABASE_TLS',
      'DATABASE_USER',
    ]);
    t.is(
      graph(stack).outputs.apiEndpoint,
      `https://media${stack === 'staging' ? '.staging' : ''}.toq.com.br`,
    );
  });
}
