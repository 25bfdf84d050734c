import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { handler as consolidate } from '../../lambdas/consolidate.ts';
import * as errors from '../../lambdas/errors.ts';
import { task } from '../../lambdas/task.ts';
import { type Json, StatesError } from '../../local/step-functions/expressions.ts';
import type { ProgressEvent } from '../../local/step-functions/runs.ts';
import { ServiceConfig } from '../../service/config.ts';
import {
  type Asset,
  Callback,
  MachineInput,
  Thumbnails,
  type UploadType,
  Validate,
  Zip,
} from '../../statemachines/contracts.ts';
import { definition, type Machine, placeholders } from '../../statemachines/definitions.ts';
import {
  bundleKey,
  cleanFilename,
  rawKey,
  variantKeys,
  videoKeys,
  videoPrefix,
} from '../../statemachines/object-keys.ts';
import { fields, opened, type Stub } from '../support/executions.ts';

/** AWS: "Maximum input or output size for a task, state, or execution: 256 KiB of data as a UTF-8 encoded string". */
const LIMIT = 256 * 1024;
/** What the largest batch may need of it: the rest is for what nobody thought of. */
const ROOM = 0.85 * LIMIT;
/** The most files that a batch may have: no configuration gets beyond it. */
const MOST = 100;
/** The most originals of a gallery that a message may carry. */
const MOST_IN_GALLERY = 255;
const LISTING = Number.MAX_SAFE_INTEGER;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const filled = (machine: Machine) =>
  JSON.parse(definition(machine, Object.fromEntries(placeholders(machine).map((name) => [name, name]))));

/** An original with the longest key, and every optional field. */
function asset(type: UploadType, index: number, extension: string): Asset {
  const reference = `${'r'.repeat(45)}${String(index).padStart(3, '0')}`;
  const contentType = 'application/octet-stream';
  const filename = cleanFilename(`${'n'.repeat(200)}${extension}`, contentType);
  const key = rawKey({ listingIdentityId: LISTING, type, reference, filename, contentType });
  return { key, type, bytes: 268_435_456, checksumSha256: 'f'.repeat(64) };
}

const input = (assets: Asset[]) =>
  MachineInput.parse({
    jobId: LISTING,
    listingIdentityId: LISTING,
    batchId: '0b9f4f0e-8a3c-4f57-9d55-6f3d7f6f2b11',
    assets,
    retry: 999,
    traceparent: TRACEPARENT,
  });

const assetsOf = (payload: Json) => MachineInput.parse(payload).assets;
const assetOf = (payload: Json) => Thumbnails.input.parse(payload).asset;
const many = (count: number, type: UploadType, extension: string) =>
  Array.from({ length: count }, (_, index) => asset(type, index, extension));

/** What validation says of originals that are all as promised. */
const allValid: Stub = (payload) => {
  const assets = assetsOf(payload);
  const isVideo = ({ type }: Asset) => type.startsWith('VIDEO');
  return Validate.output.parse({
    images: assets.filter((one) => !isVideo(one)),
    videos: assets.filter(isVideo).map((one) => ({
      ...one,
      input: `s3://toq-listing-medias-production/${one.key}`,
      destination: `s3://toq-listing-medias-production/${videoPrefix(one.key)}`,
    })),
    errors: [],
  });
};

/** What is made of one original: every size, of a video the two MP4s too. */
const everySize: Stub = (payload) => {
  const { key, type } = assetOf(payload);
  const video = type.startsWith('VIDEO');
  return Thumbnails.output.parse({
    rawKey: key,
    variants: { ...variantKeys(key), ...(video ? videoKeys(key) : {}) },
    width: 99_999,
    height: 99_999,
    ...(video && { durationSeconds: 3599.999 }),
  });
};

Object.assign(process.env, {
  ENV: 'test',
  MEDIA_BUCKET: 'toq-listing-medias-test',
  TRACE_HEADER_KEY: 'traceparent',
  LOG_LEVEL: 'silent',
});

/** A function that throws, in the wrapper of all functions, and what Lambda's runtime then says. */
const throwing = (error: (asset: Asset) => Error): Stub => {
  const handler = task('thumbnails', Thumbnails, () => ({ asset }) => {
    throw error(asset);
  });
  return async (payload) => {
    const thrown = await handler(payload).catch((reason: unknown) => reason);
    if (!(thrown instanceof Error)) throw new Error('the function did not throw');
    const { name: errorType, message: errorMessage, stack } = thrown;
    throw new StatesError(errorType, JSON.stringify({ errorType, errorMessage, trace: stack?.split('\n') }));
  };
};

const transcoded: Stub = () => ({
  Job: {
    OutputGroupDetails: [
      {
        OutputDetails: Array.from({ length: 3 }, () => ({
          DurationInMs: 3_599_999,
          VideoDetails: { WidthInPx: 1920, HeightInPx: 1080 },
        })),
      },
    ],
  },
});

