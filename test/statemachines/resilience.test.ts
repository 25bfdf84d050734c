import test from 'ava';
import { z } from 'zod';
import { ServiceConfig } from '../../service/config.ts';
import { definition, MACHINES, type Machine, placeholders } from '../../statemachines/definitions.ts';
import { longestWait } from '../support/retries.ts';

const Errors = z.array(z.string()).min(1);
const Retrier = z.object({
  ErrorEquals: Errors,
  IntervalSeconds: z.int().optional(),
  BackoffRate: z.number().optional(),
  MaxAttempts: z.int().optional(),
  MaxDelaySeconds: z.int().optional(),
});
const State = z.object({
  Type: z.string(),
  Resource: z.string().optional(),
  MaxConcurrency: z.int().optional(),
  TimeoutSeconds: z.int().optional(),
  Retry: z.array(Retrier).default([]),
  Catch: z
    .array(z.object({ ErrorEquals: Errors, ResultPath: z.string().nullish(), Next: z.string() }))
    .default([]),
  get Branches() {
    return z.array(Scope).default([]);
  },
  get ItemProcessor() {
    return Scope.optional();
  },
});
const Scope = z.object({
  TimeoutSeconds: z.int().optional(),
  get States() {
    return z.record(z.string(), State);
  },
});
type Scope = z.output<typeof Scope>;
type State = z.output<typeof State>;

const machine = (name: Machine) =>
  Scope.parse(JSON.parse(definition(name, Object.fromEntries(placeholders(name).map((key) => [key, key])))));

function* states(scope: Scope): Generator<[string, State]> {
  for (const [name, state] of Object.entries(scope.States)) {
    yield [name, state];
    for (const branch of state.Branches) yield* states(branch);
    if (state.ItemProcessor) yield* states(state.ItemProcessor);
  }
}
const ofType = (name: Machine, type: string) =>
  [...states(machine(name))].filter(([, state]) => state.Type === type);

const INPUT = ['VALIDATION_ERROR'];
const CALLBACK = ['CALLBACK_REFUSED', 'VALIDATION_ERROR'];
const PICTURE = ['VALIDATION_ERROR', 'UNSUPPORTED_CONTENT', 'IMAGE_TOO_LARGE'];
/** Errors that the same input brings again, by the state whose function throws them. */
const PERMANENT: Record<string, string[]> = {
  ReportStarted: CALLBACK,
  ValidateRawAssets: INPUT,
  GenerateVariants: [...PICTURE, 'RAW_ARCHIVED', 'THUMBNAIL_PROCESSING_FAILED'],
  GeneratePosterSizes: [...PICTURE, 'VIDEO_THUMBNAIL_FAILED'],
  ConsolidateResults: INPUT,
  CreateZipBundle: ['VALIDATION_ERROR', 'RAW_ARCHIVED'],
  FinalizeAndCallback: CALLBACK,
  ValidationFailed: CALLBACK,
  ReportFailure: CALLBACK,
};

/** A transcode costs money: of its errors only those that are MediaConvert's own are tried again. */
const WEATHER_OF_TRANSCODE = [
  'MediaConvert.TooManyRequestsException',
  'MediaConvert.InternalServerErrorException',
  'MediaConvert.GatewayTimeoutException',
  'MediaConvert.ServiceUnavailableException',
];

/** Seconds before the first of so many attempts more, doubled each time up to so many. */
type Patience = [first: number, longest: number, attempts: number];
/** A throttled function, or S3 that is slow for a moment. */
const WORK: Patience = [2, 30, 4];
/** A deployment of the service, or a database that fails over: four minutes. */
const REPORT: Patience = [2, 60, 8];
const PATIENCE: Record<string, Patience> = {
  // it is only news: the work does not wait for it
  ReportStarted: [1, 5, 2],
  ValidateRawAssets: WORK,
  GenerateVariants: WORK,
  GeneratePosterSizes: WORK,
  ConsolidateResults: WORK,
  // MediaConvert limits what an account may ask in a second, and many listings may ask
  Transcode: [5, 120, 6],
  // each attempt may read all originals again
  CreateZipBundle: [5, 60, 3],
  FinalizeAndCallback: REPORT,
  ValidationFailed: REPORT,
  ReportFailure: REPORT,
};

