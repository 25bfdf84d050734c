import test, { type ExecutionContext } from 'ava';
import { type Json, StatesError } from '../../local/step-functions/expressions.ts';
import { compileMachine } from '../../local/step-functions/language.ts';
import { Consolidate, samples } from '../../statemachines/contracts.ts';
import { definition, MACHINES, type Machine, placeholders } from '../../statemachines/definitions.ts';
import { always, fields, flaky, lambdaError, opened, type Stub } from '../support/executions.ts';

const filled = (machine: Machine) =>
  JSON.parse(definition(machine, Object.fromEntries(placeholders(machine).map((name) => [name, name]))));

const photo = { key: '28/raw/photo/horizontal/one.jpg', type: 'PHOTO_HORIZONTAL' };
const second = { key: '28/raw/photo/vertical/two.jpg', type: 'PHOTO_VERTICAL' };
const video = (type: string) => ({
  key: `28/raw/video/${type}.mov`,
  type,
  input: `s3://bucket/${type}.mov`,
  destination: 's3://bucket/out/',
});
const job = { Job: { OutputGroupDetails: [{ OutputDetails: [{ DurationInMs: 1000 }] }] } };
const permanent = lambdaError('VALIDATION_ERROR', 'three files are missing');
const weather = lambdaError('TypeError', 'undefined is not a function');

/** Stub tasks under which the processing machine succeeds. */
const sound = (): Record<string, Stub> => ({
  'callback-dispatch': () => ({ delivered: true, answer: 'accepted' }),
  validate: () => ({
    images: [photo, second],
    videos: [video('VIDEO_VERTICAL'), video('VIDEO_HORIZONTAL')],
    errors: [],
  }),
  thumbnails: (payload) => ({ rawKey: fields(fields(payload).asset).key ?? '', variants: {} }),
  consolidate: (payload) => ({ status: 'SUCCEEDED', results: fields(payload).results ?? null }),
  zip: () => ({ ...samples.zip }),
});

