import test from 'ava';
import type { z } from 'zod';
import { consolidate, handler } from '../../lambdas/consolidate.ts';
import { videoFacts } from '../../lambdas/media/video.ts';
import { Callback, Consolidate, samples } from '../../statemachines/contracts.ts';
import { variantKeys, videoKeys } from '../../statemachines/object-keys.ts';

const input = Consolidate.input.parse(samples.consolidate);
const [photo, video] = input.assets;
if (!photo || !video) throw new Error('the sample has a photo and a video');
const doc = { key: '28/raw/project/doc/plan-plan.pdf', type: 'PROJECT_DOC' } as const;

const consolidated = (changes: Partial<z.output<typeof Consolidate.input>>) =>
  Callback.parse(consolidate({ ...input, ...changes }));

test('each asset gets one output, in the order of the input, whoever answered first', (t) => {
  const results = [
    [
      { rawKey: doc.key, variants: { original: '28/processed/project/doc/original/plan-plan.pdf' } },
      { rawKey: photo.key, variants: variantKeys(photo.key), width: 6000, height: 4000 },
    ],
    [
      {
        rawKey: video.key,
        variants: { ...variantKeys(video.key), ...videoKeys(video.key) },
        width: 1080,
        height: 1920,
        durationSeconds: 12.5,
      },
    ],
  ];
  const body = consolidated({ assets: [photo, video, doc], results });
  t.like(body, { status: 'SUCCEEDED', failureReason: null, error: null, jobId: 21, batchId: input.batchId });
  t.deepEqual(
    body.outputs.map(({ rawKey, processedKey, thumbnailKey, resolution, durationSeconds }) => ({
      rawKey,
      processedKey,
      thumbnailKey,
      resolution,
      durationSeconds,
    })),
    [
      {
        rawKey: photo.key,
        processedKey: '28/processed/photo/horizontal/large/horizontal-01-IMG_2907.jpg',
        thumbnailKey: '28/processed/photo/horizontal/thumbnail/horizontal-01-IMG_2907.jpg',
        resolution: '6000x4000',
        durationSeconds: undefined,
      },
      {
        rawKey: video.key,
        processedKey: '28/processed/video/vertical/original/tour-clip-1080p.mp4',
        thumbnailKey: '28/processed/video/vertical/thumbnail/tour-clip.jpg',
        resolution: '1080x1920',
        durationSeconds: 12.5,
      },
      {
        rawKey: doc.key,
        processedKey: '28/processed/project/doc/original/plan-plan.pdf',
        thumbnailKey: undefined,
        resolution: undefined,
        durationSeconds: undefined,
      },
    ],
  );
  t.deepEqual(body.outputs[1]?.outputs, {
    thumbnail_video_vertical: '28/processed/video/vertical/thumbnail/tour-clip.jpg',
    small_video_vertical: '28/processed/video/vertical/small/tour-clip.jpg',
    medium_video_vertical: '28/processed/video/vertical/medium/tour-clip.jpg',
    large_video_vertical: '28/processed/video/vertical/large/tour-clip.jpg',
    original_1080p_video_vertical: '28/processed/video/vertical/original/tour-clip-1080p.mp4',
    original_720p_video_vertical: '28/processed/video/vertical/original/tour-clip-720p.mp4',
  });
});

test('the best that exists is the processed key', (t) => {
  const { large: _, ...smaller } = variantKeys(photo.key);
  const body = consolidated({ assets: [photo], results: [[{ rawKey: photo.key, variants: smaller }], []] });
  t.is(body.outputs[0]?.processedKey, smaller.medium);
});

test('one bad asset makes a partial success that names it', (t) => {
  const body = Callback.parse(consolidate(input));
  t.like(body, { status: 'PARTIAL_SUCCESS', failureReason: 'DERIVATIVE_ERRORS_DETECTED' });
  t.like(body.outputs[0], { rawKey: photo.key, errorCode: null });
  t.like(body.outputs[1], { rawKey: video.key, errorCode: 'VIDEO_TRANSCODE_FAILED' });
  t.regex(body.outputs[1]?.errorMessage ?? '', /could not be converted/);
});

