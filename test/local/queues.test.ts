import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateTopicCommand, ListTopicsCommand, PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import test from 'ava';
import { createQueues } from '../../local/queues.ts';
import { ACCOUNT, openDoor, REGION } from '../support/front-door.ts';

const arnOf = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
const topic = { name: 'alarms', arn: `arn:aws:sns:${REGION}:${ACCOUNT}:alarms` };

async function openQueues(directory: string, attributes: Record<string, string> = {}) {
  const door = await openDoor();
  const queue = (name: string, own: Record<string, string>) => ({
    name,
    arn: arnOf(name),
    url: `${door.endpoint}/${ACCOUNT}/${name}`,
    attributes: own,
  });
  const redrive = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 2 });
  const declared = [
    queue('dead', { MessageRetentionPeriod: '1209600' }),
    queue('work', { VisibilityTimeout: '60', RedrivePolicy: redrive, ...attributes }),
  ];
  const queues = await createQueues({ queues: declared, topics: [topic], region: REGION, directory });
  Object.assign(door.services, { sqs: queues.sqs, sns: queues.sns });
  const sqs = new SQSClient(door.client());
  return {
    door,
    sqs,
    sns: new SNSClient(door.client()),
    work: declared[1]?.url,
    dead: declared[0]?.url,
    async close() {
      sqs.destroy();
      await queues.close();
      await door.close();
    },
  };
}
type Opened = Awaited<ReturnType<typeof openQueues>>;

const receive = async ({ sqs }: Opened, QueueUrl: string | undefined, options = {}) => {
  const command = new ReceiveMessageCommand({ QueueUrl, MessageSystemAttributeNames: ['All'], ...options });
  return (await sqs.send(command)).Messages ?? [];
};

let directory: string;
test.beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'queues-'));
});
test.afterEach.always(() => rm(directory, { recursive: true, force: true }));

test.serial(
  'clients see and send the declared queue URL, and a message comes back as it was sent',
  async (t) => {
    const opened = await openQueues(directory);
    t.teardown(opened.close);
    const { sqs, work } = opened;
    const url = await sqs.send(new GetQueueUrlCommand({ QueueName: 'work' }));
    t.is(url.QueueUrl, work);
    const list = await sqs.send(new ListQueuesCommand({}));
    t.deepEqual(list.QueueUrls?.toSorted(), [opened.dead, work]);

    await sqs.send(
      new SendMessageCommand({
        QueueUrl: work,
        MessageBody: '{"é":1}',
        MessageAttributes: { Traceparent: { DataType: 'String', StringValue: '00-1-2-01' } },
      }),
    );
    const [message] = await receive(opened, work, { MessageAttributeNames: ['All'] });
    t.is(message?.Body, '{"é":1}');
    t.is(message?.MessageAttributes?.Traceparent?.StringValue, '00-1-2-01');
    t.is(message?.Attributes?.ApproximateReceiveCount, '1');
    await sqs.send(new DeleteMessageCommand({ QueueUrl: work, ReceiptHandle: message?.ReceiptHandle }));
    t.deepEqual(await receive(opened, work), []);
  },
);

test.serial('a message that is received too often moves to the dead-letter queue', async (t) => {
  const opened = await openQueues(directory);
  t.teardown(opened.close);
  const { sqs, work, dead } = opened;
  await sqs.send(new SendMessageCommand({ QueueUrl: work, MessageBody: 'poison' }));
  for (const _ of [1, 2]) {
    const [message] = await receive(opened, work);
    t.is(message?.Body, 'poison');
    await sqs.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: work,
        ReceiptHandle: message?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );
  }
  t.deepEqual(await receive(opened, work), []);
  t.is((await receive(opened, dead))[0]?.Body, 'poison');
});

test.serial('a message of more than 256 KiB is refused', async (t) => {
  const opened = await openQueues(directory);
  t.teardown(opened.close);
  const send = (length: number) =>
    opened.sqs.send(new SendMessageCommand({ QueueUrl: opened.work, MessageBody: 'x'.repeat(length) }));
  await t.notThrowsAsync(send(262_144));
  await t.throwsAsync(send(262_145), { message: /262144/ });
});

test.serial(
  'messages outlive a restart on another port; the attributes follow the declaration',
  async (t) => {
    const first = await openQueues(directory);
    await first.sqs.send(new SendMessageCommand({ QueueUrl: first.work, MessageBody: 'kept' }));
    await first.close();

    const second = await openQueues(directory, { VisibilityTimeout: '7' });
    t.teardown(second.close);
    t.not(second.work, first.work);
    t.is((await second.sqs.send(new GetQueueUrlCommand({ QueueName: 'work' }))).QueueUrl, second.work);
    const { Attributes } = await second.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: second.work, AttributeNames: ['All'] }),
    );
    t.is(Attributes?.VisibilityTimeout, '7');
    t.is(Attributes?.QueueArn, arnOf('work'));
    t.is((await receive(second, second.work))[0]?.Body, 'kept');
  },
);

test.serial('what arrives after a consumer has left its long poll goes to the next one', async (t) => {
  const opened = await openQueues(directory);
  t.teardown(opened.close);
  const leaving = new AbortController();
  const poll = opened.sqs.send(new ReceiveMessageCommand({ QueueUrl: opened.work, WaitTimeSeconds: 20 }), {
    abortSignal: leaving.signal,
  });
  // the poll is at the queue when a later request of the same client has been answered
  await opened.sqs.send(new ListQueuesCommand({}));
  leaving.abort();
  await t.throwsAsync(poll, { name: 'AbortError' });
  // and the queue knows that the consumer has left when another one has been
  await opened.sqs.send(new ListQueuesCommand({}));
  await opened.sqs.send(new SendMessageCommand({ QueueUrl: opened.work, MessageBody: 'late' }));
  const [message] = await receive(opened, opened.work, { WaitTimeSeconds: 5 });
  t.is(message?.Body, 'late');
});

test.serial('the declared topics exist and take messages', async (t) => {
  const opened = await openQueues(directory);
  t.teardown(opened.close);
  const { Topics } = await opened.sns.send(new ListTopicsCommand({}));
  t.deepEqual(Topics, [{ TopicArn: topic.arn }]);
  const created = await opened.sns.send(new CreateTopicCommand({ Name: topic.name }));
  t.is(created.TopicArn, topic.arn);
  const sent = await opened.sns.send(new PublishCommand({ TopicArn: topic.arn, Message: 'queue is old' }));
  t.truthy(sent.MessageId);
});

test.serial('a queue that does not exist is named so by the SDK', async (t) => {
  const opened = await openQueues(directory);
  t.teardown(opened.close);
  const QueueUrl = `${opened.door.endpoint}/${ACCOUNT}/missing`;
  await t.throwsAsync(opened.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' })), {
    name: 'QueueDoesNotExist',
  });
});
