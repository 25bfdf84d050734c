import { createHash } from 'node:crypto';
import type { Properties } from './graph.ts';
import type { Model, Modelled, ModelledResource } from './harvest.ts';

/** Where a stack lives, and where its endpoints are if not at AWS. */
export interface Place {
  region: string;
  accountId: string;
  /** URL prefix of queues: `{sqs}/{account}/{name}` */
  sqsEndpoint?: string | undefined;
  /** the HTTP API's own endpoint */
  apiEndpoint?: string | undefined;
}

/**
 * What AWS would answer for each type of resource that the program uses: ids, ARNs and URLs, in AWS's formats (Service
 * Authorization Reference), and the defaults that the program relies on. The same place gives the same values always.
 */
export function models(place: Place): Model {
  const { region, accountId } = place;
  const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${accountId}:${resource}`;
  const hash = (...parts: string[]) =>
    createHash('sha256')
      .update([region, accountId, ...parts].join('/'))
      .digest('hex');

  /** `vpc-0a1b2c…`: 17 hex digits, as EC2 makes them. */
  const ec2 = (kind: string, name: string) => `${kind}-0${hash(kind, name).slice(0, 16)}`;

  const ofBucket = ({ inputs }: ModelledResource): Modelled => ({ id: text(inputs, 'bucket') });
  const ofQueue = ({ inputs }: ModelledResource): Modelled => ({ id: text(inputs, 'queueUrl') });

  const types: Record<string, (resource: ModelledResource) => Modelled> = {
    'aws:kms/key:Key': ({ name }) => {
      const id = uuid(hash(name));
      return { id, state: { keyId: id, arn: arn('kms', `key/${id}`) } };
    },
    'aws:kms/alias:Alias': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('kms', name) } };
    },

    'aws:s3/bucket:Bucket': ({ inputs }) => {
      const bucket = text(inputs, 'bucket');
      return { id: bucket, state: { arn: `arn:aws:s3:::${bucket}` } };
    },
    'aws:s3/bucketPolicy:BucketPolicy': ofBucket,
    'aws:s3/bucketVersioning:BucketVersioning': ofBucket,
    'aws:s3/bucketLogging:BucketLogging': ofBucket,
    'aws:s3/bucketCorsConfiguration:BucketCorsConfiguration': ofBucket,
    'aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration': ofBucket,
    'aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock': ofBucket,
    'aws:s3/bucketOwnershipControls:BucketOwnershipControls': ofBucket,
    'aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration': ofBucket,

    'aws:sqs/queue:Queue': ({ inputs }) => {
      const name = text(inputs, 'name');
      const url = `${place.sqsEndpoint ?? `https://sqs.${region}.amazonaws.com`}/${accountId}/${name}`;
      return { id: url, state: { url, arn: arn('sqs', name) } };
    },
    'aws:sqs/queuePolicy:QueuePolicy': ofQueue,
    'aws:sqs/redriveAllowPolicy:RedriveAllowPolicy': ofQueue,

    'aws:iam/role:Role': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: `arn:aws:iam::${accountId}:role/${name}` } };
    },
    'aws:iam/rolePolicy:RolePolicy': ({ inputs }) => ({
      id: `${text(inputs, 'role')}:${text(inputs, 'name')}`,
    }),

    'aws:lambda/function:Function': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('lambda', `function:${name}`) } };
    },
    'aws:lambda/eventSourceMapping:EventSourceMapping': ({ name }) => ({ id: uuid(hash(name)) }),
    'aws:sfn/stateMachine:StateMachine': ({ inputs }) => {
      const id = arn('states', `stateMachine:${text(inputs, 'name')}`);
      return { id, state: { arn: id } };
    },

    'aws:mediaconvert/queue:Queue': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('mediaconvert', `queues/${name}`) } };
    },
    'aws:cloudformation/stack:Stack': ({ inputs }) => {
      const name = text(inputs, 'name');
      const id = arn('cloudformation', `stack/${name}/${uuid(hash(name))}`);
      return { id, state: { outputs: stackOutputs(text(inputs, 'templateBody'), arn) } };
    },

    'aws:cloudwatch/logGroup:LogGroup': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('logs', `log-group:${name}`) } };
    },
    'aws:cloudwatch/logResourcePolicy:LogResourcePolicy': ({ inputs }) => ({
      id: text(inputs, 'policyName'),
    }),
    'aws:cloudwatch/eventRule:EventRule': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('events', `rule/${name}`) } };
    },
    'aws:cloudwatch/eventTarget:EventTarget': ({ inputs }) => ({
      id: `${text(inputs, 'rule')}-${text(inputs, 'targetId')}`,
    }),
    'aws:sns/topic:Topic': ({ inputs }) => {
      const id = arn('sns', text(inputs, 'name'));
      return { id, state: { arn: id } };
    },
    'aws:sns/topicPolicy:TopicPolicy': ({ inputs }) => ({ id: text(inputs, 'arn') }),
    'aws:sns/topicSubscription:TopicSubscription': ({ inputs, name }) => ({
      id: `${text(inputs, 'topic')}:${uuid(hash(name))}`,
    }),

    'aws:secretsmanager/secret:Secret': ({ inputs, id: existing }) => {
      if (existing) return { id: existing, state: { arn: existing, name: secretName(existing) } };
      const name = text(inputs, 'name');
      // Secrets Manager ends every ARN with six characters of its own
      const id = arn('secretsmanager', `secret:${name}-${hash(name).slice(0, 6)}`);
      return { id, state: { arn: id } };
    },
    'aws:secretsmanager/secretVersion:SecretVersion': ({ inputs, name }) => ({
      id: `${text(inputs, 'secretId')}|${uuid(hash(name))}`,
    }),

    'aws:apigatewayv2/api:Api': ({ name }) => {
      const id = hash(name).slice(0, 10);
      return {
        id,
        state: {
          // the control plane's ARN has no account
          arn: `arn:aws:apigateway:${region}::/apis/${id}`,
          executionArn: arn('execute-api', id),
          apiEndpoint: place.apiEndpoint ?? `https://${id}.execute-api.${region}.amazonaws.com`,
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

    'aws:ecr/repository:Repository': ({ inputs }) => {
      const name = text(inputs, 'name');
      const repositoryUrl = `${accountId}.dkr.ecr.${region}.amazonaws.com/${name}`;
      return { id: name, state: { arn: arn('ecr', `repository/${name}`), repositoryUrl } };
    },
    // the same content has the same tag, and the same digest
    'docker-build:index:Image': ({ inputs }) => {
      const digest = `sha256:${createHash('sha256').update(JSON.stringify(inputs.tags)).digest('hex')}`;
      return { id: digest, state: { digest } };
    },
    'aws:ecr/lifecyclePolicy:LifecyclePolicy': ({ inputs }) => ({ id: text(inputs, 'repository') }),
    'aws:ecs/cluster:Cluster': ({ inputs }) => {
      const id = arn('ecs', `cluster/${text(inputs, 'name')}`);
      return { id, state: { arn: id } };
    },
    'aws:ecs/service:Service': ({ inputs }) => {
      const cluster = text(inputs, 'cluster').replace(/^.*:cluster\//, '');
      const id = arn('ecs', `service/${cluster}/${text(inputs, 'name')}`);
      return { id, state: { arn: id } };
    },
    'aws:appautoscaling/target:Target': ({ inputs }) => ({ id: text(inputs, 'resourceId') }),
    'aws:appautoscaling/policy:Policy': ({ inputs }) => {
      const name = text(inputs, 'name');
      const id = uuid(hash(name));
      const resource = `resource/ecs/${text(inputs, 'resourceId')}:policyName/${name}`;
      return { id: name, state: { arn: arn('autoscaling', `scalingPolicy:${id}:${resource}`) } };
    },

    'aws:rds/subnetGroup:SubnetGroup': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('rds', `subgrp:${name}`) } };
    },
    'aws:rds/parameterGroup:ParameterGroup': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('rds', `pg:${name}`) } };
    },
    'aws:rds/instance:Instance': ({ inputs, name }) => {
      const identifier = text(inputs, 'identifier');
      const id = hash(name);
      const secret = `rds!db-${uuid(id)}-${id.slice(0, 6)}`;
      return {
        id: `db-${id.slice(0, 26).toUpperCase()}`,
        state: {
          arn: arn('rds', `db:${identifier}`),
          address: `${identifier}.${id.slice(0, 12)}.${region}.rds.amazonaws.com`,
          masterUserSecrets: [
            { secretArn: arn('secretsmanager', `secret:${secret}`), secretStatus: 'active' },
          ],
        },
      };
    },

    'aws:cloudwatch/metricAlarm:MetricAlarm': ({ inputs }) => {
      const name = text(inputs, 'name');
      return { id: name, state: { arn: arn('cloudwatch', `alarm:${name}`) } };
    },
    'aws:cloudwatch/dashboard:Dashboard': ({ inputs }) => {
      const name = text(inputs, 'dashboardName');
      return { id: name, state: { dashboardArn: `arn:aws:cloudwatch::${accountId}:dashboard/${name}` } };
    },

    'aws:ecs/taskDefinition:TaskDefinition': ({ inputs }) => {
      const family = text(inputs, 'family');
      return { id: family, state: { arn: arn('ecs', `task-definition/${family}:1`), revision: 1 } };
    },
  };

  return (resource) => {
    const computed = types[resource.type]?.(resource);
    return computed;
  };
}