for (const name of MACHINES) {
  test(`${name}: what a function refuses is not asked again`, (t) => {
    const invoking = ofType(name, 'Task').filter(([, { Resource }]) => Resource?.endsWith('lambda:invoke'));
    t.true(invoking.length > 1);
    for (const [state, { Retry }] of invoking) {
      const refused = Retry.filter(({ MaxAttempts }) => MaxAttempts === 0);
      t.deepEqual(
        refused.flatMap(({ ErrorEquals }) => ErrorEquals),
        PERMANENT[state],
        state,
      );
      t.is(Retry[0]?.MaxAttempts, 0, `${state}: the first Retry that fits is the one that counts`);
    }
  });

  test(`${name}: weather is waited for as long as the work is worth it`, (t) => {
    for (const [state, { Retry }] of ofType(name, 'Task')) {
      const [weather, ...others] = Retry.filter(({ MaxAttempts }) => MaxAttempts !== 0);
      t.deepEqual(others, [], state);
      t.is(Retry.at(-1), weather, `${state}: whatever no other Retry fits`);
      const { ErrorEquals, IntervalSeconds, BackoffRate, MaxAttempts, MaxDelaySeconds } = weather ?? {};
      t.deepEqual(ErrorEquals, state === 'Transcode' ? WEATHER_OF_TRANSCODE : ['States.ALL'], state);
      t.deepEqual([IntervalSeconds, MaxDelaySeconds, MaxAttempts], PATIENCE[state], state);
      t.is(BackoffRate, 2, state);
    }
  });

  test(`${name}: no task may outlast its machine`, (t) => {
    const { TimeoutSeconds: all = 0 } = machine(name);
    for (const [state, { TimeoutSeconds = Number.NaN }] of ofType(name, 'Task')) {
      t.true(TimeoutSeconds < all, state);
    }
  });

  test(`${name}: a caught error never replaces what the machine knew`, (t) => {
    for (const type of ['Task', 'Map', 'Parallel']) {
      for (const [state, { Catch }] of ofType(name, type)) {
        for (const { ResultPath } of Catch)
          t.true(ResultPath === null || /^\$\.\w+/.test(ResultPath ?? ''), state);
      }
    }
  });
}

test('a video that takes too long fails alone, before the reconciler would give up the whole job', (t) => {
  const [, transcode] = ofType('media-processing', 'Task').find(([state]) => state === 'Transcode') ?? [];
  const waits = (transcode?.Retry ?? []).map(longestWait);
  const all = waits.reduce((sum, wait) => sum + wait, transcode?.TimeoutSeconds ?? Number.NaN);
  t.true(all < 60 * ServiceConfig.shape.STUCK_JOB_TIMEOUT_MINUTES.parse(undefined), `${all} s`);
});

test('a batch works on twenty photos and ten videos at once, and Step Functions takes forty branches', (t) => {
  const atOnce = MACHINES.flatMap((name) => ofType(name, 'Map')).map(([state, { MaxConcurrency }]) => [
    state,
    MaxConcurrency,
  ]);
  t.deepEqual(atOnce, [
    ['ImageThumbnails', 20],
    ['VideoTranscode', 10],
  ]);
});

test('processing: whatever fails in a branch as a whole is still reported', (t) => {
  const parallels = ofType('media-processing', 'Parallel');
  t.is(parallels.length, 1);
  for (const [name, state] of parallels) {
    t.deepEqual(
      state.Catch.map(({ ErrorEquals, ResultPath, Next }) => ({ ErrorEquals, ResultPath, Next })),
      [{ ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: 'ReportFailure' }],
      name,
    );
  }
});
