import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Names } from './names.ts';

export interface SecurityGroupsArgs {
  names: Names;
  vpcId: pulumi.Input<string>;
  /** Port of the load balancer's listener. */
  listenerPort: number;
  /** Port of the service's tasks. */
  servicePort: number;
  /** Where the database is; without a block it is in this VPC. */
  database: { port: number; cidrBlock?: string | undefined };
}

type Peer = { group: pulumi.Input<string> } | { block: string };

/** Who may talk to whom inside the VPC, all of it: whatever is not here is refused. */
export class SecurityGroups extends pulumi.ComponentResource {
  readonly vpcLink: pulumi.Output<string>;
  readonly loadBalancer: pulumi.Output<string>;
  readonly service: pulumi.Output<string>;
  readonly endpoints: pulumi.Output<string>;
  /** Of a database that the stack provides; nothing is in it otherwise. */
  readonly database: pulumi.Output<string>;

  constructor(name: string, args: SecurityGroupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:SecurityGroups', name, {}, opts);

    const group = (part: string, description: string) => {
      const physicalName = args.names.securityGroup(part);
      return new aws.ec2.SecurityGroup(
        `${name}-${part}`,
        { name: physicalName, description, vpcId: args.vpcId, tags: { Name: physicalName } },
        { parent: this },
      ).id;
    };
    this.vpcLink = group('vpc-link', 'API Gateway on its way to the load balancer');
    this.loadBalancer = group('load-balancer', 'Load balancer of the service');
    this.service = group('service', 'Tasks of the service, and migrations');
    this.endpoints = group('endpoints', 'Interface endpoints of AWS services');
    this.database = group('database', 'Database that the stack provides');

    // the default group lets its members talk to each other: nothing is to be its member
    new aws.ec2.DefaultSecurityGroup(
      `${name}-default`,
      { vpcId: args.vpcId, ingress: [], egress: [] },
      { parent: this },
    );

    const permit = (part: string, from: pulumi.Input<string>, to: Peer, port: number) =>
      this.permit(`${name}-${part}`, part.replaceAll('-', ' '), from, to, port);
    permit('vpc-link-to-load-balancer', this.vpcLink, { group: this.loadBalancer }, args.listenerPort);
    permit('load-balancer-to-service', this.loadBalancer, { group: this.service }, args.servicePort);
    // AWS and the token issuer's keys, by way of the NAT gateway where no endpoint is nearer
    permit('service-to-https', this.service, { block: '0.0.0.0/0' }, 443);
    permit('service-to-endpoints', this.service, { group: this.endpoints }, 443);
    const { port, cidrBlock } = args.database;
    permit(
      'service-to-database',
      this.service,
      cidrBlock ? { block: cidrBlock } : { group: this.database },
      port,
    );
    this.registerOutputs({
      vpcLink: this.vpcLink,
      loadBalancer: this.loadBalancer,
      service: this.service,
      endpoints: this.endpoints,
      database: this.database,
    });
  }

  /** Lets `from` open TCP connections to a port of `to`: out of the one group and, where `to` is one of ours, into it. */
  private permit(name: string, description: string, from: pulumi.Input<string>, to: Peer, port: number) {
    const rule = { ipProtocol: 'tcp', fromPort: port, toPort: port, description };
    new aws.vpc.SecurityGroupEgressRule(
      name,
      {
        ...rule,
        securityGroupId: from,
        ...('group' in to ? { referencedSecurityGroupId: to.group } : { cidrIpv4: to.block }),
      },
      { parent: this },
    );
    if ('block' in to) return;
    new aws.vpc.SecurityGroupIngressRule(
      name,
      { ...rule, securityGroupId: to.group, referencedSecurityGroupId: from },
      { parent: this },
    );
  }
}
