import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetQueueUrlCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { readLog, type SourcedLine } from '../../local/trace-report.ts';
import { signCallback } from '../../statemachines/callback-signature.ts';
import type { TestStack } from './stack.ts';

/** What an operator reads of a running stack, and sends to it. */
export const operatorOf = ({ stack, directory, as }: TestStack) => ({
  /** The log, once it has what is waited for: lines take a moment from a process to the file. */
  async logOnce(complete: (lines: SourcedLine[]) => boolean): Promise<SourcedLine[]> {
    for (let attempt = 0; ; attempt++) {
      const lines = await readLog(directory);
      if (complete(lines) || attempt === 100) return lines;
      await sleep(50);
    }
  },

  /** Samples of `/metrics`: `name{labels}` → value. */
  async samples(): Promise<(sample: string) => number> {
    const text = await (await fetch(`${stack.apiUrl}/metrics`)).text();
    const values = new Map(
      text.split('\n').flatMap((line) => {
        const [, name, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
        return name ? [[name, Number(value)]] : [];
      }),
    );
    return (sample) => values.get(sample) ?? 0;
  },

  /** Puts a message among the dead letters, as break-glass may. */
  async bury(MessageBody: string, MessageAttributes?: Record<string, MessageAttributeValue>) {
    const sqs = new SQSClient(as('admin'));
    const QueueName = stack.manifest.queues.find(({ name }) => name.includes('dlq'))?.name;
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes }));
    sqs.destroy();
  },

  /** Sends a callback signed with each of the secrets; the status of the answer. */
  async sendCallback(secrets: string[], body: string): Promise<number> {
    const response = await fetch(`${stack.apiUrl}/internal/media-processing/callback`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-toq-signature': signCallback(secrets, Date.now() / 1000, body),
      },
      body,
    });
    await response.body?.cancel();
    return response.status;
  },
});
