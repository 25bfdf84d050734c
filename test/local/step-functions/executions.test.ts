import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import test from 'ava';
import type { Json } from '../../../local/step-functions/expressions.ts';
import { forever, open, opened, type Stub, single, task } from '../../support/executions.ts';
import { ACCOUNT, REGION, role } from '../../support/front-door.ts';

test('an execution is started, described and listed', async (t) => {
  const stack = await opened(
    t,
    { echo: single(task('echo')) },
    { functions: { echo: (payload) => payload } },
  );
  const executionArn = await stack.start('echo', { a: 1 }, 'first');
  t.is(executionArn, `arn:aws:states:${REGION}:${ACCOUNT}:execution:echo:first`);
  const execution = await stack.ended(executionArn);
  t.like(execution, {
    name: 'first',
    status: 'SUCCEEDED',
    input: '{"a":1}',
    stateMachineArn: stack.arn('echo'),
  });
  t.deepEqual(JSON.parse(execution.output ?? ''), {
    ExecutedVersion: '$LATEST',
    Payload: { a: 1 },
    StatusCode: 200,
  });
  t.true((execution.stopDate ?? 0) >= (execution.startDate ?? Number.POSITIVE_INFINITY));

  await stack.ended(await stack.start('echo', {}, 'second'));
  await stack.ended(await stack.start('echo', {}, 'third'));
  const list = (more: object) =>
    stack.client.send(new ListExecutionsCommand({ stateMachineArn: stack.arn('echo'), ...more }));
  const names = (page: Awaited<ReturnType<typeof list>>) => page.executions?.map(({ name }) => name);
  const first = await list({ maxResults: 2 });
  t.deepEqual(names(first), ['third', 'second']);
  t.deepEqual(names(await list({ nextToken: first.nextToken })), ['first']);
  t.deepEqual(names(await list({ statusFilter: 'FAILED' })), []);
});

test('the declared machines are listed and described with their definition and role', async (t) => {
  const echo = single(task('echo'));
  const stack = await opened(t, { echo, other: echo });
  const { stateMachines } = await stack.client.send(new ListStateMachinesCommand({}));
  t.deepEqual(
    stateMachines?.map(({ name, type }) => [name, type]),
    [
      ['echo', 'STANDARD'],
      ['other', 'STANDARD'],
    ],
  );
  const described = await stack.client.send(
    new DescribeStateMachineCommand({ stateMachineArn: stack.arn('echo') }),
  );
  t.deepEqual(JSON.parse(described.definition ?? ''), echo);
  t.is(described.roleArn, role('machine'));
});

test('the same name and input again is the same execution while it runs, and refused afterwards', async (t) => {
  const gate = Promise.withResolvers<Json>();
  const stack = await opened(t, { slow: single(task('slow')) }, { functions: { slow: () => gate.promise } });
  const again = () => stack.start('slow', { a: 1 }, 'once');
  const executionArn = await again();
  t.is(await again(), executionArn);
  await t.throwsAsync(stack.start('slow', { a: 2 }, 'once'), { name: 'ExecutionAlreadyExists' });
  gate.resolve('done');
  await stack.ended(executionArn);
  t.is(stack.calls.length, 1);
  await t.throwsAsync(again(), { name: 'ExecutionAlreadyExists' });
});

test('what cannot be started or found is refused by its AWS name', async (t) => {
  const stack = await opened(t, { echo: single(task('echo')) });
  const stateMachineArn = stack.arn('echo');
  const executionArn = `arn:aws:states:${REGION}:${ACCOUNT}:execution:echo:never`;
  await t.throwsAsync(stack.start('absent', {}), { name: 'StateMachineDoesNotExist' });
  await t.throwsAsync(stack.start('echo', {}, 'a b'), { name: 'InvalidName' });
  await t.throwsAsync(stack.start('echo', {}, 'x'.repeat(81)), { name: 'InvalidName' });
  await t.throwsAsync(stack.client.send(new StartExecutionCommand({ stateMachineArn, input: '{' })), {
    name: 'InvalidExecutionInput',
  });
  await t.throwsAsync(stack.start('echo', 'x'.repeat(262_143)), { name: 'ValidationException' });
  for (const request of [
    stack.client.send(new DescribeExecutionCommand({ executionArn })),
    stack.client.send(new GetExecutionHistoryCommand({ executionArn })),
    stack.client.send(new StopExecutionCommand({ executionArn })),
  ]) {
    await t.throwsAsync(request, { name: 'ExecutionDoesNotExist' });
  }
});

