import { at, type Declared, type Estate, list, type Rule, unless } from './rule.ts';

/** awsx's component: its subnets, routes and gateways are made while deploying. */
const VPC = 'awsx:ec2:Vpc';
const BALANCER = 'lb/loadBalancer:LoadBalancer';
const LISTENER = 'lb/listener:Listener';
const GROUP = 'ec2/securityGroup:SecurityGroup';
const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** Sources from which a security group, or a rule beside it, lets traffic in. */
const ingressOf = (group: Declared, estate: Estate): unknown[] => [
  ...list(group.inputs.ingress),
  ...estate
    .about('ec2/securityGroupRule:SecurityGroupRule', 'securityGroupId', group)
    .filter(({ inputs }) => inputs.type === 'ingress')
    .map(({ inputs }) => inputs),
  ...estate
    .about('vpc/securityGroupIngressRule:SecurityGroupIngressRule', 'securityGroupId', group)
    .map(({ inputs }) => inputs),
];

const sources = (rule: unknown) =>
  ['cidrBlocks', 'ipv6CidrBlocks', 'cidrIpv4', 'cidrIpv6'].flatMap((key) =>
    list(Reflect.get(Object(rule), key)),
  );

/** That a service of AWS is reached from inside the VPC. */
const endpointRule = (id: string, service: string, what: string): Rule => ({
  id,
  meaning: `${what} without leaving the VPC`,
  of: [VPC],
  faults: (vpc, estate) =>
    unless(
      estate
        .of('ec2/vpcEndpoint:VpcEndpoint')
        .some(
          ({ inputs }) =>
            inputs.vpcId === vpc.outputs.vpcId && String(inputs.serviceName).endsWith(`.${service}`),
        ),
      `no endpoint for ${service}`,
    ),
});

