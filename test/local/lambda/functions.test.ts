import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import test, { type ExecutionContext } from 'ava';
import type { LambdaFunction } from '../../../local/graph/manifest.ts';
import { ACCOUNT, REGION, role } from '../../support/front-door.ts';
import { eventually, openFunctions } from '../../support/lambda-functions.ts';

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

const openPuppet = (t: ExecutionContext, declared: Partial<LambdaFunction> = {}) =>
  openFunctions(t, { puppet: PUPPET }, { puppet: declared });

test('a function is invoked by name, ARN and qualifier, and answers JSON', async (t) => {
  const lambda = await openPuppet(t);
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
  const lambda = await openPuppet(t, { environment: { ENV: 'local', MEDIA_BUCKET: 'bucket' } });
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
  const lambda = await openPuppet(t, { timeoutSeconds: 30 });
  const [context] = await lambda.invoke('puppet', { move: 'context' });
  t.regex(context.awsRequestId, /^[0-9a-f-]{36}$/);
  t.like(context, { functionName: 'puppet', memoryLimitInMB: '512', functionVersion: '$LATEST' });
  t.true(context.remaining > 0 && context.remaining <= 30_000);
});

test('an error of the function is an answer with its name, message and trace', async (t) => {
  const lambda = await openPuppet(t);
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
  const lambda = await openFunctions(
    t,
    { broken: `throw new TypeError('no such setting');`, empty: 'export const other = 1;' },
    { broken: {}, empty: {} },
  );
  for (const _ of [1, 2]) {
    const [error, mark] = await lambda.invoke('broken', {});
    t.is(mark, 'Unhandled');
    t.like(error, { errorType: 'TypeError', errorMessage: 'no such setting' });
  }
  const [missing] = await lambda.invoke('empty', {});
  t.is(missing.errorType, 'Runtime.HandlerNotFound');
});

test('a crash fails what is under way as Runtime.ExitError; the next invocation has a new process', async (t) => {
  const lambda = await openPuppet(t);
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
  const lambda = await openPuppet(t, { timeoutSeconds: 1 });
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
  const lambda = await openPuppet(t, { reservedConcurrency: 2 });
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
  const lambda = await openPuppet(t);
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
  const lambda = await openPuppet(t);
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
  const lambda = await openPuppet(t, { memoryMiB: 256 });
  await lambda.invoke('puppet', { move: 'log' });
  t.is(await eventually(() => lambda.lines.find((line) => line.includes('msg'))), 'puppet {"msg":"hello"}');
  t.regex(
    lambda.lines.find((line) => line.includes('REPORT')) ?? '',
    /^puppet REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms$/,
  );
  t.true((lambda.functions.peakMemory().puppet ?? 0) > 10);
});

test('a function that declares a variable of Lambda itself, or has no artefact, is refused at the start', async (t) => {
  await t.throwsAsync(openPuppet(t, { environment: { AWS_REGION: 'eu-west-1' } }), {
    message: /reserves AWS_REGION/,
  });
  await t.throwsAsync(openPuppet(t, { artefact: 'absent' }), { message: /not a folder/ });
});