async function processing(
  t: ExecutionContext,
  functions: Record<string, Stub>,
  mediaConvert: Stub = () => job,
) {
  const stack = await opened(
    t,
    { m: filled('media-processing') },
    { functions: { ...sound(), ...functions }, mediaConvert },
  );
  const execution = await stack.run('m', samples.machineInput);
  const reports = stack.calls
    .filter(({ name }) => name === 'callback-dispatch')
    .map(({ payload }) => fields(payload));
  return {
    ...stack,
    execution,
    output: fields(JSON.parse(execution.output ?? 'null')),
    statuses: reports.map((report) => report.status),
    lastReport: reports.at(-1),
    states: (await stack.history(execution.executionArn ?? '')).flatMap(
      ({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name ?? [],
    ),
  };
}

test('processing: photos and videos of both orientations end in the callback, which is the output', async (t) => {
  const { execution, output, calls, statuses } = await processing(t, {});
  t.is(execution.status, 'SUCCEEDED');
  t.deepEqual(statuses, ['RUNNING', 'SUCCEEDED']);
  t.deepEqual(output.results, [
    [photo, second].map(({ key }) => ({ rawKey: key, variants: {} })),
    ['VIDEO_VERTICAL', 'VIDEO_HORIZONTAL'].map((type) => ({ rawKey: video(type).key, variants: {} })),
  ]);
  const jobs = calls.filter(({ name }) => name === 'mediaconvert').map(({ payload }) => fields(payload));
  t.deepEqual(
    jobs.map(({ JobTemplate, UserMetadata }) => [JobTemplate, UserMetadata]),
    ['verticalJobTemplate', 'horizontalJobTemplate'].map((template) => [
      template,
      { jobId: '21', listingIdentityId: '28' },
    ]),
  );
  const consolidated = calls.find(({ name }) => name === 'consolidate')?.payload;
  const asked = Consolidate.input.safeParse({ ...fields(consolidated), results: [] });
  t.true(asked.success, asked.error?.message);
  t.is(asked.data?.executionArn, execution.executionArn);
  t.is(asked.data?.startedAt, execution.startDate?.toISOString());
});

test('processing: nothing to do in a branch is an empty list', async (t) => {
  const { output } = await processing(t, { validate: () => ({ images: [], videos: [], errors: [] }) });
  t.deepEqual(output.results, [[], []]);
});

test('processing: a service that does not hear of the start hears of the end', async (t) => {
  const callback: Stub = (payload) => {
    if (fields(payload).status === 'RUNNING') throw weather;
    return {};
  };
  const { execution, statuses } = await processing(t, { 'callback-dispatch': callback });
  t.is(execution.status, 'SUCCEEDED');
  t.deepEqual(statuses, ['RUNNING', 'RUNNING', 'RUNNING', 'SUCCEEDED']);
});

test('processing: originals that are refused end as VALIDATION_FAILED with the function’s error', async (t) => {
  const { execution, statuses, lastReport, count } = await processing(t, { validate: always(permanent) });
  t.like(execution, { status: 'FAILED', error: 'VALIDATION_ERROR' });
  t.is(JSON.parse(JSON.parse(execution.cause ?? '').Cause).errorMessage, 'three files are missing');
  t.deepEqual(statuses, ['RUNNING', 'VALIDATION_FAILED']);
  t.deepEqual(lastReport?.error, { Error: permanent.name, Cause: permanent.message });
  t.is(count('validate'), 1);
});

test('processing: weather in validation is retried, then reported as it is', async (t) => {
  const { execution, count, pauses } = await processing(t, { validate: always(weather) });
  t.like(execution, { status: 'FAILED', error: 'TypeError' });
  t.is(count('validate'), 5);
  t.true(pauses.every((pause) => pause <= 30_000));
});

test('processing: a failure that cannot be reported is still the end of the execution', async (t) => {
  const callback: Stub = (payload) => {
    if (fields(payload).status === 'VALIDATION_FAILED') throw lambdaError('CALLBACK_REFUSED');
    return {};
  };
  const { execution, statuses } = await processing(t, {
    validate: always(permanent),
    'callback-dispatch': callback,
  });
  t.like(execution, { status: 'FAILED', error: 'VALIDATION_ERROR' });
  t.deepEqual(statuses, ['RUNNING', 'VALIDATION_FAILED']);
});

test('processing: a photo that fails is its own error and stops nothing else', async (t) => {
  const thumbnails: Stub = (payload) => {
    const { key = '' } = fields(fields(payload).asset);
    if (key === photo.key) throw lambdaError('IMAGE_TOO_LARGE');
    return { rawKey: key, variants: {} };
  };
  const { output, count, states } = await processing(t, { thumbnails });
  const [[failed, well]] = output.results as [[Record<string, Json>, Json]];
  t.like(failed, { sourceKey: photo.key, errorCode: 'THUMBNAIL_PROCESSING_FAILED' });
  t.is(fields(failed.error).Error, 'IMAGE_TOO_LARGE');
  t.deepEqual(well, { rawKey: second.key, variants: {} });
  t.is(count('thumbnails'), 4);
  t.is(states.filter((name) => name === 'ImageFailed').length, 1);
});

test('processing: a video that cannot be transcoded is its own error', async (t) => {
  const failure = new StatesError('States.TaskFailed', '{"Job":{"Status":"ERROR"}}');
  const { output, count } = await processing(t, {}, (parameters) => {
    if (fields(parameters).JobTemplate === 'verticalJobTemplate') throw failure;
    return job;
  });
  const [, [failed, well]] = output.results as [Json, [Record<string, Json>, Json]];
  t.like(failed, {
    sourceKey: video('VIDEO_VERTICAL').key,
    errorCode: 'VIDEO_TRANSCODE_FAILED',
    error: { Error: failure.name, Cause: failure.message },
  });
  t.deepEqual(well, { rawKey: video('VIDEO_HORIZONTAL').key, variants: {} });
  t.is(count('mediaconvert'), 2);
});

test('processing: MediaConvert’s throttling is retried', async (t) => {
  const throttled = new StatesError('MediaConvert.TooManyRequestsException', 'slow down');
  const { execution, count } = await processing(
    t,
    {},
    flaky([throttled, throttled, throttled], () => job),
  );
  t.is(execution.status, 'SUCCEEDED');
  t.is(count('mediaconvert'), 5);
});

test('processing: a poster that fails is its own error', async (t) => {
  const thumbnails: Stub = (payload) => {
    const { asset, transcode } = fields(payload);
    if (transcode) throw lambdaError('VIDEO_THUMBNAIL_FAILED');
    return { rawKey: fields(asset).key ?? '', variants: {} };
  };
  const { output, count } = await processing(t, { thumbnails });
  const [, videos] = output.results as [Json, Record<string, Json>[]];
  t.deepEqual(
    videos.map(({ errorCode }) => errorCode),
    ['VIDEO_THUMBNAIL_FAILED', 'VIDEO_THUMBNAIL_FAILED'],
  );
  t.is(count('thumbnails'), 4);
});

test('processing: what cannot be consolidated ends as PROCESSING_FAILED', async (t) => {
  const { execution, statuses, count } = await processing(t, { consolidate: always(weather) });
  t.like(execution, { status: 'FAILED', error: 'TypeError' });
  t.deepEqual(statuses, ['RUNNING', 'PROCESSING_FAILED']);
  t.is(count('consolidate'), 5);
});

test('processing: a result that cannot be delivered is the output of a successful execution', async (t) => {
  const callback: Stub = (payload) => {
    if (fields(payload).status !== 'RUNNING') throw lambdaError('CALLBACK_REFUSED');
    return {};
  };
  const { execution, output, states } = await processing(t, { 'callback-dispatch': callback });
  t.is(execution.status, 'SUCCEEDED');
  t.is(output.status, 'SUCCEEDED');
  t.is(states.at(-1), 'CallbackUndelivered');
});

async function finalization(t: ExecutionContext, functions: Record<string, Stub>) {
  const stack = await opened(
    t,
    { m: filled('media-finalization') },
    { functions: { ...sound(), ...functions } },
  );
  const execution = await stack.run('m', samples.machineInput);
  const reports = stack.calls
    .filter(({ name }) => name === 'callback-dispatch')
    .map(({ payload }) => fields(payload));
  return { ...stack, execution, reports };
}

test('finalization: the bundle is reported, and the report is the output', async (t) => {
  const { execution, reports } = await finalization(t, {});
  t.is(execution.status, 'SUCCEEDED');
  t.deepEqual(JSON.parse(execution.output ?? ''), reports[0]);
  const { zipKey: _, ...bundle } = samples.zip;
  t.like(reports[0], { status: 'SUCCEEDED', provider: 'STEP_FUNCTIONS_FINALIZATION', jobId: 21, ...bundle });
});

test('finalization: archived originals fail it at once, weather after its retries', async (t) => {
  const archived = await finalization(t, { zip: always(lambdaError('RAW_ARCHIVED')) });
  t.like(archived.execution, { status: 'FAILED', error: 'RAW_ARCHIVED' });
  t.is(archived.count('zip'), 1);
  t.like(archived.reports[0], { status: 'FINALIZATION_FAILED', error: { Error: 'RAW_ARCHIVED' } });
  const stormy = await finalization(t, { zip: always(weather) });
  t.like(stormy.execution, { status: 'FAILED', error: 'TypeError' });
  t.is(stormy.count('zip'), 4);
});

test('finalization: a bundle or a failure that nobody hears of ends as it would have', async (t) => {
  const deaf = always(weather);
  const made = await finalization(t, { 'callback-dispatch': deaf });
  t.is(made.execution.status, 'SUCCEEDED');
  t.is(JSON.parse(made.execution.output ?? '').assetsZipped, samples.zip.assetsZipped);
  t.is(made.reports.length, 9);
  const failed = await finalization(t, { 'callback-dispatch': deaf, zip: always(permanent) });
  t.like(failed.execution, { status: 'FAILED', error: 'VALIDATION_ERROR' });
  t.is(failed.reports.length, 9);
});

test('both machines are compiled with every placeholder', (t) => {
  for (const machine of MACHINES) t.notThrows(() => compileMachine(machine, filled(machine)));
});
