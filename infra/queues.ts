import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';
import { denyInsecureTransport, policy } from './policies.ts';

const DAY = 24 * 60 * 60;

/** The queue of processing jobs, and where a message goes that was received five times in vain. */
export class Queues extends pulumi.ComponentResource {
  readonly arn: pulumi.Output<string>;
  readonly url: pulumi.Output<string>;
  readonly deadLetterArn: pulumi.Output<string>;
  readonly deadLetterUrl: pulumi.Output<string>;

  constructor(name: string, args: Foundation, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Queues', name, {}, opts);

    const deadLetters = new aws.sqs.Queue(
      `${name}-dead-letters`,
      {
        name: args.names.deadLetterQueue,
        messageRetentionSeconds: 14 * DAY,
        receiveWaitTimeSeconds: 20,
        kmsMasterKeyId: args.keyArn,
      },
      { parent: this },
    );
    const jobs = new aws.sqs.Queue(
      `${name}-jobs`,
      {
        name: args.names.queue,
        // six times the consumer's timeout, as AWS advises for Lambda
        visibilityTimeoutSeconds: 60,
        messageRetentionSeconds: 4 * DAY,
        receiveWaitTimeSeconds: 20,
        kmsMasterKeyId: args.keyArn,
        redrivePolicy: pulumi.jsonStringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: 5 }),
      },
      { parent: this },
    );
    new aws.sqs.RedriveAllowPolicy(
      `${name}-dead-letters`,
      {
        queueUrl: deadLetters.url,
        redriveAllowPolicy: pulumi.jsonStringify({
          redrivePermission: 'byQueue',
          sourceQueueArns: [jobs.arn],
        }),
      },
      { parent: this },
    );
    for (const [part, queue] of Object.entries({ jobs, 'dead-letters': deadLetters })) {
      new aws.sqs.QueuePolicy(
        `${name}-${part}`,
        { queueUrl: queue.url, policy: policy([denyInsecureTransport('sqs:*', [queue.arn])]) },
        { parent: this },
      );
    }

    this.arn = jobs.arn;
    this.url = jobs.url;
    this.deadLetterArn = deadLetters.arn;
    this.deadLetterUrl = deadLetters.url;
    this.registerOutputs({
      arn: this.arn,
      url: this.url,
      deadLetterArn: this.deadLetterArn,
      deadLetterUrl: this.deadLetterUrl,
    });
  }
}
