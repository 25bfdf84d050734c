import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import test from 'ava';
import { createQueues } from '../../../local/queues.ts';
import { sqsJobQueue } from '../../../service/adapters/job-queue.ts';
import { isUnavailable } from '../../../service/unavailable.ts';
import { fakeJobQueue } from '../../support/fake-job-queue.ts';
import { ACCOUNT, openDoor, REGION } from '../../support/front-door.ts';
import { jobQueueConformance } from '../../support/port-conformance.ts';

const arnOf = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
// as in AWS, the queue's URL names another host than the endpoint in the environment
const urlOf = (name: string) => `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`;
const queueUrl = urlOf('work');
const redrive = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 5 });

const directory = await mkdtemp(path.join(tmpdir(), 'job-queue-'));
const queues = await createQueues({
  queues: [
    { name: 'dead', arn: arnOf('dead'), url: urlOf('dead'), attributes: {} },
    { name: 'work', arn: arnOf('work'), url: queueUrl, attributes: { RedrivePolicy: redrive } },
  ],
  topics: [],
  region: REGION,
  directory,
});
const door = await openDoor();
door.services.sqs = queues.sqs;
const client = door.client('backend');
const sqs = new SQSClient(client);
const queue = sqsJobQueue(queueUrl, client);
test.after.always(async () => {
  await door.close();
  await queues.close();
  await rm(directory, { recursive: true, force: true });
});

jobQueueConformance(test, 'SQS', () => ({
  queue,
  async received() {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MessageAttributeNames: ['All'],
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 5,
      }),
    );
    for (const { ReceiptHandle } of Messages) {
      await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
    }
    return Messages.map(({ Body = '', MessageAttributes = {} }) => ({
      message: JSON.parse(Body),
      attributes: Object.fromEntries(
        Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue ?? '']),
      ),
    }));
  },
}));
jobQueueConformance(test, 'the fake queue', () => {
  const fake = fakeJobQueue();
  return { queue: fake, received: async () => fake.sent.splice(0) };
});

test('a queue that is not there is not reachable', async (t) => {
  const signal = AbortSignal.timeout(5_000);
  await t.notThrowsAsync(queue.reachable(signal));
  await t.throwsAsync(sqsJobQueue(`${queueUrl}-not`, client).reachable(signal), {
    name: 'QueueDoesNotExist',
  });
});

test('messages that ended in the dead letter queue are counted', async (t) => {
  t.is(await queue.deadLetters(), 0);
  await sqs.send(new SendMessageCommand({ QueueUrl: urlOf('dead'), MessageBody: 'given up' }));
  t.is(await queue.deadLetters(), 1);
});

test('AWS that does not answer is weather', async (t) => {
  const nowhere = { ...client, endpoint: 'http://127.0.0.1:9' };
  const error = await t.throwsAsync(sqsJobQueue(queueUrl, nowhere).reachable(AbortSignal.timeout(5_000)));
  t.true(isUnavailable(error));
});
