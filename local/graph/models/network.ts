import { type Aws, type Models, object, text } from './aws.ts';

/** The way in: API, VPC and load balancer. */
export const network = ({ apiEndpoint, arn, ec2, hash, region }: Aws): Models => ({
  'aws:apigatewayv2/api:Api': ({ name }) => {
    const id = hash(name).slice(0, 10);
    return {
      id,
      state: {
        // the control plane's ARN has no account
        arn: `arn:aws:apigateway:${region}::/apis/${id}`,
        executionArn: arn('execute-api', id),
        apiEndpoint: apiEndpoint ?? `https://${id}.execute-api.${region}.amazonaws.com`,
      },
    };
  },
  'aws:apigatewayv2/integration:Integration': ({ name }) => ({ id: hash(name).slice(0, 7) }),
  'aws:apigatewayv2/route:Route': ({ name }) => ({ id: hash(name).slice(0, 7) }),
  'aws:apigatewayv2/stage:Stage': ({ inputs }) => ({ id: text(inputs, 'name') }),

  'aws:apigatewayv2/vpcLink:VpcLink': ({ inputs, name }) => {
    const id = hash(name).slice(0, 6);
    return {
      id,
      state: { arn: `arn:aws:apigateway:${region}::/vpclinks/${id}`, name: text(inputs, 'name') },
    };
  },
  'aws:apigatewayv2/domainName:DomainName': ({ inputs, name }) => {
    const domain = text(inputs, 'domainName');
    const id = hash(name);
    const computed = {
      targetDomainName: `d-${id.slice(0, 10)}.execute-api.${region}.amazonaws.com`,
      hostedZoneId: `Z${id.slice(0, 13).toUpperCase()}`,
    };
    return {
      id: domain,
      state: {
        arn: `arn:aws:apigateway:${region}::/domainnames/${domain}`,
        domainNameConfiguration: { ...object(inputs, 'domainNameConfiguration'), ...computed },
      },
    };
  },
  'aws:apigatewayv2/apiMapping:ApiMapping': ({ name }) => ({ id: hash(name).slice(0, 6) }),
  'aws:route53/record:Record': ({ inputs }) => {
    const fqdn = text(inputs, 'name');
    return { id: `${text(inputs, 'zoneId')}_${fqdn}_${text(inputs, 'type')}`, state: { fqdn } };
  },

  'awsx:ec2:Vpc': ({ inputs, name }) => {
    const zones = [...Array(Number(inputs.numberOfAvailabilityZones)).keys()];
    const ids = (kind: string, part: string) => zones.map((zone) => ec2(kind, `${name}-${part}-${zone}`));
    return {
      id: '',
      state: {
        vpcId: ec2('vpc', name),
        privateSubnetIds: ids('subnet', 'private'),
        publicSubnetIds: ids('subnet', 'public'),
      },
      children: {
        routeTables: ['private', 'public'].flatMap((part) =>
          zones.map((zone) => ({
            type: 'aws:ec2/routeTable:RouteTable',
            name: `${name}-${part}-${zone + 1}`,
            id: ec2('rtb', `${name}-${part}-${zone}`),
          })),
        ),
      },
    };
  },
  'aws:ec2/securityGroup:SecurityGroup': ({ name }) => {
    const id = ec2('sg', name);
    return { id, state: { arn: arn('ec2', `security-group/${id}`) } };
  },
  'aws:ec2/defaultSecurityGroup:DefaultSecurityGroup': ({ name }) => ({ id: ec2('sg', name) }),
  'aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule': ({ name }) => ({
    id: ec2('sgr', `in-${name}`),
  }),
  'aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule': ({ name }) => ({
    id: ec2('sgr', `out-${name}`),
  }),
  'aws:ec2/vpcEndpoint:VpcEndpoint': ({ name }) => {
    const id = ec2('vpce', name);
    return { id, state: { arn: arn('ec2', `vpc-endpoint/${id}`) } };
  },
  'aws:ec2/flowLog:FlowLog': ({ name }) => {
    const id = ec2('fl', name);
    return { id, state: { arn: arn('ec2', `vpc-flow-log/${id}`) } };
  },

  'aws:lb/loadBalancer:LoadBalancer': ({ inputs, name }) => {
    const suffix = `app/${text(inputs, 'name')}/${hash(name).slice(0, 16)}`;
    const id = arn('elasticloadbalancing', `loadbalancer/${suffix}`);
    return { id, state: { arn: id, arnSuffix: suffix } };
  },
  'aws:lb/targetGroup:TargetGroup': ({ inputs, name }) => {
    const suffix = `targetgroup/${text(inputs, 'name')}/${hash(name).slice(0, 16)}`;
    const id = arn('elasticloadbalancing', suffix);
    return { id, state: { arn: id, arnSuffix: suffix } };
  },
  'aws:lb/listener:Listener': ({ inputs, name }) => {
    const balancer = text(inputs, 'loadBalancerArn').replace(':loadbalancer/', ':listener/');
    const id = `${balancer}/${hash(name).slice(0, 16)}`;
    return { id, state: { arn: id } };
  },
});
