import {
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import { z } from 'zod';
import type { QueueMessage } from '../../statemachines/contracts.ts';

/** The processing queue. Delivery is at least once; the execution's name makes the effect happen once. */
export interface JobQueue {
  /** Resolves when the queue has the message. `attributes` become string attributes. */
  send(message: QueueMessage, attributes: Record<string, string>): Promise<void>;
}

const RedriveTarget = z.object({ deadLetterTargetArn: z.string() });

/**
 * The processing queue, over the AWS SDK. `reachable` rejects when the queue does not answer; `deadLetters` counts the
 * messages in its dead letter queue, approximately.
 */
export function sqsJobQueue(queueUrl: string, clientConfig?: SQSClientConfig) {
  // the endpoint comes from the environment like that of every other client, not from the queue's URL
  const sqs = new SQSClient({ ...clientConfig, useQueueUrlAsEndpoint: false });

  async function attributesOf(url: string, name: QueueAttributeName, abortSignal?: AbortSignal) {
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [name] });
    const { Attributes = {} } = await sqs.send(command, abortSignal ? { abortSignal } : {});
    return Attributes;
  }

  return {
    async send(message, attributes) {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: JSON.stringify(message),
          MessageAttributes: Object.fromEntries(
            Object.entries(attributes).map(([name, value]) => [
              name,
              { DataType: 'String', StringValue: value },
            ]),
          ),
        }),
      );
    },

    async reachable(abortSignal: AbortSignal) {
      await attributesOf(queueUrl, 'QueueArn', abortSignal);
    },

    async deadLetters() {
      const { RedrivePolicy = '{}' } = await attributesOf(queueUrl, 'RedrivePolicy');
      const { deadLetterTargetArn } = RedriveTarget.parse(JSON.parse(RedrivePolicy));
      // a queue and its dead letters share account and region
      const deadLetterUrl = queueUrl.replace(/[^/]+$/, deadLetterTargetArn.split(':').at(-1) ?? '');
      const { ApproximateNumberOfMessages } = await attributesOf(
        deadLetterUrl,
        'ApproximateNumberOfMessages',
      );
      return Number(ApproximateNumberOfMessages);
    },
  } satisfies JobQueue & Record<'reachable' | 'deadLetters', unknown>;
}
