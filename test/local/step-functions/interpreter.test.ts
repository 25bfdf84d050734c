import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { StatesError } from '../../../local/step-functions/expressions.ts';
import {
  always,
  fields,
  flaky,
  forever,
  lambdaError,
  opened,
  type Stub,
  single,
  task,
} from '../../support/executions.ts';

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
