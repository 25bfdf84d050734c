import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { QueueMessage } from '../../statemachines/contracts.ts';

/** The processing queue. Delivery is at least once; the execution's name makes the effect happen once. */
export interface JobQueue {
  /** Resolves when the queue has the message. `attributes` become string attributes. */
  send(message: QueueMessage, attributes: Record<string, string>): Promise<void>;
}

/** The processing queue, over the AWS SDK. */
export function sqsJobQueue(sqs: SQSClient, queueUrl: string): JobQueue {
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
  };
}
