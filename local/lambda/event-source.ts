import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { z } from 'zod';
import type { AccessKey } from '../credentials.ts';
import type { EventSourceMapping, Queue } from '../graph/manifest.ts';
import type { Functions } from './functions.ts';

export interface EventSourcesOptions {
  mappings: EventSourceMapping[];
  queues: Queue[];
  functions: Functions;
  region: string;
  endpoint: string;
  credentials(roleArn: string): AccessKey;
  /** told of a poll that failed; the next one follows after a pause */
  report?: (error: unknown) => void;
}

/** Seconds of one long poll, and the most messages that SQS gives in one. */
const POLL_SECONDS = 20;
const POLL_MESSAGES = 10;
const PAUSE_AFTER_ERROR_MS = 1000;
/** Batches at once where the mapping does not say: the pollers that Lambda begins with. */
const DEFAULT_CONCURRENCY = 5;

const Answer = z
  .object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish() })
  .nullish();

/** One of `Records` (Lambda developer guide, "Using Lambda with Amazon SQS"). */
const record = (message: Message, { arn }: Queue, region: string) => ({
  messageId: message.MessageId,
  receiptHandle: message.ReceiptHandle,
  body: message.Body,
  attributes: message.Attributes ?? {},
  messageAttributes: Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
      name,
      {
        stringValue: value.StringValue,
        binaryValue: value.BinaryValue && Buffer.from(value.BinaryValue).toString('base64'),
        stringListValues: [],
        binaryListValues: [],
        dataType: value.DataType,
      },
    ]),
  ),
  md5OfBody: message.MD5OfBody,
  md5OfMessageAttributes: message.MD5OfMessageAttributes,
  eventSource: 'aws:sqs',
  eventSourceARN: arn,
  awsRegion: region,
});

/** The messages that the function has dealt with: none when it failed or answered what cannot be understood. */
function succeeded(messages: Message[], payload: string, reportsItems: boolean): Message[] {
  if (!reportsItems) return messages;
  const answer = Answer.safeParse(JSON.parse(payload));
  if (!answer.success) return [];
  const failed = new Set(answer.data?.batchItemFailures?.map((item) => item.itemIdentifier));
  const known = messages.filter(({ MessageId }) => failed.has(MessageId ?? '')).length;
  return known === failed.size ? messages.filter(({ MessageId }) => !failed.has(MessageId ?? '')) : [];
}

/**
 * Lambda's event-source mappings for SQS. The queue is polled and emptied with the function's role, as on AWS. What a
 * batch leaves undone comes back when its visibility timeout has passed.
 */
export function startEventSources(options: EventSourcesOptions) {
  const { mappings, queues, functions, region, endpoint, credentials, report = () => {} } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function poll(mapping: EventSourceMapping, queue: Queue) {
    const { batchSize, maximumBatchingWindowSeconds, reportBatchItemFailures, maximumConcurrency } = mapping;
    const client = new SQSClient({
      endpoint,
      region,
      credentials: credentials(functions.find(mapping.functionArn).roleArn),
    });
    const running = new Set<Promise<void>>();

    async function receive(limit: number, seconds: number): Promise<Message[]> {
      const command = new ReceiveMessageCommand({
        QueueUrl: queue.url,
        MaxNumberOfMessages: Math.min(limit, POLL_MESSAGES),
        WaitTimeSeconds: seconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      });
      return (await client.send(command, { abortSignal: signal })).Messages ?? [];
    }

    async function gather(): Promise<Message[]> {
      const batch = await receive(batchSize, POLL_SECONDS);
      const end = Date.now() + maximumBatchingWindowSeconds * 1000;
      while (batch.length > 0 && batch.length < batchSize && Date.now() < end) {
        const seconds = Math.min(POLL_SECONDS, Math.ceil((end - Date.now()) / 1000));
        batch.push(...(await receive(batchSize - batch.length, seconds)));
      }
      return batch;
    }

    async function work(messages: Message[]) {
      const Records = messages.map((message) => record(message, queue, region));
      const { payload, failed } = await functions.invoke(mapping.functionArn, JSON.stringify({ Records }));
      const done = failed ? [] : succeeded(messages, payload, reportBatchItemFailures);
      for (let at = 0; at < done.length; at += POLL_MESSAGES) {
        const Entries = done
          .slice(at, at + POLL_MESSAGES)
          .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
        await client.send(new DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries }));
      }
    }

    while (!signal.aborted) {
      try {
        const messages = await gather();
        if (messages.length === 0) continue;
        const batch = work(messages)
          .catch(report)
          .finally(() => running.delete(batch));
        running.add(batch);
        if (running.size >= (maximumConcurrency ?? DEFAULT_CONCURRENCY)) await Promise.race(running);
      } catch (error) {
        if (signal.aborted) break;
        report(error);
        await sleep(PAUSE_AFTER_ERROR_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    await Promise.all(running);
    client.destroy();
  }

  const pollers = mappings.map((mapping) => {
    const queue = queues.find(({ arn }) => arn === mapping.queueArn);
    if (!queue) throw new Error(`${mapping.functionArn} polls ${mapping.queueArn}, which is not declared.`);
    return poll(mapping, queue);
  });

  return {
    /** Stops polling at once and resolves when the batches under way have ended. */
    async close() {
      stopping.abort();
      await Promise.all(pollers);
    },
  };
}
export type EventSources = ReturnType<typeof startEventSources>;