function text(inputs: Properties, key: string): string {
  const value = inputs[key];
  if (typeof value !== 'string') throw new Error(`${key} must be given and be text`);
  return value;
}

const object = (inputs: Properties, key: string) => {
  const value = inputs[key];
  return typeof value === 'object' && value !== null ? value : {};
};

const uuid = (hex: string) => hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');

const secretName = (arn: string) => arn.replace(/^.*:secret:/, '').replace(/-[^-]{6}$/, '');

interface Template {
  Resources: Record<string, { Type: string; Properties: { Name: string } }>;
  Outputs: Record<string, { Value: { 'Fn::GetAtt': [string, 'Arn'] } }>;
}

/** Evaluates the outputs of a CloudFormation template whose resources are MediaConvert job templates. */
function stackOutputs(templateBody: string, arn: (service: string, resource: string) => string) {
  // the program's own template: anything else in it fails here
  const { Resources, Outputs } = JSON.parse(templateBody) as Template;
  return Object.fromEntries(
    Object.entries(Outputs).map(([key, { Value }]) => {
      const resource = Resources[Value['Fn::GetAtt'][0]];
      if (resource?.Type !== 'AWS::MediaConvert::JobTemplate')
        throw new Error(`output ${key}: unknown resource`);
      return [key, arn('mediaconvert', `jobTemplates/${resource.Properties.Name}`)];
    }),
  );
}
