import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import test, { type ExecutionContext } from 'ava';
import type { AwsService } from '../../local/door.ts';
import { createQueues } from '../../local/queues.ts';
import { redrive } from '../../operations/redrive.ts';
import { queueAttributes, samples } from '../../statemachines/contracts.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';

const COMMAND = path.join(import.meta.dirname, '../../operations/redrive-command.ts');
const DEAD = 'listing-media-processing-dlq-test';
const WORK = 'listing-media-processing-test';
const FAST = 100;

/** Two queues behind the signed front door; a message received twice in vain goes to the first. */
async function openQueues(t: ExecutionContext) {
  const directory = await mkdtemp(path.join(tmpdir(), 'redrive-'));
  const door = await openDoor();
  const arn = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
  const queue = (name: string, attributes: Record<string, string>) => ({
    name,
    arn: arn(name),
    url: `${door.endpoint}/${ACCOUNT}/${name}`,
    attributes,
  });
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn(DEAD), maxReceiveCount: 1 });
  const dead = queue(DEAD, {});
  const work = queue(WORK, { RedrivePolicy });
  const queues = await createQueues({ queues: [dead, work], topics: [], region: REGION, directory });
  Object.assign(door.services, { sqs: queues.sqs });
  const sqs = new SQSClient(door.client());
  t.teardown(async () => {
    sqs.destroy();
    await queues.close();
    await door.close();
    await rm(directory, { recursive: true, force: true });
  });

  return {
    door,
    sqs,
    dead: dead.url,
    work: work.url,

    /** Puts a job's message among the dead letters. */
    async bury(jobId: number, body = JSON.stringify({ ...samples.queueMessage, jobId })) {
      const attributes = queueAttributes(
        { ...samples.queueMessage, jobId },
        samples.machineInput.traceparent,
      );
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: dead.url,
          MessageBody: body,
          MessageAttributes: Object.fromEntries(
            Object.entries(attributes).map(([name, StringValue]) => [
              name,
              { DataType: 'String', StringValue },
            ]),
          ),
        }),
      );
    },

    /** How many messages wait and how many are out with a reader. */
    async depth(QueueUrl: string) {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      return [
        Number(Attributes.ApproximateNumberOfMessages),
        Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      ];
    },

    async receive(QueueUrl: string) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
        }),
      );
      return Messages;
    },
  };
}
type Queues = Awaited<ReturnType<typeof openQueues>>;

const jobOf = (message: Message) => Number(message.MessageAttributes?.JobId?.StringValue);

/** Runs the command as an operator would; `onLine` sees its standard output as it comes. */
async function command(queues: Queues, args: string[], onLine = (_: string, __: () => void) => {}) {
  const { accessKeyId, secretAccessKey } = queues.door.credentials(role('admin'));
  const child = spawn(process.execPath, [COMMAND, ...args], {
    env: {
      AWS_ENDPOINT_URL: queues.door.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_MAX_ATTEMPTS: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    onLine(line, () => child.kill('SIGINT'));
  });
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  const [code] = await once(child, 'close');
  return { code, output: lines.join('\n'), errors: errors.join('\n') };
}

test('messages go back as they were, with body and attributes', async (t) => {
  const queues = await openQueues(t);
  await queues.bury(1);
  await queues.bury(2, 'poison');
  const result = await redrive(queues.sqs, { from: queues.dead, to: queues.work, rate: FAST });
  t.deepEqual(result, { moved: 2, returned: 0 });
  t.deepEqual(await queues.depth(queues.dead), [0, 0]);
  const messages = await queues.receive(queues.work);
  t.deepEqual(messages.map(jobOf).sort(), [1, 2]);
  const [good] = messages.filter((message) => jobOf(message) === 1);
  t.deepEqual(JSON.parse(good?.Body ?? ''), { ...samples.queueMessage, jobId: 1 });
  t.is(good?.MessageAttributes?.Traceparent?.StringValue, samples.machineInput.traceparent);
  t.is(messages.find((message) => jobOf(message) === 2)?.Body, 'poison');
});

test('more messages than one portion holds are all moved, and --max stops before', async (t) => {
  const queues = await openQueues(t);
  for (let job = 1; job <= 25; job++) await queues.bury(job);
  const options = { from: queues.dead, to: queues.work, rate: FAST };
  t.is((await redrive(queues.sqs, { ...options, max: 12 })).moved, 12);
  t.deepEqual(await queues.depth(queues.dead), [13, 0]);
  t.is((await redrive(queues.sqs, options)).moved, 13);
  t.deepEqual(await queues.depth(queues.dead), [0, 0]);
  t.deepEqual(await queues.depth(queues.work), [25, 0]);
});

test('a poison message that comes back meanwhile is left, and the others go on', async (t) => {
  const queues = await openQueues(t);
  await queues.bury(1, 'poison');
  for (const job of [2, 3]) await queues.bury(job);
  let fail: Promise<unknown> | undefined;
  const result = await redrive(queues.sqs, {
    from: queues.dead,
    to: queues.work,
    // slow enough for the message to come back before the last one has been moved
    rate: 1,
    onMessage: (message) => {
      if (message.Body !== 'poison') return;
      fail = (async () => {
        const [received] = await queues.receive(queues.work);
        await queues.sqs.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: queues.work,
            ReceiptHandle: received?.ReceiptHandle,
            VisibilityTimeout: 0,
          }),
        );
        // the second receipt is one too many
        await queues.receive(queues.work);
      })();
    },
  });
  await fail;
  t.deepEqual(result, { moved: 3, returned: 1 });
  const [left, ...others] = await queues.receive(queues.dead);
  t.is(left?.Body, 'poison');
  t.deepEqual(others, []);
});

