import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import test from 'ava';
import { type BusEvent, createEvents, matches, type Pattern } from '../../local/events.ts';
import { createQueues } from '../../local/queues.ts';
import { ACCOUNT, openDoor, REGION } from '../support/front-door.ts';

const topic = { name: 'alerts', arn: `arn:aws:sns:${REGION}:${ACCOUNT}:alerts` };

const failed = {
  source: ['aws.mediaconvert'],
  detail: { status: ['ERROR'], queue: [{ prefix: 'arn:aws:mediaconvert:' }] },
};

test('PutEvents reaches the topics of the rules that match, and says which entries it did not understand', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'toq-events-'));
  const door = await openDoor();
  const queue = {
    name: 'inbox',
    arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:inbox`,
    url: `${door.endpoint}/${ACCOUNT}/inbox`,
    attributes: {},
  };
  const queues = await createQueues({ queues: [queue], topics: [topic], region: REGION, directory });
  t.teardown(async () => {
    await door.close();
    await queues.close();
    await rm(directory, { recursive: true, force: true });
  });
  const { service } = createEvents({
    manifest: {
      region: REGION,
      accountId: ACCOUNT,
      rules: [
        { name: 'failed', arn: 'arn:rule', pattern: failed, targets: [{ id: 'alerts', arn: topic.arn }] },
      ],
    },
    deliver: (target, event) => queues.publish(target, JSON.stringify(event)),
    report: (error) => t.fail(String(error)),
  });
  Object.assign(door.services, { events: service, sqs: queues.sqs, sns: queues.sns });
  const inbox = new SQSClient(door.client());
  await new SNSClient(door.client()).send(
    new SubscribeCommand({ TopicArn: topic.arn, Protocol: 'sqs', Endpoint: queue.arn }),
  );
  const entry = (Detail: string) => ({ Source: 'aws.mediaconvert', DetailType: 'Job', Detail });
  const { FailedEntryCount, Entries } = await new EventBridgeClient(door.client()).send(
    new PutEventsCommand({
      Entries: [
        entry(JSON.stringify({ status: 'COMPLETE', queue: 'arn:aws:mediaconvert:q' })),
        entry(JSON.stringify({ status: 'ERROR', queue: 'arn:aws:mediaconvert:q', jobId: '7' })),
        entry('no json'),
      ],
    }),
  );
  t.is(FailedEntryCount, 1);
  t.is(Entries?.[2]?.ErrorCode, 'MalformedDetail');
  const receive = async (seconds: number) => {
    const command = new ReceiveMessageCommand({
      QueueUrl: queue.url,
      WaitTimeSeconds: seconds,
      MaxNumberOfMessages: 10,
    });
    return (await inbox.send(command)).Messages ?? [];
  };
  const [message, ...others] = await receive(10);
  t.is(others.length, 0);
  const { Message } = JSON.parse(String(message?.Body)) as { Message: string };
  const event: BusEvent = JSON.parse(Message);
  t.is(event.id, String(Entries?.[1]?.EventId));
  t.like(event, { version: '0', source: 'aws.mediaconvert', region: REGION, detail: { jobId: '7' } });
  t.deepEqual(await receive(0), []);
});

test('a pattern matches any of its values in every field, and arrays by any element', (t) => {
  const event = {
    source: 'a',
    resources: ['x', 'y'],
    detail: { n: 3, flag: true, gone: null, name: 'poster.jpg' },
  };
  const cases: [Pattern, boolean][] = [
    [{ source: ['b', 'a'] }, true],
    [{ source: ['b'] }, false],
    [{ resources: ['y'] }, true],
    [{ detail: { n: [3], flag: [true], gone: [null] } }, true],
    [{ detail: { n: ['3'] } }, false],
    [{ detail: { name: [{ suffix: '.jpg' }] } }, true],
    [{ detail: { name: [{ prefix: 'x' }, { prefix: 'post' }] } }, true],
    [{ detail: { other: [{ exists: false }], n: [{ exists: true }] } }, true],
    [{ detail: { n: [{ 'anything-but': [1, 2] }] } }, true],
    [{ detail: { n: [{ 'anything-but': 3 }] } }, false],
    [{ detail: { missing: { deeper: ['x'] } } }, false],
  ];
  for (const [pattern, expected] of cases) t.is(matches(pattern, event), expected, JSON.stringify(pattern));
});

test('a rule whose pattern is not supported is refused by its name', (t) => {
  const odd = { name: 'odd', arn: '', pattern: { n: [{ numeric: ['>', 1] }] }, targets: [] };
  const manifest = { region: REGION, accountId: ACCOUNT, rules: [odd] };
  t.throws(() => createEvents({ manifest, deliver() {}, report() {} }), { message: /rule odd/ });
});
