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
import test, { type ExecutionContext } from 'ava';
import { StateMachine as Oracle, type StateMachineDefinition } from 'aws-local-stepfunctions';
import { type Json, StatesError } from '../../local/step-functions/expressions.ts';
import { compileMachine } from '../../local/step-functions/language.ts';
import { createTasks } from '../../local/step-functions/tasks.ts';
import {
  always,
  fields,
  flaky,
  forever,
  LAMBDA,
  lambdaError,
  open,
  opened,
  type Stub,
  single,
  task,
} from '../support/executions.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';

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

test('a retrier backs off up to its longest delay, and gives up after its attempts', async (t) => {
  const Retry = [
    { ErrorEquals: ['Weather'], IntervalSeconds: 2, BackoffRate: 3, MaxAttempts: 4, MaxDelaySeconds: 30 },
  ];
  const stack = await opened(
    t,
    { machine: single(task('work', { Retry })) },
    { functions: { work: always(lambdaError('Weather')) } },
  );
  const execution = await stack.run('machine', {});
  t.deepEqual(stack.pauses, [2000, 6000, 18_000, 30_000]);
  t.is(stack.count('work'), 5);
  t.like(execution, { status: 'FAILED', error: 'Weather' });
  t.is(JSON.parse(execution.cause ?? '').errorMessage, 'so it is');
});

test('full jitter pauses at most as long; a retrier without attempts takes its errors from the next one', async (t) => {
  const Retry = [
    { ErrorEquals: ['Permanent'], MaxAttempts: 0 },
    {
      ErrorEquals: ['States.ALL'],
      IntervalSeconds: 10,
      BackoffRate: 1,
      MaxAttempts: 9,
      JitterStrategy: 'FULL',
    },
  ];
  const functions = {
    weather: flaky(new Array(9).fill(lambdaError('Weather')), () => 'fair'),
    permanent: always(lambdaError('Permanent')),
  };
  const stack = await opened(
    t,
    { weather: single(task('weather', { Retry })), permanent: single(task('permanent', { Retry })) },
    { functions },
  );
  t.is((await stack.run('weather', {})).status, 'SUCCEEDED');
  t.is(stack.pauses.length, 9);
  t.true(stack.pauses.every((pause) => pause >= 0 && pause < 10_000));
  t.true(new Set(stack.pauses).size > 1);
  t.like(await stack.run('permanent', {}), { status: 'FAILED', error: 'Permanent' });
  t.is(stack.count('permanent'), 1);
});

test('each retrier counts its own attempts', async (t) => {
  const Retry = [
    { ErrorEquals: ['A'], MaxAttempts: 1, IntervalSeconds: 1 },
    { ErrorEquals: ['B'], MaxAttempts: 1, IntervalSeconds: 2 },
  ];
  const work = flaky([lambdaError('A'), lambdaError('B')], () => 'well');
  const stack = await opened(t, { machine: single(task('work', { Retry })) }, { functions: { work } });
  t.is((await stack.run('machine', {})).status, 'SUCCEEDED');
  t.deepEqual(stack.pauses, [1000, 2000]);
});

test('a catcher keeps the input, adds the error to it, or drops the error', async (t) => {
  const machine = (ResultPath?: string | null) => ({
    StartAt: 'Work',
    States: {
      Work: task('work', {
        Catch: [
          { ErrorEquals: ['Other'], Next: 'Wrong' },
          {
            ErrorEquals: ['States.TaskFailed'],
            Next: 'Caught',
            ...(ResultPath === undefined ? {} : { ResultPath }),
          },
        ],
      }),
      Wrong: { Type: 'Fail', Error: 'Wrong' },
      Caught: { Type: 'Pass', End: true },
    },
  });
  const definitions = { replace: machine(), add: machine('$.error'), drop: machine(null) };
  const error = new StatesError('IMAGE_TOO_LARGE', '{"errorType":"IMAGE_TOO_LARGE"}');
  const stack = await opened(t, definitions, { functions: { work: always(error) } });
  const output = async (name: string) => JSON.parse((await stack.run(name, { a: 1 })).output ?? '');
  const caught = { Error: error.name, Cause: error.message };
  t.deepEqual(await output('replace'), caught);
  t.deepEqual(await output('add'), { a: 1, error: caught });
  t.deepEqual(await output('drop'), { a: 1 });
});

