import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

export interface RedriveOptions {
  /** URL of the dead-letter queue */
  from: string;
  /** URL of the queue that the messages come from */
  to: string;
  /** messages a second */
  rate: number;
  /** stops after so many */
  max?: number;
  /** looks at the messages and puts them back */
  dryRun?: boolean;
  /** ends the run after the message that is under way */
  signal?: AbortSignal;
  /** told of each message after it has been moved, or looked at */
  onMessage?: (message: Message) => void;
}

export interface Redriven {
  /** in a dry run: would have been */
  moved: number;
  /** came back to the dead-letter queue while the run went on, and stay there */
  returned: number;
}

/** SQS hands out no more at once. */
const LARGEST_PORTION = 10;
/** Seconds beyond the time that moving a portion takes, before another reader may see its rest. */
const SPARE_SECONDS = 60;
/** Long enough that a dry run meets no message twice. */
const DRY_RUN_SECONDS = 600;
const LONGEST_VISIBILITY_SECONDS = 12 * 3600;

/**
 * Moves messages, with body and attributes, out of a dead-letter queue. A message is deleted there only after its send has
 * succeeded, so an interrupted run loses nothing; at worst a message is moved twice, and the name of its execution makes
 * that one run. What comes back while the run goes on is left, so that poison does not circle. (`StartMessageMoveTask`
 * would do without this loop, but can neither stop at a number nor be tried locally.)
 */
export async function redrive(sqs: SQSClient, options: RedriveOptions): Promise<Redriven> {
  const { from, to, rate, max = Number.POSITIVE_INFINITY, dryRun = false, signal, onMessage } = options;
  const sent = new Set<string>();
  const held: Message[] = [];
  const returned = new Set<string>();
  let moved = 0;
  const stopped = () => signal?.aborted ?? false;

  async function receive() {
    const portion = Math.min(LARGEST_PORTION, max - moved);
    const seconds = dryRun ? DRY_RUN_SECONDS : Math.ceil(portion / rate) + SPARE_SECONDS;
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: from,
        MaxNumberOfMessages: portion,
        VisibilityTimeout: Math.min(seconds, LONGEST_VISIBILITY_SECONDS),
        WaitTimeSeconds: 1,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages;
  }

  async function move(message: Message) {
    const trace = message.Attributes?.AWSTraceHeader;
    const { MessageId } = await sqs.send(
      new SendMessageCommand({
        QueueUrl: to,
        MessageBody: message.Body,
        MessageAttributes: message.MessageAttributes,
        ...(trace && {
          MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } },
        }),
      }),
    );
    if (MessageId) sent.add(MessageId);
    await sqs.send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle: message.ReceiptHandle }));
  }

  /** Makes what has been received and not moved visible again; what that fails for becomes visible by itself. */
  const release = () =>
    Promise.allSettled(
      held.map(({ ReceiptHandle }) =>
        sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: from, ReceiptHandle, VisibilityTimeout: 0 })),
      ),
    );

  try {
    while (!stopped() && moved < max) {
      const messages = await receive();
      if (messages.length === 0) break;
      held.push(...messages);
      for (const message of messages) {
        if (stopped()) break;
        const { MessageId = '' } = message;
        if (sent.has(MessageId)) {
          returned.add(MessageId);
          continue;
        }
        if (!dryRun) {
          await move(message);
          held.splice(held.indexOf(message), 1);
        }
        moved += 1;
        onMessage?.(message);
        // the abort is how the pause ends early
        if (!dryRun) await sleep(1000 / rate, undefined, { signal }).catch(() => undefined);
      }
    }
  } finally {
    await release();
  }
  return { moved, returned: returned.size };
}
