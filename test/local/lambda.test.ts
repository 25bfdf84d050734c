import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import test from 'ava';
import type { EventSourceMapping, LambdaFunction } from '../../local/graph/manifest.ts';
import { startEventSources } from '../../local/lambda/event-source.ts';
import { createFunctions } from '../../local/lambda/functions.ts';
import { lambdaService } from '../../local/lambda/service.ts';
import { createQueues } from '../../local/queues.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';

/** A function that does what its event says. */
const PUPPET = `
  import { setTimeout as sleep } from 'node:timers/promises';
  let calls = 0;
  class ImageTooLarge extends Error { name = 'IMAGE_TOO_LARGE'; }
  const moves = {
    echo: (event) => event,
    environment: () => process.env,
    context: (event, context) => ({ ...context, remaining: context.getRemainingTimeInMillis() }),
    calls: () => ({ calls, pid: process.pid }),
    log: () => { console.log('{"msg":"hello"}'); return 'logged'; },
    throw: () => { throw new ImageTooLarge('120 megapixels'); },
    throwText: () => { throw 'just text'; },
    exit: () => process.exit(3),
    sleep: (event) => sleep(event.milliseconds, 'rested'),
    large: () => 'x'.repeat(6_291_456),
    circular: () => { const a = {}; a.a = a; return a; },
    nothing: () => undefined,
  };
  export const handler = async (event, context) => { calls++; return moves[event.move](event, context); };
`;

/** A consumer that fails the items whose body says so, and answers what its environment says otherwise. */
const CONSUMER = `
  export const handler = async ({ Records }) => {
    for (const record of Records) console.log(JSON.stringify(record));
    if (Records.some(({ body }) => body === 'explode')) throw new Error('no');
    if (Records.some(({ body }) => body === 'nonsense')) return { batchItemFailures: [{ itemIdentifier: 'nobody' }] };
    const failed = Records.filter(({ body }) => body === 'poison');
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
`;

async function artefacts(directory: string, sources: Record<string, string>) {
  for (const [name, source] of Object.entries(sources)) {
    await mkdir(path.join(directory, name), { recursive: true });
    await writeFile(path.join(directory, name, 'index.mjs'), source);
  }
}