interface Batch {
  what: string;
  assets: Asset[];
  validate?: Stub;
  thumbnails?: Stub;
  mediaConvert?: Stub;
  status: string;
}

const photos = many(MOST, 'PHOTO_HORIZONTAL', '.jpeg');
const videos = many(MOST, 'VIDEO_HORIZONTAL', '.mov');

const BATCHES: Batch[] = [
  { what: 'photos', assets: photos, status: 'SUCCEEDED' },
  { what: 'videos', assets: videos, status: 'SUCCEEDED' },
  {
    what: 'photos that are all too large',
    assets: photos,
    thumbnails: throwing(({ key }) => errors.imageTooLarge(errors.fileName(key), 999)),
    status: 'PROCESSING_FAILED',
  },
  {
    what: 'photos in bad weather',
    assets: photos,
    thumbnails: throwing(() => new Error('x'.repeat(10_000))),
    status: 'PROCESSING_FAILED',
  },
  {
    what: 'videos that MediaConvert refuses',
    assets: videos,
    mediaConvert: () => {
      throw new StatesError('States.TaskFailed', JSON.stringify({ Status: 'ERROR', text: 'x'.repeat(500) }));
    },
    status: 'PROCESSING_FAILED',
  },
  {
    what: 'photos that are all refused',
    assets: photos,
    validate: (payload) =>
      Validate.output.parse({
        images: [],
        videos: [],
        errors: assetsOf(payload).map(({ key }) => {
          const { name, message } = errors.archived(key);
          return { sourceKey: key, errorCode: name, errorMessage: message };
        }),
      }),
    status: 'VALIDATION_FAILED',
  },
];

/** The largest text that a state took or gave, in bytes, and where. */
function largest(events: ProgressEvent[]) {
  let found = { bytes: 0, state: '' };
  for (const event of events) {
    JSON.stringify(event, (key, value) => {
      if (['input', 'output', 'parameters'].includes(key) && typeof value === 'string') {
        const bytes = Buffer.byteLength(value);
        if (bytes > found.bytes) found = { bytes, state: String(event.state) };
      }
      return value;
    });
  }
  return found;
}

async function run(t: ExecutionContext, batch: Batch) {
  const stack = await opened(
    t,
    { m: filled('media-processing') },
    {
      functions: {
        validate: batch.validate ?? allValid,
        thumbnails: batch.thumbnails ?? everySize,
        // the real one, which parses what it is given and what it answers
        consolidate: async (payload) => JSON.parse(JSON.stringify(await consolidate(payload))),
        'callback-dispatch': (payload) => {
          Callback.parse(payload);
          return { delivered: true, answer: 'accepted' };
        },
      },
      mediaConvert: batch.mediaConvert ?? transcoded,
    },
  );
  const execution = await stack.run('m', input(batch.assets));
  return {
    execution,
    output: fields(JSON.parse(execution.output ?? 'null')),
    ...largest(stack.events),
  };
}

test('no configuration allows a larger batch than these', (t) => {
  const size = ServiceConfig.shape.MAX_FILES_PER_BATCH;
  t.is(size.parse(String(MOST)), MOST);
  t.false(size.safeParse(String(MOST + 1)).success);
});

for (const batch of BATCHES) {
  test(`${MOST} ${batch.what} leave a seventh of a state’s limit free everywhere`, async (t) => {
    const { execution, output, bytes, state } = await run(t, batch);
    t.is(execution.status, 'SUCCEEDED', `${execution.error} ${execution.cause}`);
    t.is(output.status, batch.status);
    t.is(z.array(z.unknown()).parse(output.outputs).length, MOST);
    t.log(`${bytes} bytes in ${state}`);
    t.true(bytes < ROOM, `${state} has ${bytes} bytes`);
  });
}

test(`a gallery of ${MOST_IN_GALLERY} leaves a seventh of a state’s limit free everywhere`, async (t) => {
  const stack = await opened(
    t,
    { m: filled('media-finalization') },
    {
      functions: {
        zip: () =>
          Zip.output.parse({
            zipKey: bundleKey(LISTING),
            zipBundles: [bundleKey(LISTING)],
            assetsZipped: MOST_IN_GALLERY,
            zipSizeBytes: Number.MAX_SAFE_INTEGER,
            unzippedSizeBytes: Number.MAX_SAFE_INTEGER,
          }),
        'callback-dispatch': () => ({ delivered: true, answer: 'accepted' }),
      },
    },
  );
  const execution = await stack.run('m', input(many(MOST_IN_GALLERY, 'PHOTO_HORIZONTAL', '.jpeg')));
  t.is(execution.status, 'SUCCEEDED');
  const { bytes, state } = largest(stack.events);
  t.log(`${bytes} bytes in ${state}`);
  t.true(bytes < ROOM, `${state} has ${bytes} bytes`);
});