test('an error of ours keeps its code and sentence; anything else gets a sentence without stack or address', (t) => {
  const message = (name: string, cause?: string) =>
    consolidated({
      assets: [photo],
      results: [
        [
          {
            sourceKey: photo.key,
            errorCode: 'THUMBNAIL_PROCESSING_FAILED',
            error: { Error: name, Cause: cause },
          },
        ],
        [],
      ],
    }).outputs[0];

  t.like(
    message(
      'IMAGE_TOO_LARGE',
      JSON.stringify({ errorMessage: 'a.jpg has 120 megapixels.', trace: ['at x'] }),
    ),
    { errorCode: 'IMAGE_TOO_LARGE', errorMessage: 'a.jpg has 120 megapixels.' },
  );
  for (const cause of [
    undefined,
    'Sandbox.Timedout',
    JSON.stringify({ errorMessage: 'TypeError: x is undefined' }),
  ]) {
    const output = message('Lambda.Unknown', cause);
    t.is(output?.errorCode, 'THUMBNAIL_PROCESSING_FAILED');
    t.regex(output?.errorMessage ?? '', /^The preview images could not be made\./);
  }
  const long = `see https://bucket.s3.amazonaws.com/k?X-Amz-Signature=abc now ${'x'.repeat(900)}\n    at stack`;
  const output = message('UNSUPPORTED_CONTENT', JSON.stringify({ errorMessage: long }));
  t.is(output?.errorMessage?.length, 500);
  t.notRegex(output?.errorMessage ?? '', /X-Amz-Signature|at stack/);
});

test('an asset of which nobody spoke is missing, not forgotten', (t) => {
  const body = consolidated({ results: [[], []] });
  t.is(body.status, 'PROCESSING_FAILED');
  t.deepEqual(
    body.outputs.map((output) => [output.rawKey, output.errorCode]),
    [
      [photo.key, 'MISSING_PROCESSED_KEY'],
      [video.key, 'MISSING_PROCESSED_KEY'],
    ],
  );
});

test('when validation refused everything the job is VALIDATION_FAILED', (t) => {
  const validationErrors = input.assets.map(({ key }) => ({
    sourceKey: key,
    errorCode: 'UNSUPPORTED_CONTENT' as const,
    errorMessage: 'It is a GIF.',
  }));
  const body = consolidated({ results: [[], []], validationErrors });
  t.like(body, { status: 'VALIDATION_FAILED', failureReason: 'VALIDATION_ERROR' });
  t.is(consolidated({ validationErrors: validationErrors.slice(1) }).status, 'PARTIAL_SUCCESS');
});

test('the callback of the largest batch stays below the payload limit of Step Functions', (t) => {
  const assets = Array.from({ length: 120 }, (_, n) => ({
    key: `123456/raw/photo/horizontal/${'r'.repeat(40)}-${n}-${'f'.repeat(60)}.jpg`,
    type: 'PHOTO_HORIZONTAL' as const,
  }));
  const results = [
    assets.map(({ key }) => ({ rawKey: key, variants: variantKeys(key), width: 6000, height: 4000 })),
    [],
  ];
  t.true(JSON.stringify(consolidated({ assets, results })).length < 256 * 1024);
});

test('a video has the pixels of its widest rendition and the seconds of its longest', (t) => {
  t.deepEqual(
    videoFacts([
      { DurationInMs: 12_480, VideoDetails: { WidthInPx: 1280, HeightInPx: 720 } },
      { DurationInMs: 12_500, VideoDetails: { WidthInPx: 1920, HeightInPx: 1080 } },
      {},
    ]),
    { width: 1920, height: 1080, durationSeconds: 12.5 },
  );
  t.deepEqual(videoFacts([]), {});
});

test('a task refuses input that does not fit its contract, permanently, and takes input that does', async (t) => {
  Object.assign(process.env, {
    ENV: 'test',
    MEDIA_BUCKET: 'bucket',
    TRACE_HEADER_KEY: 'traceparent',
    LOG_LEVEL: 'silent',
  });
  await t.throwsAsync(handler({ jobId: 'x' }), {
    name: 'VALIDATION_ERROR',
    message: 'The work order was not understood. Please try again.',
  });
  t.is((await handler(samples.consolidate)).status, 'PARTIAL_SUCCESS');
});
