import path from 'node:path';
import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import test, { type ExecutionContext } from 'ava';
import type { EventSourceMapping } from '../../../local/graph/manifest.ts';
import { startEventSources } from '../../../local/lambda/event-source.ts';
import { createQueues } from '../../../local/queues.ts';
import { ACCOUNT, REGION } from '../../support/front-door.ts';
import { eventually, openFunctions } from '../../support/lambda-functions.ts';

/** A consumer that does to a batch what the body of an item says. */
const CONSUMER = `
  export const handler = async ({ Records }) => {
    for (const record of Records) console.log(JSON.stringify(record));
    if (Records.some(({ body }) => body === 'explode')) throw new Error('no');
    if (Records.some(({ body }) => body === 'nonsense')) return { batchItemFailures: [{ itemIdentifier: 'nobody' }] };
    const failed = Records.filter(({ body }) => body === 'poison');
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
`;

/** The consumer behind a mapping, not yet started, of the queue `work`, whose messages end in `dead`. */
async function openConsumer(t: ExecutionContext, mapping: Partial<EventSourceMapping> = {}) {
  const lambda = await openFunctions(t, { consumer: CONSUMER }, { consumer: {} });
  const queue = (name: string, attributes: Record<string, string>) => ({
    name,
    arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
    url: `${lambda.door.endpoint}/${ACCOUNT}/${name}`,
    attributes,
  });
  const dead = queue('dead', {});
  const work = queue('work', {
    VisibilityTimeout: '1',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 5 }),
  });
  const queues = await createQueues({
    queues: [dead, work],
    topics: [],
    region: REGION,
    directory: path.join(lambda.directory, 'sqs'),
  });
  t.teardown(queues.close);
  lambda.door.services.sqs = queues.sqs;
  const sqs = new SQSClient(lambda.door.client());
  t.teardown(() => sqs.destroy());
  const start = () =>
    startEventSources({
      mappings: [
        {
          queueArn: work.arn,
          functionArn: lambda.functions.find('consumer').arn,
          batchSize: 10,
          maximumBatchingWindowSeconds: 0,
          reportBatchItemFailures: true,
          ...mapping,
        },
      ],
      queues: [dead, work],
      functions: lambda.functions,
      region: REGION,
      endpoint: lambda.door.endpoint,
      credentials: lambda.door.credentials,
      report: (error) => lambda.lines.push(String(error)),
    });
  return {
    ...lambda,
    sqs,
    work: work.url,
    start,
    send: (...bodies: string[]) =>
      sqs.send(
        new SendMessageBatchCommand({
          QueueUrl: work.url,
          Entries: bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody })),
        }),
      ),
    /** records that the function has seen */
    seen: () =>
      lambda.lines
        .filter((line) => line.includes('"eventSource"'))
        .map((line) => JSON.parse(line.slice('consumer '.length))),
    async counts(name: string) {
      const QueueUrl = `${lambda.door.endpoint}/${ACCOUNT}/${name}`;
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      return {
        visible: Attributes?.ApproximateNumberOfMessages,
        inFlight: Attributes?.ApproximateNumberOfMessagesNotVisible,
      };
    },
    async buried() {
      const command = new ReceiveMessageCommand({ QueueUrl: dead.url, WaitTimeSeconds: 1 });
      return (await sqs.send(command)).Messages?.[0]?.Body;
    },
  };
}

test('a mapping delivers records as Lambda shapes them and deletes what succeeded', async (t) => {
  const consumer = await openConsumer(t);
  await consumer.sqs.send(
    new SendMessageCommand({
      QueueUrl: consumer.work,
      MessageBody: 'hello',
      MessageAttributes: { JobId: { DataType: 'String', StringValue: '21' } },
    }),
  );
  const sources = consumer.start();
  const record = await eventually(() => consumer.seen()[0]);
  t.like(record, {
    body: 'hello',
    eventSource: 'aws:sqs',
    awsRegion: REGION,
    eventSourceARN: `arn:aws:sqs:${REGION}:${ACCOUNT}:work`,
    messageAttributes: { JobId: { stringValue: '21', dataType: 'String' } },
    attributes: { ApproximateReceiveCount: '1' },
  });
  await sources.close();
  t.deepEqual(await consumer.counts('work'), { visible: '0', inFlight: '0' });
});

test('a reported item ends in the dead-letter queue after five receives; its neighbours are deleted', async (t) => {
  const consumer = await openConsumer(t);
  await consumer.send('good', 'poison', 'fine');
  const sources = consumer.start();
  t.is(await eventually(consumer.buried), 'poison');
  await sources.close();
  const times = (body: string) => consumer.seen().filter((record) => record.body === body).length;
  t.is(times('poison'), 5);
  t.true(times('good') >= 1 && times('fine') >= 1);
  t.deepEqual(await consumer.counts('work'), { visible: '0', inFlight: '0' });
  t.deepEqual(await consumer.counts('dead'), { visible: '0', inFlight: '1' });
});

for (const body of ['explode', 'nonsense']) {
  test(`a batch whose function ${body === 'explode' ? 'throws' : 'names an unknown item'} comes back whole`, async (t) => {
    const consumer = await openConsumer(t);
    await consumer.send(body);
    const sources = consumer.start();
    t.is(await eventually(consumer.buried), body);
    await sources.close();
    t.is(consumer.seen().length, 5);
  });
}

test('a batch is never larger than declared', async (t) => {
  const consumer = await openConsumer(t, { batchSize: 1, maximumConcurrency: 2 });
  await consumer.send('a', 'b', 'c', 'd');
  const sources = consumer.start();
  await eventually(() => (consumer.seen().length >= 4 ? true : undefined));
  await sources.close();
  // one record an invocation, however often a slow machine delivers it
  t.is(consumer.lines.filter((line) => line.includes('REPORT')).length, consumer.seen().length);
});