test('a task that takes too long is States.Timeout, beside others too, and States.TaskFailed does not catch it', async (t) => {
  const branch = (name: string) => ({
    StartAt: name,
    States: {
      [name]: task('slow', {
        TimeoutSeconds: 1,
        Catch: [
          { ErrorEquals: ['States.TaskFailed'], Next: `${name} failed` },
          { ErrorEquals: ['States.Timeout'], Next: `${name} is late` },
        ],
      }),
      [`${name} failed`]: { Type: 'Fail' },
      [`${name} is late`]: { Type: 'Pass', Result: 'late', End: true },
    },
  });
  const Branches = [branch('First'), single(task('quick'), 'Second'), branch('Third')];
  const stack = await opened(
    t,
    { machine: single({ Type: 'Parallel', Branches, End: true }) },
    { functions: { slow: forever, quick: () => 'quick' } },
  );
  const { output, executionArn } = await stack.run('machine', {});
  const [first, quick, third] = JSON.parse(output ?? '');
  t.deepEqual([first, quick.Payload, third], ['late', 'quick', 'late']);
  const events = await stack.history(executionArn ?? '');
  t.is(events.filter(({ type }) => type === 'TaskTimedOut').length, 2);
});

test('a machine that takes too long is TIMED_OUT', async (t) => {
  const machine = { ...single(task('slow')), TimeoutSeconds: 1 };
  const stack = await opened(t, { machine }, { functions: { slow: forever } });
  const execution = await stack.run('machine', {});
  t.like(execution, { status: 'TIMED_OUT', error: 'States.Timeout' });
  t.is((await stack.history(execution.executionArn ?? '')).at(-1)?.type, 'ExecutionTimedOut');
});

test('a Map runs at most MaxConcurrency items at once, in order of its items, and none of an empty list', async (t) => {
  let running = 0;
  let most = 0;
  const work: Stub = async (payload) => {
    most = Math.max(most, ++running);
    await sleep(10 * Math.random());
    running--;
    return payload;
  };
  const machine = single({
    Type: 'Map',
    ItemsPath: '$.list',
    MaxConcurrency: 3,
    ItemSelector: { 'value.$': '$$.Map.Item.Value', 'index.$': '$$.Map.Item.Index', 'of.$': '$.name' },
    ItemProcessor: single(task('work', { OutputPath: '$.Payload' }), 'Item'),
    ResultPath: '$.out',
    End: true,
  });
  const stack = await opened(t, { machine }, { functions: { work } });
  const list = Array.from({ length: 12 }, (_, index) => `item ${index}`);
  const full = JSON.parse((await stack.run('machine', { list, name: 'n' })).output ?? '');
  t.deepEqual(
    full.out,
    list.map((value, index) => ({ value, index, of: 'n' })),
  );
  t.is(most, 3);
  const empty = JSON.parse((await stack.run('machine', { list: [], name: 'n' })).output ?? '');
  t.deepEqual(empty, { list: [], name: 'n', out: [] });
});

test('an item that fails ends the others and the Map', async (t) => {
  const machine = single({ Type: 'Map', ItemProcessor: single(task('work'), 'Item'), End: true });
  const functions: Record<string, Stub> = {
    work: async (payload, signal) => {
      if (payload !== 'bad') return forever(payload, signal);
      await sleep(20);
      throw lambdaError('Broken');
    },
  };
  const stack = await opened(t, { machine }, { functions });
  const { status, error, executionArn } = await stack.run('machine', ['a', 'bad', 'c']);
  t.deepEqual([status, error], ['FAILED', 'Broken']);
  const types = (await stack.history(executionArn ?? '')).map(({ type }) => type);
  t.is(types.filter((type) => type === 'MapIterationFailed').length, 1);
  t.is(types.filter((type) => type === 'MapIterationAborted').length, 2);
  t.is(types.filter((type) => type === 'TaskStateAborted').length, 2);
  t.deepEqual(types.slice(-2), ['MapStateFailed', 'ExecutionFailed']);
});

