import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { denyInsecureTransport, policy, type Statement, type Text } from './policies.ts';

export interface AlertsArgs extends Foundation {
  /** Who is mailed; the address has to confirm the subscription. */
  email?: string | undefined;
}

/** The topic that alarms and failed transcodes go to. */
export class Alerts extends pulumi.ComponentResource {
  readonly topicArn: pulumi.Output<string>;

  constructor(name: string, args: AlertsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Alerts', name, {}, opts);
    const topic = new aws.sns.Topic(
      name,
      { name: args.names.alerts, kmsMasterKeyId: args.keyArn },
      { parent: this },
    );
    new aws.sns.TopicPolicy(
      name,
      { arn: topic.arn, policy: policy(alertsTopicPolicy(topic.arn, args.account.id)) },
      { parent: this },
    );
    if (args.email) {
      new aws.sns.TopicSubscription(
        `${name}-email`,
        { topic: topic.arn, protocol: 'email', endpoint: args.email },
        { parent: this },
      );
    }
    this.topicArn = topic.arn;
    this.registerOutputs({ topicArn: this.topicArn });
  }
}

/**
 * Policy of the alerts topic: EventBridge rules and this account's CloudWatch alarms publish, over TLS. EventBridge says
 * nothing about the source when it publishes, so its statement can have no condition (EventBridge user guide, "Amazon
 * SNS permissions").
 */
const alertsTopicPolicy = (topicArn: Text, accountId: string): Statement[] => [
  denyInsecureTransport('sns:Publish', [topicArn]),
  {
    Sid: 'Events',
    Effect: 'Allow',
    Principal: { Service: 'events.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: topicArn,
  },
  {
    Sid: 'Alarms',
    Effect: 'Allow',
    Principal: { Service: 'cloudwatch.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: topicArn,
    Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
  },
];
