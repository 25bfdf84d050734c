import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { policy, type Statement, type Text } from './policies.ts';

export interface TranscodeEventsArgs extends Foundation {
  /** MediaConvert queue whose jobs are watched. */
  queueArn: pulumi.Input<string>;
  alertsTopicArn: pulumi.Input<string>;
}

/**
 * What MediaConvert says at the end of a job. The state machine waits for its jobs by itself (`.sync`); this is for
 * people: failures are alerts, and every end is kept in a log group to reconcile against.
 */
export class TranscodeEvents extends pulumi.ComponentResource {
  readonly ruleArn: pulumi.Output<string>;

  constructor(name: string, args: TranscodeEventsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:TranscodeEvents', name, {}, opts);

    const ended = new aws.cloudwatch.EventRule(
      `${name}-ended`,
      {
        name: args.names.transcodeRule,
        description: 'MediaConvert jobs of listings that ended',
        eventPattern: pattern(args.queueArn, ['COMPLETE', 'ERROR']),
      },
      { parent: this },
    );
    const failed = new aws.cloudwatch.EventRule(
      `${name}-failed`,
      {
        name: args.names.transcodeErrorRule,
        description: 'MediaConvert jobs of listings that failed',
        eventPattern: pattern(args.queueArn, ['ERROR']),
      },
      { parent: this },
    );

    const kept = logGroup(name, args.names.transcodeEventLogs, args, { parent: this });
    new aws.cloudwatch.LogResourcePolicy(
      name,
      {
        policyName: args.names.transcodeRule,
        policyDocument: policy(eventLogPolicy(kept.arn, ended.arn)),
      },
      { parent: this },
    );
    new aws.cloudwatch.EventTarget(
      `${name}-ended`,
      { rule: ended.name, targetId: 'reconciliation', arn: kept.arn },
      { parent: this },
    );
    new aws.cloudwatch.EventTarget(
      `${name}-failed`,
      { rule: failed.name, targetId: 'alerts', arn: args.alertsTopicArn },
      { parent: this },
    );

    this.ruleArn = ended.arn;
    this.registerOutputs({ ruleArn: this.ruleArn });
  }
}

const pattern = (queueArn: pulumi.Input<string>, statuses: string[]) =>
  pulumi.jsonStringify({
    source: ['aws.mediaconvert'],
    'detail-type': ['MediaConvert Job State Change'],
    detail: { status: statuses, queue: [queueArn] },
  });

/** Policy of a log group that EventBridge delivers a rule's events to. Only the writing knows its rule. */
const eventLogPolicy = (logGroupArn: Text, ruleArn: Text): Statement[] => {
  const common = {
    Effect: 'Allow' as const,
    Principal: { Service: ['delivery.logs.amazonaws.com', 'events.amazonaws.com'] },
    Resource: pulumi.interpolate`${logGroupArn}:*`,
  };
  return [
    { ...common, Action: 'logs:CreateLogStream' },
    { ...common, Action: 'logs:PutLogEvents', Condition: { ArnEquals: { 'aws:SourceArn': ruleArn } } },
  ];
};