test('inputs, results and outputs of more than 256 KiB are States.DataLimitExceeded, which States.ALL lets pass', async (t) => {
  const Catch = [{ ErrorEquals: ['States.ALL'], Next: 'Wrong' }];
  const machine = { StartAt: 'Work', States: { Work: task('work', { Catch }), Wrong: { Type: 'Fail' } } };
  const functions: Record<string, Stub> = { work: (payload) => 'x'.repeat(Number(fields(payload).length)) };
  const pair = single({
    Type: 'Parallel',
    Branches: ['One', 'Two'].map((name) => single(task('work', { OutputPath: '$.Payload' }), name)),
    End: true,
  });
  const stack = await opened(t, { machine, pair }, { functions });
  t.is((await stack.run('machine', { length: 262_000 })).status, 'SUCCEEDED');
  t.like(await stack.run('machine', { length: 262_144 }), {
    status: 'FAILED',
    error: 'States.DataLimitExceeded',
  });
  t.is((await stack.run('pair', { length: 131_000 })).status, 'SUCCEEDED');
  t.like(await stack.run('pair', { length: 131_072 }), {
    status: 'FAILED',
    error: 'States.DataLimitExceeded',
  });
});

test('a path that leads nowhere is States.Runtime, which nothing retries or catches', async (t) => {
  const Retry = [{ ErrorEquals: ['States.ALL'] }];
  const Catch = [{ ErrorEquals: ['States.ALL'], Next: 'Wrong' }];
  const Work = task('work', { Retry, Catch, ResultSelector: { 'a.$': '$.Payload.absent' } });
  const machine = { StartAt: 'Work', States: { Work, Wrong: { Type: 'Fail', Error: 'caught' } } };
  const stack = await opened(t, { machine }, { functions: { work: () => ({}) } });
  const execution = await stack.run('machine', {});
  t.like(execution, { status: 'FAILED', error: 'States.Runtime' });
  t.regex(execution.cause ?? '', /\$\.Payload\.absent/);
  t.is(stack.count('work'), 1);
});

/** Definition → what the refusal says, in one machine with the one flaw. */
const FLAWS: [string, unknown, RegExp][] = [
  ['JSONata', { ...single(task('f')), QueryLanguage: 'JSONata' }, /^machine m, field QueryLanguage: /m],
  [
    'JSONata in a state',
    single({ ...task('f'), QueryLanguage: 'JSONata' }),
    /state "Only", field QueryLanguage/,
  ],
  [
    'variables',
    single(task('f', { Assign: { a: 1 } })),
    /machine m, state "Only", field Assign: it is not supported/,
  ],
  ['heartbeats', single(task('f', { HeartbeatSeconds: 5 })), /state "Only", field HeartbeatSeconds/],
  [
    'task tokens',
    single({ ...task('f'), Resource: `${LAMBDA}.waitForTaskToken` }),
    /state "Only", field Resource/,
  ],
  [
    'other integrations',
    single({ ...task('f'), Resource: 'arn:aws:states:::sqs:sendMessage' }),
    /field Resource/,
  ],
  [
    'a plain function ARN',
    single({ ...task('f'), Resource: 'arn:aws:lambda:us-east-1:1:function:f' }),
    /field Resource/,
  ],
  [
    'the state in the context',
    single(task('f', { Parameters: { 'Payload.$': '$$.State.Name' } })),
    /\$\$\.State\.Name/,
  ],
  [
    'the token in the context',
    single(task('f', { Parameters: { 'Payload.$': '$$.Task.Token' } })),
    /\$\$\.Task\.Token/,
  ],
  [
    'other invoke parameters',
    single(task('f', { Parameters: { FunctionName: 'f', Qualifier: '1' } })),
    /field Parameters\.Qualifier/,
  ],
  ['rich paths', single({ Type: 'Pass', InputPath: '$..a', End: true }), /field InputPath: the path \$\.\.a/],
  ['filters', single({ Type: 'Pass', InputPath: '$.a[?(@.b)]', End: true }), /field InputPath/],
  [
    'other intrinsic functions',
    single({ Type: 'Pass', Parameters: { 'id.$': 'States.UUID()' }, End: true }),
    /the function States\.UUID is not supported/,
  ],
  ['Wait', single({ Type: 'Wait', Seconds: 1, End: true }), /state "Only", field Type/],
  [
    'other comparisons',
    single({ Type: 'Choice', Choices: [{ Variable: '$.a', StringMatches: 'a*', Next: 'Only' }] }),
    /field Choices\.0\.StringMatches/,
  ],
  [
    'a distributed Map',
    single({
      Type: 'Map',
      ItemProcessor: { ...single(task('f'), 'Item'), ProcessorConfig: { Mode: 'DISTRIBUTED' } },
      End: true,
    }),
    /state "Only", field ItemProcessor\.ProcessorConfig\.Mode/,
  ],
  [
    'a flaw inside a branch',
    single({
      Type: 'Parallel',
      Branches: [{ StartAt: 'Inner', States: { Inner: task('f', { Credentials: {} }) } }],
      End: true,
    }),
    /state "Inner", field Credentials/,
  ],
  [
    'two states of one name',
    single({ Type: 'Map', ItemProcessor: single(task('f')), End: true }),
    /state "Only": the machine has another of this name/,
  ],
  ['a missing target', single({ ...task('f', { Next: 'Nowhere' }) }), /there is no state "Nowhere"/],
  ['neither Next nor End', single({ Type: 'Pass' }), /exactly one of Next and End/],
  [
    'States.ALL before others',
    single(task('f', { Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['A'] }] })),
    /States\.ALL must stand alone and last/,
  ],
];
for (const [name, flawed, sentence] of FLAWS) {
  test(`refused at load: ${name}`, (t) => {
    t.throws(() => compileMachine('machine m', flawed), { message: sentence });
  });
}

