import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import type { LoadBalancer } from './load-balancer.ts';
import { logGroup } from './log-group.ts';
import type { Network } from './network.ts';
import { CONTAINER } from './service-container.ts';

export interface FargateArgs extends Foundation {
  taskDefinitionArn: pulumi.Input<string>;
  servicePort: number;
  /** How many copies of the task run, at least and at most. */
  tasks: { min: number; max: number };
  network: Network;
  loadBalancer: LoadBalancer;
}

/** Share of its CPU, in percent, that a task is to use. */
const CPU_TARGET = 60;
/** Requests a minute that a task is to answer. */
const REQUEST_TARGET = 1000;

/** The cluster, and in it as many copies of the service's task as there is work for. */
export class Fargate extends pulumi.ComponentResource {
  readonly clusterName: pulumi.Output<string>;
  readonly clusterArn: pulumi.Output<string>;
  readonly serviceName: pulumi.Output<string>;

  constructor(name: string, args: FargateArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Fargate', name, {}, opts);
    const { names, network, loadBalancer } = args;

    // before the cluster: Container Insights would make its own, which keeps everything
    const insights = logGroup(name, names.clusterLogs, args, { parent: this });
    const cluster = new aws.ecs.Cluster(
      name,
      { name: names.cluster, settings: [{ name: 'containerInsights', value: 'enabled' }] },
      { parent: this, dependsOn: insights },
    );
    const service = new aws.ecs.Service(
      name,
      {
        name: names.service,
        cluster: cluster.arn,
        taskDefinition: args.taskDefinitionArn,
        launchType: 'FARGATE',
        platformVersion: 'LATEST',
        desiredCount: args.tasks.min,
        networkConfiguration: {
          subnets: network.privateSubnetIds,
          securityGroups: [network.securityGroups.service],
          assignPublicIp: false,
        },
        loadBalancers: [
          {
            targetGroupArn: loadBalancer.targetGroupArn,
            containerName: CONTAINER,
            containerPort: args.servicePort,
          },
        ],
        // new tasks first, old ones go when they answer; a version that does not come up is taken back
        deploymentMinimumHealthyPercent: 100,
        deploymentMaximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        availabilityZoneRebalancing: 'ENABLED',
        healthCheckGracePeriodSeconds: 60,
        enableExecuteCommand: false,
        propagateTags: 'SERVICE',
        waitForSteadyState: true,
      },
      // autoscaling decides how many
      { parent: this, ignoreChanges: ['desiredCount'] },
    );
    this.clusterName = cluster.name;
    this.clusterArn = cluster.arn;
    this.serviceName = service.name;

    const scaled = new aws.appautoscaling.Target(
      name,
      {
        serviceNamespace: 'ecs',
        scalableDimension: 'ecs:service:DesiredCount',
        resourceId: pulumi.interpolate`service/${cluster.name}/${service.name}`,
        minCapacity: args.tasks.min,
        maxCapacity: args.tasks.max,
      },
      { parent: this },
    );
    const scale = (
      part: string,
      targetValue: number,
      predefinedMetricSpecification: aws.types.input.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
    ) =>
      new aws.appautoscaling.Policy(
        `${name}-${part}`,
        {
          name: `${names.service}-${part}`,
          policyType: 'TargetTrackingScaling',
          serviceNamespace: scaled.serviceNamespace,
          scalableDimension: scaled.scalableDimension,
          resourceId: scaled.resourceId,
          // up within a minute or two, down slowly: a photographer uploads in bursts
          targetTrackingScalingPolicyConfiguration: {
            predefinedMetricSpecification,
            targetValue,
            scaleOutCooldown: 60,
            scaleInCooldown: 300,
          },
        },
        { parent: this },
      );
    scale('cpu', CPU_TARGET, { predefinedMetricType: 'ECSServiceAverageCPUUtilization' });
    scale('requests', REQUEST_TARGET, {
      predefinedMetricType: 'ALBRequestCountPerTarget',
      resourceLabel: pulumi.interpolate`${loadBalancer.arnSuffix}/${loadBalancer.targetGroupArnSuffix}`,
    });

    this.registerOutputs({
      clusterName: this.clusterName,
      clusterArn: this.clusterArn,
      serviceName: this.serviceName,
    });
  }
}
