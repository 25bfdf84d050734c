import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { LOAD_BALANCER_LOGS } from './bucket-policies.ts';
import type { Foundation } from './foundation.ts';
import type { Network } from './network.ts';

export interface LoadBalancerArgs extends Foundation {
  network: Network;
  /** Where the access logs go; encrypted with S3's own keys, the only ones a load balancer writes with. */
  logsBucket: pulumi.Input<string>;
  listenerPort: number;
  /** Of the API's domain; without one the listener speaks plain HTTP, inside the VPC. */
  certificateArn?: string | undefined;
  /** Port of the service's tasks. */
  servicePort: number;
  /** Refuse to be deleted. */
  protect: boolean;
}

/** TLS 1.3, and 1.2 with forward secrecy. */
const TLS_POLICY = 'ELBSecurityPolicy-TLS13-1-2-2021-06';

/** The internal load balancer in front of the service's tasks: reached through the API's VPC link and from nowhere else. */
export class LoadBalancer extends pulumi.ComponentResource {
  readonly listenerArn: pulumi.Output<string>;
  /** Known only when a listener forwards to it: ECS refuses a group that no load balancer uses. */
  readonly targetGroupArn: pulumi.Output<string>;
  /** `app/{name}/{id}`, as metrics name it. */
  readonly arnSuffix: pulumi.Output<string>;
  /** `targetgroup/{name}/{id}`, as metrics name it. */
  readonly targetGroupArnSuffix: pulumi.Output<string>;

  constructor(name: string, args: LoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:LoadBalancer', name, {}, opts);
    const { names, network } = args;

    const balancer = new aws.lb.LoadBalancer(
      name,
      {
        name: names.loadBalancer,
        loadBalancerType: 'application',
        internal: true,
        subnets: network.privateSubnetIds,
        securityGroups: [network.securityGroups.loadBalancer],
        accessLogs: { enabled: true, bucket: args.logsBucket, prefix: LOAD_BALANCER_LOGS },
        dropInvalidHeaderFields: true,
        desyncMitigationMode: 'defensive',
        enableDeletionProtection: args.protect,
        // less than the 65 s for which the service keeps an idle connection: this side closes first
        idleTimeout: 60,
      },
      { parent: this },
    );
    const targets = new aws.lb.TargetGroup(
      name,
      {
        name: names.loadBalancer,
        vpcId: network.vpcId,
        targetType: 'ip',
        protocol: 'HTTP',
        port: args.servicePort,
        // ECS sends SIGTERM when this is over; no request takes longer than 30 s (requestTimeout of the service)
        deregistrationDelay: 30,
        healthCheck: {
          path: '/readyz',
          matcher: '200',
          interval: 10,
          timeout: 5,
          healthyThreshold: 2,
          unhealthyThreshold: 3,
        },
      },
      { parent: this },
    );
    const listener = new aws.lb.Listener(
      name,
      {
        loadBalancerArn: balancer.arn,
        port: args.listenerPort,
        ...(args.certificateArn
          ? { protocol: 'HTTPS', certificateArn: args.certificateArn, sslPolicy: TLS_POLICY }
          : { protocol: 'HTTP' }),
        defaultActions: [{ type: 'forward', targetGroupArn: targets.arn }],
      },
      { parent: this },
    );

    this.listenerArn = listener.arn;
    this.targetGroupArn = pulumi.all([targets.arn, listener.id]).apply(([arn]) => arn);
    this.arnSuffix = balancer.arnSuffix;
    this.targetGroupArnSuffix = targets.arnSuffix;
    this.registerOutputs({ listenerArn: this.listenerArn, targetGroupArn: this.targetGroupArn });
  }
}