test('a Choice may ask whether something is there; comparing what is not there fails the execution', async (t) => {
  const machine = (rule: object) => ({
    StartAt: 'Which',
    States: {
      Which: { Type: 'Choice', Choices: [{ Variable: '$.a', ...rule, Next: 'Yes' }], Default: 'No' },
      Yes: { Type: 'Pass', Result: 'yes', End: true },
      No: { Type: 'Pass', Result: 'no', End: true },
    },
  });
  const definitions = { present: machine({ IsPresent: true }), equal: machine({ StringEquals: 'x' }) };
  const stack = await opened(t, definitions);
  t.is((await stack.run('present', { a: null })).output, '"yes"');
  t.is((await stack.run('present', {})).output, '"no"');
  t.is((await stack.run('equal', { a: 'x' })).output, '"yes"');
  t.like(await stack.run('equal', {}), { status: 'FAILED', error: 'States.Runtime' });
});

/** Machines whose outcome another interpreter of the language must agree on. */
const AGREED: [string, Record<string, unknown>, Json][] = [
  [
    'templates',
    single({ Type: 'Pass', Parameters: { a: [{ 'b.$': '$.x[1]' }], 'c.$': '$', d: null }, End: true }),
    { x: [1, 2] },
  ],
  [
    'formatting',
    single({
      Type: 'Pass',
      Parameters: { 'a.$': "States.Format('{} of {}, it\\'s ({})', $.n, $.m, 'x, y')" },
      End: true,
    }),
    { n: 1, m: true },
  ],
  [
    'quoting JSON',
    single({ Type: 'Pass', Parameters: { 'a.$': 'States.JsonToString($.o)' }, End: true }),
    { o: { é: [1.5, null, {}] } },
  ],
  [
    'nested functions',
    single({
      Type: 'Pass',
      Parameters: { 'a.$': "States.Format('<{}>', States.JsonToString($.o))" },
      End: true,
    }),
    { o: { a: 1 } },
  ],
  [
    'input, result and output paths',
    single({ Type: 'Pass', InputPath: '$.a', ResultPath: '$.b.c', OutputPath: '$.b', End: true }),
    { a: 1, b: { d: 2 } },
  ],
  ['a constant result', single({ Type: 'Pass', Result: 'text', ResultPath: '$.t', End: true }), { a: 1 }],
  ['a dropped result', single({ Type: 'Pass', Result: { z: 1 }, ResultPath: null, End: true }), { a: 1 }],
  ['a dropped input', single({ Type: 'Pass', InputPath: null, End: true }), { a: 1 }],
  [
    'choices',
    {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          ItemsPath: '$.list',
          End: true,
          ItemProcessor: {
            StartAt: 'Which',
            States: {
              Which: {
                Type: 'Choice',
                Choices: [
                  { Variable: '$.s', StringEquals: 'a', Next: 'A' },
                  { Variable: '$.s', NumericEquals: 1, Next: 'One' },
                  { Variable: '$.s', BooleanEquals: true, Next: 'Yes' },
                ],
                Default: 'Other',
              },
              ...Object.fromEntries(
                ['A', 'One', 'Yes', 'Other'].map((name) => [name, { Type: 'Pass', Result: name, End: true }]),
              ),
            },
          },
        },
      },
    },
    { list: [{ s: 'a' }, { s: 1 }, { s: true }, { s: 'b' }] },
  ],
  [
    'branches',
    single({
      Type: 'Parallel',
      Branches: [
        single({ Type: 'Pass', Result: 1, End: true }, 'One'),
        single({ Type: 'Succeed', OutputPath: '$.a' }, 'Two'),
      ],
      ResultPath: '$.r',
      End: true,
    }),
    { a: 7 },
  ],
];
for (const [name, machine, input] of AGREED) {
  test(`aws-local-stepfunctions agrees on ${name}`, async (t) => {
    const stack = await opened(t, { machine });
    // a definition is JSON to us
    const oracle = new Oracle(machine as unknown as StateMachineDefinition, {
      validationOptions: { checkArn: false },
    });
    const expected = await oracle.run(input).result;
    const { output, status } = await stack.run('machine', input);
    t.is(status, 'SUCCEEDED');
    t.deepEqual(JSON.parse(output ?? ''), expected);
  });
}