test('a send that fails loses nothing: the message and the rest are at once there again', async (t) => {
  const queues = await openQueues(t);
  for (let job = 1; job <= 5; job++) await queues.bury(job);
  const options = { from: queues.dead, to: `${queues.work}-gone`, rate: FAST };
  await t.throwsAsync(redrive(queues.sqs, options), { name: 'QueueDoesNotExist' });
  t.deepEqual(await queues.depth(queues.dead), [5, 0]);
  t.deepEqual(await queues.depth(queues.work), [0, 0]);
});

test('a delete that fails leaves the message to be moved again, never lost', async (t) => {
  const queues = await openQueues(t);
  await queues.bury(1);
  const sound: AwsService | undefined = queues.door.services.sqs;
  queues.door.services.sqs = async (signed, response) => {
    if (!String(signed.request.headers['x-amz-target']).endsWith('.DeleteMessage')) {
      return sound?.(signed, response);
    }
    response.writeHead(503).end('{}');
  };
  const options = { from: queues.dead, to: queues.work, rate: FAST };
  await t.throwsAsync(redrive(queues.sqs, options));
  t.deepEqual(await queues.depth(queues.dead), [1, 0]);
  t.deepEqual(await queues.depth(queues.work), [1, 0]);
});

test('the command finds the queues by the environment and tells each message', async (t) => {
  const queues = await openQueues(t);
  await queues.bury(21);
  const looked = await command(queues, ['--env', 'test', '--dry-run']);
  t.is(looked.code, 0, looked.errors);
  t.regex(looked.output, /listing 28 {2}job 21 {2}sent 20/);
  t.regex(looked.output, /1 message would be moved\./);
  t.deepEqual(await queues.depth(queues.dead), [1, 0]);
  t.deepEqual(await queues.depth(queues.work), [0, 0]);

  const moved = await command(queues, ['--from', queues.dead, '--to', queues.work]);
  t.is(moved.code, 0, moved.errors);
  t.regex(moved.output, /1 message moved\./);
  t.deepEqual(await queues.depth(queues.work), [1, 0]);
});

test('Ctrl-C ends the command between two messages, and every message is in one queue', async (t) => {
  const queues = await openQueues(t);
  for (let job = 1; job <= 8; job++) await queues.bury(job);
  const { code, output } = await command(queues, ['--env', 'test', '--rate', '2'], (line, interrupt) => {
    if (/job/.test(line)) interrupt();
  });
  t.is(code, 130, output);
  t.regex(output, /Interrupted/);
  const [dead = 0, hidden] = await queues.depth(queues.dead);
  const [work = 0] = await queues.depth(queues.work);
  t.is(dead + work, 8);
  t.is(hidden, 0);
  t.true(dead > 0 && work > 0, output);
});

test('mistakes are told in a sentence, with the usage', async (t) => {
  const queues = await openQueues(t);
  const cases: [string[], RegExp][] = [
    [[], /^Say which queues/],
    [['--env', 'nowhere'], /^There is no queue listing-media-processing-dlq-nowhere/],
    [['--env', 'test', '--rate', 'fast'], /^--rate: /],
    [['--from', queues.dead], /^--from and --to go together\./],
    [['--everything'], /--everything/],
  ];
  for (const [args, sentence] of cases) {
    const { code, errors } = await command(queues, args);
    t.is(code, 2, args.join(' '));
    t.regex(errors, sentence);
    t.regex(errors, /npm run redrive/);
  }
});
