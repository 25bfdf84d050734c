import * as aws from '@pulumi/aws';
import * as awsx from '@pulumi/awsx';
import * as pulumi from '@pulumi/pulumi';
import type { Settings } from './config.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { flowLogs } from './permissions.ts';
import { trustService } from './policies.ts';
import { Role } from './role.ts';
import { SecurityGroups } from './security-groups.ts';

export interface NetworkArgs extends Foundation {
  settings: Settings['network'];
  listenerPort: number;
  servicePort: number;
  /** Where the database is; without a block it is in this VPC. */
  database: { port: number; cidrBlock?: string | undefined };
}

/**
 * The VPC. Everything of ours runs in its private subnets; the public ones hold NAT gateways and nothing else. Traffic
 * to S3, which is nearly all there is, goes through a gateway endpoint, free and past the NAT.
 */
export class Network extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  readonly privateSubnetIds: pulumi.Output<string[]>;
  readonly securityGroups: SecurityGroups;

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Network', name, {}, opts);
    const { names, account, settings } = args;

    const vpc = new awsx.ec2.Vpc(
      `${name}-vpc`,
      {
        cidrBlock: settings.cidrBlock,
        numberOfAvailabilityZones: settings.availabilityZones,
        natGateways: { strategy: settings.natGateways === 'single' ? 'Single' : 'OnePerAz' },
        subnetStrategy: 'Auto',
        subnetSpecs: [
          { type: 'Private', cidrMask: 20 },
          { type: 'Public', cidrMask: 26 },
        ],
        enableDnsSupport: true,
        // interface endpoints answer under the services' own names
        enableDnsHostnames: true,
        tags: { Name: names.network },
      },
      { parent: this },
    );
    this.vpcId = vpc.vpcId;
    this.privateSubnetIds = vpc.privateSubnetIds;
    this.securityGroups = new SecurityGroups(
      `${name}-security`,
      {
        names,
        vpcId: vpc.vpcId,
        listenerPort: args.listenerPort,
        servicePort: args.servicePort,
        database: args.database,
      },
      { parent: this },
    );

    new aws.ec2.VpcEndpoint(
      `${name}-s3`,
      {
        vpcId: vpc.vpcId,
        serviceName: `com.amazonaws.${account.region}.s3`,
        vpcEndpointType: 'Gateway',
        routeTableIds: vpc.routeTables.apply((tables) => pulumi.all(tables.map(({ id }) => id))),
        tags: { Name: `${names.network}-s3` },
      },
      { parent: this },
    );
    for (const service of settings.interfaceEndpoints) {
      new aws.ec2.VpcEndpoint(
        `${name}-${service}`,
        {
          vpcId: vpc.vpcId,
          serviceName: `com.amazonaws.${account.region}.${service}`,
          vpcEndpointType: 'Interface',
          subnetIds: vpc.privateSubnetIds,
          securityGroupIds: [this.securityGroups.endpoints],
          privateDnsEnabled: true,
          tags: { Name: `${names.network}-${service}` },
        },
        { parent: this },
      );
    }

    const logs = logGroup(name, names.networkLogs, args, { parent: this });
    const role = new Role(
      `${name}-role`,
      {
        name: names.role('flow-logs'),
        description: 'The VPC writes its flow logs',
        trust: trustService('vpc-flow-logs.amazonaws.com', account.id),
        permissions: flowLogs(logs.arn),
      },
      { parent: this },
    );
    new aws.ec2.FlowLog(
      name,
      {
        vpcId: vpc.vpcId,
        trafficType: 'ALL',
        logDestinationType: 'cloud-watch-logs',
        logDestination: logs.arn,
        iamRoleArn: role.arn,
        maxAggregationInterval: 600,
      },
      { parent: this },
    );
    this.registerOutputs({ vpcId: this.vpcId, privateSubnetIds: this.privateSubnetIds });
  }
}