/** Rules for the ways in and out. */
export const networkRules: Rule[] = [
  {
    id: 'VPC7',
    also: ['EC2.6'],
    meaning: 'a VPC keeps flow logs',
    of: [VPC],
    faults: (vpc, estate) =>
      unless(
        estate
          .of('ec2/flowLog:FlowLog')
          .some(
            ({ inputs }) =>
              inputs.vpcId === vpc.outputs.vpcId && ['ALL', 'REJECT'].includes(String(inputs.trafficType)),
          ),
        'no flow logs',
      ),
  },
  {
    id: 'VPC3',
    meaning: 'security groups decide, not network ACLs',
    of: [VPC],
    faults: (_vpc, estate) =>
      unless(
        !estate.of('ec2/networkAcl:NetworkAcl').length &&
          !estate.of('ec2/networkAclRule:NetworkAclRule').length,
        'network ACLs',
      ),
  },
  {
    id: 'EC2.2',
    meaning: "a VPC's default security group lets nothing through",
    of: [VPC],
    faults: (vpc, estate) =>
      unless(
        estate
          .of('ec2/defaultSecurityGroup:DefaultSecurityGroup')
          .some(
            ({ inputs }) =>
              inputs.vpcId === vpc.outputs.vpcId &&
              !list(inputs.ingress).length &&
              !list(inputs.egress).length,
          ),
        'the default security group is open',
      ),
  },
  {
    id: 'EC2.15',
    meaning: 'no subnet gives public addresses by itself',
    of: [VPC],
    faults: ({ inputs }) =>
      unless(
        list(inputs.subnetSpecs).every((subnet) => at(subnet, 'type') !== 'Public'),
        'its public subnets do',
      ),
  },
  endpointRule('EC2.55', 'ecr.api', 'the registry is reached'),
  endpointRule('EC2.56', 'ecr.dkr', 'images are pulled'),
  {
    id: 'TOQ-PRIVATE-SUBNETS',
    also: ['ELB.13'],
    meaning: 'tasks, load balancers and VPC links are in private subnets, several of them',
    of: ['ecs/service:Service', BALANCER, 'apigatewayv2/vpcLink:VpcLink'],
    faults: ({ inputs }, estate) => {
      const subnets = list(at(inputs, 'networkConfiguration.subnets') ?? inputs.subnets ?? inputs.subnetIds);
      const own = estate.of(VPC).flatMap(({ outputs }) => list(outputs.privateSubnetIds));
      return unless(
        subnets.length > 1 && subnets.every((subnet) => own.includes(subnet)),
        'in a public subnet, or in one only',
      );
    },
  },
  {
    id: 'EC23',
    also: ['EC2.18', 'EC2.19', 'RDS8'],
    meaning: 'no security group lets the whole Internet in',
    of: [GROUP],
    faults: (group, estate) =>
      unless(
        !ingressOf(group, estate)
          .flatMap(sources)
          .some((source) => EVERYWHERE.includes(String(source))),
        'lets the whole Internet in',
      ),
  },
  {
    id: 'EC27',
    meaning: 'a security group says what it is for',
    of: [GROUP],
    faults: ({ inputs }) =>
      unless(
        String(inputs.description ?? '').length > 10 && inputs.description !== 'Managed by Pulumi',
        'no description',
      ),
  },
  {
    id: 'ELB2',
    also: ['ELB.5'],
    meaning: 'a load balancer keeps access logs',
    of: [BALANCER],
    faults: ({ inputs }, estate) =>
      unless(
        at(inputs, 'accessLogs.enabled') === true &&
          estate.of('s3/bucket:Bucket').some(({ id }) => id === at(inputs, 'accessLogs.bucket')),
        'no access logs',
      ),
  },
  {
    id: 'ALBHttpDropInvalidHeaderEnabled',
    also: ['ELB.4'],
    meaning: 'a load balancer drops invalid headers',
    of: [BALANCER],
    faults: ({ inputs }) => unless(inputs.dropInvalidHeaderFields === true, 'passes invalid headers on'),
  },
  {
    id: 'ELB.12',
    meaning: 'a load balancer does not pass on requests that could desync it from the service',
    of: [BALANCER],
    faults: ({ inputs }) =>
      unless(
        ['defensive', 'strictest'].includes(String(inputs.desyncMitigationMode)),
        'passes desyncing requests on',
      ),
  },
  {
    id: 'ELBDeletionProtectionEnabled',
    also: ['ELB.6'],
    meaning: 'a load balancer cannot be deleted by mistake',
    of: [BALANCER],
    faults: ({ inputs }) => unless(inputs.enableDeletionProtection === true, 'can be deleted'),
  },
  {
    id: 'ELBTlsHttpsListenersOnly',
    also: ['ELB.1', 'ELB.17', 'ELB.18'],
    meaning: 'a load balancer listens with TLS 1.2 or newer only',
    of: [LISTENER],
    faults: ({ inputs }) => [
      ...unless(['HTTPS', 'TLS'].includes(String(inputs.protocol)) && inputs.certificateArn, 'plain HTTP'),
      ...unless(/-(TLS13-1-[23]|FS-1-2-Res)-/.test(String(inputs.sslPolicy)), 'old TLS'),
    ],
  },
  {
    id: 'TOQ-ALB-INTERNAL',
    meaning: 'a load balancer is reached from inside the VPC only',
    of: [BALANCER],
    faults: ({ inputs }) => unless(inputs.internal === true, 'faces the Internet'),
  },
  {
    id: 'APIG1',
    also: ['APIGateway.9', 'PS6'],
    meaning: 'a stage keeps access logs, without headers or query strings',
    of: ['apigatewayv2/stage:Stage'],
    faults: ({ inputs }, estate) => [
      ...unless(
        estate.byArn(at(inputs, 'accessLogSettings.destinationArn'))?.type ===
          'aws:cloudwatch/logGroup:LogGroup',
        'no access logs',
      ),
      ...unless(
        !/header|querystring|authorizer/i.test(String(at(inputs, 'accessLogSettings.format'))),
        'may log a token',
      ),
    ],
  },
  {
    id: 'APIG4',
    also: ['APIGateway.8'],
    meaning: 'a route has an authorizer',
    of: ['apigatewayv2/route:Route'],
    faults: ({ inputs }) =>
      unless(['AWS_IAM', 'JWT', 'CUSTOM'].includes(String(inputs.authorizationType)), 'no authorizer'),
  },
  {
    id: 'TOQ-API-THROTTLE',
    meaning: 'a stage throttles',
    of: ['apigatewayv2/stage:Stage'],
    faults: ({ inputs }) =>
      unless(
        Number(at(inputs, 'defaultRouteSettings.throttlingRateLimit')) > 0 &&
          Number(at(inputs, 'defaultRouteSettings.throttlingBurstLimit')) > 0,
        'no limit',
      ),
  },
  {
    id: 'TOQ-API-INTERNAL',
    meaning: "no route leads to the service's internal paths but the callback, which IAM guards",
    of: ['apigatewayv2/route:Route'],
    faults: ({ inputs }, estate) => {
      const integration = estate
        .of('apigatewayv2/integration:Integration')
        .find(({ id }) => inputs.target === `integrations/${id}`);
      const path = String(at(integration?.inputs, 'requestParameters.overwrite:path') ?? inputs.routeKey);
      const open = inputs.authorizationType !== 'AWS_IAM';
      return [
        ...unless(integration?.inputs.connectionType === 'VPC_LINK', 'not through the VPC link'),
        ...unless(!path.includes('/internal') || !open, 'an internal path without IAM'),
        ...unless(!open || path === 'ANY /api/v2/{proxy+}', 'more than the public API'),
      ];
    },
  },
];