test('a stopped execution is ABORTED with its error and cause, and its task is abandoned', async (t) => {
  let left = false;
  const stack = await opened(
    t,
    { slow: single(task('slow', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Only' }] })) },
    {
      functions: {
        slow: (payload, signal) => {
          signal.addEventListener('abort', () => {
            left = true;
          });
          return forever(payload, signal);
        },
      },
    },
  );
  const executionArn = await stack.start('slow', {});
  const { stopDate } = await stack.client.send(
    new StopExecutionCommand({ executionArn, error: 'STUCK', cause: 'too long' }),
  );
  t.truthy(stopDate);
  t.like(await stack.ended(executionArn), { status: 'ABORTED', error: 'STUCK', cause: 'too long' });
  t.true(left);
  t.is((await stack.history(executionArn)).at(-1)?.executionAbortedEventDetails?.error, 'STUCK');
  t.is(stack.calls.length, 1);
});

test('the history is paged, reversible, and every event names the one before it', async (t) => {
  const machine = {
    StartAt: 'Each',
    States: {
      Each: {
        Type: 'Map',
        ItemsPath: '$.list',
        ItemProcessor: single(task('work', { TimeoutSeconds: 9 }), 'Item'),
        End: true,
      },
    },
  };
  const functions: Record<string, Stub> = { work: (payload) => payload };
  const stack = await opened(t, { machine }, { functions });
  const { executionArn } = await stack.run('machine', { list: ['a', 'b'] });
  const events = await stack.history(executionArn ?? '');
  t.deepEqual(
    events.map(({ id }) => id),
    events.map((_, index) => index + 1),
  );
  t.deepEqual(
    events.map(({ type }) => type).filter((type) => !/^Task/.test(type ?? '')),
    [
      'ExecutionStarted',
      'MapStateEntered',
      'MapStateStarted',
      'MapIterationStarted',
      'MapIterationStarted',
      'MapIterationSucceeded',
      'MapIterationSucceeded',
      'MapStateSucceeded',
      'MapStateExited',
      'ExecutionSucceeded',
    ],
  );
  t.is(events[2]?.mapStateStartedEventDetails?.length, 2);
  const scheduled = events.find(({ type }) => type === 'TaskScheduled');
  t.like(scheduled?.taskScheduledEventDetails, {
    resourceType: 'lambda',
    resource: 'invoke',
    timeoutInSeconds: 9,
  });
  t.is(scheduled?.taskScheduledEventDetails?.parameters, '{"FunctionName":"work","Payload":"a"}');
  for (const event of events.slice(1)) t.true((event.previousEventId ?? 0) < (event.id ?? 0));
  const lines = events.filter(({ type }) => type === 'MapIterationStarted');
  t.deepEqual([...new Set(lines.map(({ previousEventId }) => previousEventId))], [3]);

  const reversed = await stack.client.send(
    new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: 1 }),
  );
  t.is(reversed.events?.[0]?.type, 'ExecutionSucceeded');
  t.deepEqual(
    stack.events.filter(({ type }) => type === 'TaskSucceeded').map(({ state, item }) => [state, item]),
    [
      ['Item', 0],
      ['Item', 1],
    ],
  );
});

test('executions outlive a restart; one that was running begins again under its ARN', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'executions-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const machine = {
    StartAt: 'First',
    States: { First: task('quick', { Next: 'Second' }), Second: task('slow') },
  };
  const quick: Stub = () => 'quick';
  const before = await open({ machine }, { directory, functions: { quick, slow: forever } });
  const running = await before.start('machine', { a: 1 }, 'cut');
  while (before.count('slow') === 0) await sleep(5);
  await before.close();

  const after = await open({ machine }, { directory, functions: { quick, slow: () => 'slow' } });
  t.teardown(after.close);
  const described = await after.client.send(new DescribeExecutionCommand({ executionArn: running }));
  t.is(described.status, 'RUNNING');
  after.service.resume();
  after.service.resume();
  const execution = await after.ended(running);
  t.is(execution.status, 'SUCCEEDED');
  t.deepEqual(execution.startDate, described.startDate);
  t.is(after.calls.length, 2);
  t.is((await after.history(running)).filter(({ type }) => type === 'ExecutionStarted').length, 1);
  await after.close();

  const last = await open({ machine }, { directory });
  t.teardown(last.close);
  last.service.resume();
  t.like(await last.ended(running), { status: 'SUCCEEDED', output: execution.output });
  t.is(last.calls.length, 0);
});