async function openLambda(declared: Record<string, Partial<LambdaFunction>>) {
  const directory = await mkdtemp(path.join(tmpdir(), 'lambda-'));
  const door = await openDoor();
  try {
    return await openFunctions(directory, door, declared);
  } catch (error) {
    await door.close();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function openFunctions(
  directory: string,
  door: Awaited<ReturnType<typeof openDoor>>,
  declared: Record<string, Partial<LambdaFunction>>,
) {
  await artefacts(directory, {
    puppet: PUPPET,
    consumer: CONSUMER,
    broken: `throw new TypeError('no such setting');`,
    empty: `export const other = 1;`,
  });
  const lines: string[] = [];
  const functions = createFunctions({
    functions: Object.entries(declared).map(([name, own]) => ({
      name,
      arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
      roleArn: role(name),
      runtime: 'nodejs24.x',
      handler: 'index.handler',
      timeoutSeconds: 30,
      memoryMiB: 512,
      environment: {},
      ...own,
      artefact: path.join(directory, own.artefact ?? 'puppet'),
    })),
    region: REGION,
    endpoint: door.endpoint,
    credentials: door.credentials,
    log: (name, line) => lines.push(`${name} ${line}`),
  });
  door.services.lambda = lambdaService(functions);
  const client = new LambdaClient(door.client());
  return {
    door,
    directory,
    functions,
    lines,
    client,
    /** [answer, X-Amz-Function-Error] */
    async invoke(FunctionName: string, event: unknown) {
      const answer = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
      return [JSON.parse(answer.Payload?.transformToString() ?? ''), answer.FunctionError] as const;
    },
    async close() {
      client.destroy();
      await functions.close();
      await door.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves with the first value that is not undefined. */
async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}

test('a function is invoked by name, ARN and qualifier, and answers JSON', async (t) => {
  const lambda = await openLambda({ puppet: {} });
  t.teardown(lambda.close);
  const event = { move: 'echo', text: 'Straße', list: [1, null] };
  const arn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:puppet`;
  for (const name of ['puppet', arn, `${arn}:$LATEST`, `${ACCOUNT}:function:puppet`]) {
    t.deepEqual(await lambda.invoke(name, event), [event, undefined]);
  }
  t.deepEqual(await lambda.invoke('puppet', { move: 'nothing' }), [null, undefined]);
  await t.throwsAsync(lambda.invoke('nobody', {}), { name: 'ResourceNotFoundException' });
});

test('a function sees its declared environment, what Lambda sets, and nothing of ours', async (t) => {
  process.env.SECRET_OF_THE_PARENT = 'leak';
  process.env.NODE_OPTIONS = '--no-warnings';
  const lambda = await openLambda({ puppet: { environment: { ENV: 'local', MEDIA_BUCKET: 'bucket' } } });
  t.teardown(lambda.close);
  const [environment] = await lambda.invoke('puppet', { move: 'environment' });
  t.deepEqual(Object.keys(environment).toSorted(), [
    'AWS_ACCESS_KEY_ID',
    'AWS_DEFAULT_REGION',
    'AWS_ENDPOINT_URL',
    'AWS_EXECUTION_ENV',
    'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
    'AWS_LAMBDA_FUNCTION_NAME',
    'AWS_LAMBDA_FUNCTION_VERSION',
    'AWS_LAMBDA_INITIALIZATION_TYPE',
    'AWS_LAMBDA_LOG_GROUP_NAME',
    'AWS_LAMBDA_LOG_STREAM_NAME',
    'AWS_REGION',
    'AWS_SECRET_ACCESS_KEY',
    'ENV',
    'HOME',
    'LAMBDA_TASK_ROOT',
    'LANG',
    'MEDIA_BUCKET',
    'PATH',
    'TZ',
    '_HANDLER',
  ]);
  t.like(environment, {
    ENV: 'local',
    MEDIA_BUCKET: 'bucket',
    AWS_ENDPOINT_URL: lambda.door.endpoint,
    AWS_ACCESS_KEY_ID: lambda.door.credentials(role('puppet')).accessKeyId,
    AWS_LAMBDA_FUNCTION_NAME: 'puppet',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    _HANDLER: 'index.handler',
  });
});

test('the context tells the request, the function and the time that is left', async (t) => {
  const lambda = await openLambda({ puppet: { timeoutSeconds: 30 } });
  t.teardown(lambda.close);
  const [context] = await lambda.invoke('puppet', { move: 'context' });
  t.regex(context.awsRequestId, /^[0-9a-f-]{36}$/);
  t.like(context, { functionName: 'puppet', memoryLimitInMB: '512', functionVersion: '$LATEST' });
  t.true(context.remaining > 0 && context.remaining <= 30_000);
});

test('an error of the function is an answer with its name, message and trace', async (t) => {
  const lambda = await openLambda({ puppet: {} });
  t.teardown(lambda.close);
  const [error, mark] = await lambda.invoke('puppet', { move: 'throw' });
  t.is(mark, 'Unhandled');
  t.like(error, { errorType: 'IMAGE_TOO_LARGE', errorMessage: '120 megapixels' });
  t.true(error.trace.length > 1);
  const [text] = await lambda.invoke('puppet', { move: 'throwText' });
  t.like(text, { errorType: 'string', errorMessage: 'just text' });
  const [circular] = await lambda.invoke('puppet', { move: 'circular' });
  t.is(circular.errorType, 'Runtime.MarshalError');
});

test('a function that cannot be loaded says why, each time', async (t) => {
  const lambda = await openLambda({ broken: { artefact: 'broken' }, empty: { artefact: 'empty' } });
  t.teardown(lambda.close);
  for (const _ of [1, 2]) {
    const [error, mark] = await lambda.invoke('broken', {});
    t.is(mark, 'Unhandled');
    t.like(error, { errorType: 'TypeError', errorMessage: 'no such setting' });
  }
  const [missing] = await lambda.invoke('empty', {});
  t.is(missing.errorType, 'Runtime.HandlerNotFound');
});

test('a crash fails what is under way as Runtime.ExitError; the next invocation has a new process', async (t) => {
  const lambda = await openLambda({ puppet: {} });
  t.teardown(lambda.close);
  const [before] = await lambda.invoke('puppet', { move: 'calls' });
  const [error, mark] = await lambda.invoke('puppet', { move: 'exit' });
  t.is(mark, 'Unhandled');
  t.is(error.errorType, 'Runtime.ExitError');
  t.regex(error.errorMessage, /Runtime exited with error: exit status 3$/);
  const [after] = await lambda.invoke('puppet', { move: 'calls' });
  t.is(after.calls, 1);
  t.not(after.pid, before.pid);
});

test('a timeout ends the process: the late one is Sandbox.Timedout, its neighbours have no error type', async (t) => {
  const lambda = await openLambda({ puppet: { timeoutSeconds: 1 } });
  t.teardown(lambda.close);
  const late = lambda.invoke('puppet', { move: 'sleep', milliseconds: 60_000 });
  await sleep(500);
  const neighbour = lambda.invoke('puppet', { move: 'sleep', milliseconds: 60_000 });
  const [[timeout, mark], [bystander]] = await Promise.all([late, neighbour]);
  t.is(mark, 'Unhandled');
  t.is(timeout.errorType, 'Sandbox.Timedout');
  t.regex(timeout.errorMessage, /Task timed out after 1\.00 seconds$/);
  t.is(bystander.errorType, undefined);
  t.deepEqual(await lambda.invoke('puppet', { move: 'echo' }), [{ move: 'echo' }, undefined]);
});

test('concurrent invocations share the process up to the reserved concurrency', async (t) => {
  const lambda = await openLambda({ puppet: { reservedConcurrency: 2 } });
  t.teardown(lambda.close);
  const rest = () => lambda.invoke('puppet', { move: 'sleep', milliseconds: 1000 });
  const settled = await Promise.allSettled([rest(), rest(), rest()]);
  const refused = settled.find((one) => one.status === 'rejected');
  t.is(settled.filter((one) => one.status === 'fulfilled').length, 2);
  t.like(refused?.reason, {
    name: 'TooManyRequestsException',
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
  });
  const [{ calls }] = await lambda.invoke('puppet', { move: 'calls' });
  t.is(calls, 3);
});

test('payloads end at 6 MiB, in and out', async (t) => {
  const lambda = await openLambda({ puppet: {} });
  t.teardown(lambda.close);
  const padding = 6_291_456 - JSON.stringify({ move: 'calls', padding: '' }).length;
  const [fits] = await lambda.invoke('puppet', { move: 'calls', padding: 'x'.repeat(padding) });
  t.is(fits.calls, 1);
  const tooMuch = lambda.invoke('puppet', { move: 'calls', padding: 'x'.repeat(padding + 1) });
  await t.throwsAsync(tooMuch, { name: 'RequestTooLargeException' });
  const [large, mark] = await lambda.invoke('puppet', { move: 'large' });
  t.is(mark, 'Unhandled');
  t.is(large.errorType, 'Function.ResponseSizeTooLarge');
  const Payload = '{"move":';
  await t.throwsAsync(lambda.client.send(new InvokeCommand({ FunctionName: 'puppet', Payload })), {
    name: 'InvalidRequestContentException',
  });
});

test('an event is accepted at once and worked on afterwards', async (t) => {
  const lambda = await openLambda({ puppet: {} });
  t.teardown(lambda.close);
  const send = (InvocationType: 'Event' | 'DryRun') =>
    lambda.client.send(
      new InvokeCommand({ FunctionName: 'puppet', InvocationType, Payload: '{"move":"calls"}' }),
    );
  t.is((await send('DryRun')).StatusCode, 204);
  t.is((await send('Event')).StatusCode, 202);
  await eventually(() => lambda.lines.find((line) => line.includes('REPORT')));
  t.is((await lambda.invoke('puppet', { move: 'calls' }))[0].calls, 2);
});

test('log lines and a REPORT reach the log; the peak memory can be read', async (t) => {
  const lambda = await openLambda({ puppet: { memoryMiB: 256 } });
  t.teardown(lambda.close);
  await lambda.invoke('puppet', { move: 'log' });
  t.is(await eventually(() => lambda.lines.find((line) => line.includes('msg'))), 'puppet {"msg":"hello"}');
  t.regex(
    lambda.lines.find((line) => line.includes('REPORT')) ?? '',
    /^puppet REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms$/,
  );
  t.true((lambda.functions.peakMemory().puppet ?? 0) > 10);
});

test('a function that declares a variable of Lambda itself, or has no artefact, is refused at the start', async (t) => {
  await t.throwsAsync(openLambda({ puppet: { environment: { AWS_REGION: 'eu-west-1' } } }), {
    message: /reserves AWS_REGION/,
  });
  await t.throwsAsync(openLambda({ puppet: { artefact: 'absent' } }), { message: /not a folder/ });
});

async function openConsumer(mapping: Partial<EventSourceMapping>) {
  const lambda = await openLambda({ consumer: { artefact: 'consumer' } });
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
  lambda.door.services.sqs = queues.sqs;
  const sqs = new SQSClient(lambda.door.client());
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
    async close() {
      sqs.destroy();
      await queues.close();
      await lambda.close();
    },
  };
}

test('a mapping delivers records as Lambda shapes them and deletes what succeeded', async (t) => {
  const consumer = await openConsumer({});
  t.teardown(consumer.close);
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
  const consumer = await openConsumer({});
  t.teardown(consumer.close);
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
    const consumer = await openConsumer({});
    t.teardown(consumer.close);
    await consumer.send(body);
    const sources = consumer.start();
    t.is(await eventually(consumer.buried), body);
    await sources.close();
    t.is(consumer.seen().length, 5);
  });
}

test('a batch is never larger than declared', async (t) => {
  const consumer = await openConsumer({ batchSize: 1, maximumConcurrency: 2 });
  t.teardown(consumer.close);
  await consumer.send('a', 'b', 'c', 'd');
  const sources = consumer.start();
  await eventually(() => (consumer.seen().length >= 4 ? true : undefined));
  await sources.close();
  // one record an invocation, however often a slow machine delivers it
  t.is(consumer.lines.filter((line) => line.includes('REPORT')).length, consumer.seen().length);
});