const aborting = () => new AbortController().signal;

async function openTasks(t: ExecutionContext) {
  const door = await openDoor();
  t.teardown(door.close);
  const tasks = createTasks({ endpoint: door.endpoint, region: REGION, credentials: door.credentials });
  return { door, tasks, invoke: () => tasks.invokeFunction('f', { a: 1 }, role('machine'), aborting()) };
}

test('an invocation is made as the machine’s role, and a function’s error becomes Error and Cause', async (t) => {
  const { door, invoke } = await openTasks(t);
  let caller: string | undefined;
  door.services.lambda = async (signed, response) => {
    caller = signed.caller.roleArn;
    response.end(JSON.stringify({ got: JSON.parse(String(await signed.body())) }));
  };
  t.deepEqual(await invoke(), { got: { a: 1 } });
  t.is(caller, role('machine'));

  const answers = [
    ['{"errorType":"IMAGE_TOO_LARGE","errorMessage":"x"}', 'IMAGE_TOO_LARGE'],
    ['{"errorMessage":"another invocation ended the process"}', 'Lambda.Unknown'],
  ];
  for (const [payload = '', name = ''] of answers) {
    door.services.lambda = async (_, response) => {
      response.setHeader('x-amz-function-error', 'Unhandled').end(payload);
    };
    const error = await t.throwsAsync(invoke(), { name });
    t.true(error.message.includes(payload));
  }
});

test('a refusal of Lambda or MediaConvert has the service’s name, and no answer is SdkClientException', async (t) => {
  const { door, tasks, invoke } = await openTasks(t);
  door.services.lambda = async (_, response) => {
    response
      .writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException' })
      .end('{"message":"Rate Exceeded."}');
  };
  await t.throwsAsync(invoke(), { name: 'Lambda.TooManyRequestsException' });
  door.services.mediaconvert = async (_, response) => {
    response
      .writeHead(400, { 'x-amzn-errortype': 'BadRequestException' })
      .end('{"message":"no such template"}');
  };
  const transcode = () => tasks.runMediaConvertJob({ Role: 'r', Settings: {} }, role('machine'), aborting());
  await t.throwsAsync(transcode(), { name: 'MediaConvert.BadRequestException', message: 'no such template' });
  door.services.lambda = async (_, response) => void response.destroy();
  await t.throwsAsync(invoke(), { name: 'Lambda.SdkClientException' });
});

test('a MediaConvert job is waited for; an ERROR is States.TaskFailed; an abandoned one is cancelled', async (t) => {
  const { door, tasks } = await openTasks(t);
  const asked: string[] = [];
  const statuses = ['SUBMITTED', 'PROGRESSING', 'COMPLETE', 'ERROR'];
  door.services.mediaconvert = async ({ request, url }, response) => {
    asked.push(`${request.method} ${url.pathname}`);
    const status = request.method === 'GET' ? (statuses.shift() ?? 'PROGRESSING') : 'SUBMITTED';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ job: { id: '17', status, errorMessage: 'why' } }));
  };
  const transcode = (signal: AbortSignal) =>
    tasks.runMediaConvertJob({ Role: 'r', Settings: {} }, role('machine'), signal);
  t.like(await transcode(aborting()), { Job: { Id: '17', Status: 'COMPLETE' } });
  const error = await t.throwsAsync(transcode(aborting()), { name: 'States.TaskFailed' });
  t.like(JSON.parse(error.message), { Job: { ErrorMessage: 'why' } });
  const abandoned = new AbortController();
  const last = transcode(abandoned.signal);
  while (asked.length < 7) await sleep(5);
  abandoned.abort();
  await t.throwsAsync(last);
  t.true(asked.at(-1)?.startsWith('DELETE '));
});
