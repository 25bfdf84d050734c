import {
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import type { QueueMessage } from '../../statemachines/contracts.ts';

/** The processing queue. Delivery is at least once; the execution's name makes the effect happen once. */
export interface JobQueue {
  /** Resolves when the queue has the message. `attributes` become string attributes. */
  send(message: QueueMessage, attributes: Record<string, string>): Promise<void>;
}

/** The processing queue, over the AWS SDK. `reachable` rejects when the queue does not answer. */
export function sqsJobQueue(queueUrl: string, clientConfig?: SQSClientConfig) {
  // the endpoint comes from the environment like that of every other client, not from the queue's URL
  const sqs = new SQSClient({ ...clientConfig, useQueueUrlAsEndpoint: false });

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
      await sqs.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }), {
        abortSignal,
      });
    },
  } satisfies JobQueue & { reachable(abortSignal: AbortSignal): Promise<void> };
}
