import test, { type ExecutionContext } from 'ava';
import { Problem } from '../../../service/errors.ts';
import type { MediaOperations } from '../../../service/media/operations.ts';
import { startTestDatabase, type TestDatabase } from '../../support/database.ts';
import {
  ADMIN,
  file,
  mediaWorld,
  OWNER,
  PHOTOGRAPHER,
  photos,
  settlePeople,
  TRACE,
} from '../../support/media-world.ts';

let database: TestDatabase;
let world: ReturnType<typeof mediaWorld>;
let media: MediaOperations;

test.before(async () => {
  database = await startTestDatabase();
  await settlePeople(database);
  world = mediaWorld(database);
  media = world.media;
});
test.after.always(() => database?.stop());

async function refused(t: ExecutionContext, work: Promise<unknown>, status: number, code: string) {
  const problem = await t.throwsAsync(work, { instanceOf: Problem });
  t.is(problem?.status, status);
  t.is(problem?.code, code);
  return problem;
}

test('a batch goes from manifest to READY, and its listing to the owner', async (t) => {
  const id = await world.listing();
  const { batchId, files } = await world.uploaded(id, [
    ...photos(3),
    file('tour', 1, { assetType: 'VIDEO_VERTICAL', filename: 'tour.mov', contentType: 'video/quicktime' }),
  ]);
  t.is(files[0]?.s3Key, `${id}/raw/photo/horizontal/photo-1-photo-1.jpg`);
  t.is(files[0]?.objectKey, files[0]?.s3Key);
  t.is((await world.status(id, batchId)).status, 'PENDING_UPLOAD');

  const received = await world.complete(id);
  t.is(received.status, 'RECEIVED');
  t.is(received.batchId, batchId);
  const sent = world.queue.sent.find(({ message }) => message.jobId === received.jobId);
  t.like(sent, {
    message: { listingIdentityId: id, batchId, retry: 0, assets: { length: 4 } },
    attributes: { Traceparent: TRACE.traceparent, BatchId: batchId, RetryCount: '0' },
  });

  t.is(
    await world.tell({ jobId: Number(received.jobId), listingIdentityId: String(id), status: 'RUNNING' }),
    'accepted',
  );
  const running = await world.status(id, batchId);
  t.is(running.status, 'PROCESSING');
  t.regex(running.processing.jobId ?? '', new RegExp(`:process-${id}-${received.jobId}$`));
  t.deepEqual(
    running.processing.steps.map((step) => step.status),
    ['RUNNING', 'RUNNING', 'RUNNING', 'PENDING'],
  );

  t.is(await world.tell(await world.processed(Number(received.jobId))), 'accepted');
  const bundling = await world.newestJob(batchId);
  t.like(bundling, { provider: 'STEP_FUNCTIONS_FINALIZATION', status: 'RUNNING' });
  t.true(world.workflows.executions.has(bundling.external_id));
  t.true(
    world.events.some(
      (event) =>
        event.msg === 'service.media.complete.started_zip' &&
        event.job_id === bundling.id &&
        event.execution_arn === bundling.external_id &&
        event.listing_identity_id === id,
    ),
  );
  t.is(await world.listingStatus(id), 'PENDING_PHOTO_PROCESSING', 'not before the bundle is there');
  t.is(await media.queryDownloads(OWNER, { listingIdentityId: id }), null);

  t.is(await world.tell(await world.bundled(bundling.id)), 'accepted');
  const ready = await world.status(id, batchId);
  t.is(ready.status, 'READY');
  t.deepEqual(
    ready.processing.steps.map((step) => step.status),
    ['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED'],
  );
  t.true(ready.availableDownloads.every((download) => download.ready));
  t.is(await world.listingStatus(id), 'PENDING_OWNER_APPROVAL');

  t.deepEqual(
    world.events.filter((event) => event.batch_id === batchId && event.level !== 30),
    [],
    'nothing was worth a warning',
  );
  const again = await world.complete(id, batchId);
  t.is(again.status, 'READY');
  t.is(again.jobId, bundling.id);
  const downloads = await media.queryDownloads(OWNER, { listingIdentityId: id });
  t.deepEqual(
    downloads?.downloads.map((download) => [
      download.type,
      'items' in download ? download.items.length : download.bytes,
    ]),
    [
      ['ZIP_FULL', 1234],
      ['PHOTO_HORIZONTAL', 3],
      ['VIDEO_VERTICAL', 1],
    ],
  );
});

test('complete names each upload that is missing or different, and changes nothing', async (t) => {
  const id = await world.listing();
  const { batchId, files } = await world.uploaded(id, photos(6));
  const [missing, short, other, tagged] = files.map((entry) => entry.s3Key);
  world.objects.objects.delete(String(missing));
  await world.objects.put(String(short), 'short');
  await world.objects.put(String(other), 'the content of photo-X');
  const problem = await refused(
    t,
    media.completeUploads(
      PHOTOGRAPHER,
      {
        listingIdentityId: id,
        batchId,
        files: [
          { clientId: 'photo-4', s3Key: String(tagged), etag: '"another"' },
          { clientId: 'photo-1' },
          { clientId: 'photo-5', bytes: 3 },
        ],
      },
      TRACE,
    ),
    400,
    'invalid_request',
  );
  t.deepEqual(
    problem?.errors?.map(({ pointer, code }) => [pointer, code]),
    [
      ['/files/1', 'upload_not_found'],
      ['/files', 'upload_size_mismatch'],
      ['/files', 'upload_checksum_mismatch'],
      ['/files/0', 'upload_etag_mismatch'],
      ['/files/2', 'upload_size_mismatch'],
    ],
  );
  t.regex(problem?.errors?.[1]?.message ?? '', /photo-2/);
  t.is(await world.newestJob(batchId), undefined);
  t.is((await world.status(id, batchId)).status, 'PENDING_UPLOAD');

  const stranger = [{ clientId: 'nobody' }, { clientId: 'photo-1', s3Key: 'elsewhere' }];
  const unknown = await refused(
    t,
    media.completeUploads(PHOTOGRAPHER, { listingIdentityId: id, files: stranger }, TRACE),
    400,
    'invalid_request',
  );
  t.deepEqual(
    unknown?.errors?.map(({ pointer }) => pointer),
    ['/files/0/clientId', '/files/1/s3Key'],
  );
});

test('one broken photo leaves the others usable; replaced, or removed, the batch becomes READY', async (t) => {
  for (const way of ['replace', 'remove', 'again'] as const) {
    const id = await world.listing();
    const { batchId, files } = await world.uploaded(id, photos(20));
    const broken = String(files[6]?.s3Key);
    const { jobId } = await world.complete(id);
    await world.tell(await world.processed(Number(jobId), { [broken]: 'UNSUPPORTED_CONTENT' }));

    const failed = await world.status(id, batchId);
    t.like(failed, { status: 'FAILED', error: { code: 'ASSETS_FAILED' } });
    const bad = failed.assets.filter((asset) => asset.status === 'FAILED');
    t.deepEqual(
      bad.map(({ clientId, errorCode, errorMessage }) => [clientId, errorCode, errorMessage]),
      [['photo-7', 'UNSUPPORTED_CONTENT', 'It is broken: UNSUPPORTED_CONTENT.']],
    );
    t.is(failed.processing.steps[0]?.status, 'FAILED');
    t.is(failed.processing.steps[0]?.done, 19);
    const usable = await media.queryDownloads(PHOTOGRAPHER, { listingIdentityId: id, batchId });
    t.is(usable?.downloads.length, 1, 'no bundle yet');
    t.like(usable?.downloads[0], { type: 'PHOTO_HORIZONTAL', items: { length: 19 } });

    if (way === 'replace') {
      const answer = await media.openUploads(
        PHOTOGRAPHER,
        { listingIdentityId: id, batchId, files: [file('photo-7', 7)] },
        TRACE,
      );
      t.true(answer.created);
      t.is((await world.status(id, batchId)).status, 'PENDING_UPLOAD');
      t.not(answer.files[0]?.s3Key, broken, 'an old signed URL must not reach the new file');
      await world.put(answer);
    }
    if (way === 'remove') {
      await media.removeAsset(PHOTOGRAPHER, {
        listingIdentityId: id,
        assetType: 'PHOTO_HORIZONTAL',
        sequence: 7,
      });
    }
    const next = await world.complete(id, batchId);
    t.not(next.jobId, jobId);
    if (way !== 'remove') {
      t.is((await world.input(Number(next.jobId))).assets.length, 1, 'only what is not PROCESSED');
      t.is(await world.tell(await world.processed(Number(next.jobId))), 'accepted');
    }
    const bundling = await world.newestJob(batchId);
    t.is(bundling.provider, 'STEP_FUNCTIONS_FINALIZATION');
    t.is((await world.input(bundling.id)).assets.length, way === 'remove' ? 19 : 20);
    await world.tell(await world.bundled(bundling.id));
    t.is((await world.status(id, batchId)).status, 'READY');
  }
});

test('photos in portions: process what is there, upload more, complete', async (t) => {
  const id = await world.listing();
  const opened = await media.openUploads(
    PHOTOGRAPHER,
    { listingIdentityId: id, batchReference: 'first visit', files: photos(4) },
    TRACE,
  );
  const { batchId } = opened;
  const problem = await refused(
    t,
    media.processUploads(PHOTOGRAPHER, { listingIdentityId: id }, TRACE),
    400,
    'invalid_request',
  );
  t.deepEqual(
    problem?.errors?.map(({ code }) => code),
    Array(4).fill('upload_not_found'),
  );

  await world.put(opened, ['photo-4']);
  const first = await media.processUploads(PHOTOGRAPHER, { listingIdentityId: id }, TRACE);
  t.is(first.status, 'PENDING_UPLOAD');
  t.is((await world.input(Number(first.jobId))).assets.length, 3);
  await refused(
    t,
    media.processUploads(PHOTOGRAPHER, { listingIdentityId: id, files: [{ clientId: 'photo-4' }] }, TRACE),
    400,
    'invalid_request',
  );
  await refused(
    t,
    media.openUploads(
      PHOTOGRAPHER,
      { listingIdentityId: id, batchId, files: [file('photo-1', 1, { title: 'x' })] },
      TRACE,
    ),
    409,
    'asset_processing',
  );
  await world.tell({ jobId: Number(first.jobId), listingIdentityId: id, status: 'RUNNING' });
  await world.tell(await world.processed(Number(first.jobId)));
  const between = await world.status(id, batchId);
  t.is(between.status, 'PENDING_UPLOAD', 'an open batch only collects');
  t.deepEqual(
    between.availableDownloads.map(({ ready }) => ready),
    [false, true],
  );
  t.like(await media.queryDownloads(PHOTOGRAPHER, { listingIdentityId: id, batchId }), {
    downloads: { length: 1 },
  });
  await refused(
    t,
    media.openUploads(
      PHOTOGRAPHER,
      { listingIdentityId: id, batchId, files: [file('photo-1', 1, { title: 'x' })] },
      TRACE,
    ),
    409,
    'asset_processed',
  );

  const more = await media.openUploads(
    PHOTOGRAPHER,
    { listingIdentityId: id, batchId, files: photos(2, 5) },
    TRACE,
  );
  await world.put(opened);
  await world.put(more);
  const second = await media.processUploads(
    PHOTOGRAPHER,
    { listingIdentityId: id, files: [{ clientId: 'photo-5' }] },
    TRACE,
  );
  t.is((await world.input(Number(second.jobId))).assets.length, 1);
  const asked = await media.processUploads(
    PHOTOGRAPHER,
    { listingIdentityId: id, files: [{ clientId: 'photo-5' }] },
    TRACE,
  );
  t.is(asked.jobId, second.jobId, 'it is with that job already');

  const third = await world.complete(id);
  const { assets, retry } = await world.input(Number(third.jobId));
  t.is(assets.length, 2);
  t.is(retry, 2);
  await world.tell(await world.processed(Number(third.jobId)));
  t.is((await world.newestJob(batchId)).id, third.jobId, 'one job is still at work');
  t.is((await world.status(id, batchId)).status, 'PROCESSING');
  await world.tell(await world.processed(Number(second.jobId)));
  const bundling = await world.newestJob(batchId);
  t.is((await world.input(bundling.id)).assets.length, 6);
  await world.tell(await world.bundled(bundling.id));
  t.is((await world.status(id, batchId)).status, 'READY');
});

test('complete waits for the jobs of process, and goes straight to the bundle when they are done', async (t) => {
  const id = await world.listing();
  const waiting = await world.uploaded(id, photos(2));
  const job = await media.processUploads(PHOTOGRAPHER, { listingIdentityId: id }, TRACE);
  const answer = await world.complete(id);
  t.is(answer.jobId, job.jobId);
  t.is(answer.status, 'RECEIVED');
  await world.tell(await world.processed(Number(job.jobId)));
  t.is((await world.newestJob(waiting.batchId)).provider, 'STEP_FUNCTIONS_FINALIZATION');

  const other = await world.listing();
  const done = await world.uploaded(other, photos(2));
  const early = await media.processUploads(PHOTOGRAPHER, { listingIdentityId: other }, TRACE);
  await world.tell(await world.processed(Number(early.jobId)));
  const straight = await world.complete(other);
  const bundling = await world.newestJob(done.batchId);
  t.is(straight.jobId, bundling.id);
  t.is(bundling.provider, 'STEP_FUNCTIONS_FINALIZATION');
  t.is((await world.status(other, done.batchId)).status, 'PROCESSING');
});

test('the same reference and manifest is the same batch; another manifest, or another batch, is a conflict', async (t) => {
  const id = await world.listing();
  const request = {
    listingIdentityId: id,
    batchReference: 'visit',
    files: [file('a', 1, { title: 'Sala', metadata: { room: 'sala', floor: '2' } }), file('b', 2)],
  };
  const first = await media.openUploads(PHOTOGRAPHER, request, TRACE);
  t.true(first.created);
  const again = await media.openUploads(
    PHOTOGRAPHER,
    {
      ...request,
      files: [file('b', 2), file('a', 1, { title: 'Sala', metadata: { floor: '2', room: 'sala' } })],
    },
    TRACE,
  );
  t.false(again.created);
  t.is(again.batchId, first.batchId);
  t.deepEqual(
    again.files.map((entry) => entry.clientId),
    ['b', 'a'],
    'in the order of the request',
  );
  await refused(
    t,
    media.openUploads(PHOTOGRAPHER, { ...request, files: [file('a', 1)] }, TRACE),
    409,
    'batch_reference_conflict',
  );
  const open = await refused(
    t,
    media.openUploads(PHOTOGRAPHER, { ...request, batchReference: 'second visit' }, TRACE),
    409,
    'batch_open',
  );
  t.regex(open?.message ?? '', new RegExp(first.batchId));
  await world.put(first);
  await world.complete(id);
  await refused(t, media.openUploads(PHOTOGRAPHER, request, TRACE), 409, 'batch_reference_used');
  await refused(
    t,
    media.openUploads(PHOTOGRAPHER, { ...request, batchId: first.batchId }, TRACE),
    409,
    'batch_not_open',
  );
});

test('the same request at the same time, many times, opens one batch', async (t) => {
  const id = await world.listing();
  const request = { listingIdentityId: id, batchReference: 'visit', files: photos(3) };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => media.openUploads(PHOTOGRAPHER, request, TRACE)),
  );
  t.is(new Set(answers.map((answer) => answer.batchId)).size, 1);
  t.is(answers.filter((answer) => answer.created).length, 1);
});

test('of many different batches at the same time one is opened', async (t) => {
  const id = await world.listing();
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) =>
      media.openUploads(
        PHOTOGRAPHER,
        { listingIdentityId: id, batchReference: `visit ${index}`, files: photos(2) },
        TRACE,
      ),
    ),
  );
  const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  t.is(lost.length, 7);
  t.true(lost.every((problem) => problem instanceof Problem && problem.code === 'batch_open'));
});

test('complete, many times at the same time, makes one job', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(5));
  const answers = await Promise.all(Array.from({ length: 10 }, () => world.complete(id, batchId)));
  t.is(new Set(answers.map((answer) => answer.jobId)).size, 1);
  t.is(world.queue.sent.filter(({ message }) => message.batchId === batchId).length, 1);
});

test('process and complete at the same time hand each file to one job', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(6));
  const results = await Promise.allSettled([
    media.processUploads(PHOTOGRAPHER, { listingIdentityId: id }, TRACE),
    world.complete(id),
    media.processUploads(PHOTOGRAPHER, { listingIdentityId: id }, TRACE),
    world.complete(id),
  ]);
  t.true(results.every((result) => result.status === 'fulfilled' || result.reason.code === 'batch_not_open'));
  const keys = world.queue.sent
    .filter(({ message }) => message.batchId === batchId)
    .flatMap(({ message }) => message.assets.map((asset) => asset.key));
  t.is(keys.length, 6);
  t.is(new Set(keys).size, 6);
});

test('the same callback, many times at the same time, has one effect', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(3));
  const { jobId } = await world.complete(id);
  const body = await world.processed(Number(jobId));
  const answers = await Promise.all(Array.from({ length: 10 }, () => world.tell(body)));
  t.deepEqual(answers.toSorted(), ['accepted', ...Array(9).fill('duplicate')]);
  const jobs = await world.knex('media_processing_jobs').where({ listing_identity_id: id });
  t.is(jobs.length, 2);

  const bundling = await world.newestJob(batchId);
  const bundle = await world.bundled(bundling.id);
  const ends = await Promise.all(Array.from({ length: 10 }, () => world.tell(bundle)));
  t.deepEqual(ends.toSorted(), ['accepted', ...Array(9).fill('duplicate')]);
  t.is(await world.tell({ ...bundle, status: 'RUNNING' }), 'stale');
  t.is(await world.tell(body), 'duplicate');
  t.is((await world.newestJob(batchId)).callback_body, JSON.stringify(bundle));
});

test('results of two jobs of a batch, at the same time, lead to one bundle', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(4));
  const request = (clientId: string) => ({ listingIdentityId: id, files: [{ clientId }] });
  const jobs = [];
  for (const clientId of ['photo-1', 'photo-2', 'photo-3']) {
    jobs.push(await media.processUploads(PHOTOGRAPHER, request(clientId), TRACE));
  }
  jobs.push(await world.complete(id));
  const bodies = await Promise.all(jobs.map((job) => world.processed(Number(job.jobId))));
  t.deepEqual(await Promise.all(bodies.map(world.tell)), Array(4).fill('accepted'));
  const rows = await world.knex('media_processing_jobs').where({
    listing_identity_id: id,
    provider: 'STEP_FUNCTIONS_FINALIZATION',
  });
  t.is(rows.length, 1);
  t.is((await world.newestJob(batchId)).id, rows[0].id);
});

test('RUNNING once is accepted, again a duplicate, after the end stale', async (t) => {
  const id = await world.listing();
  await world.uploaded(id, photos(1));
  const { jobId } = await world.complete(id);
  const running = { jobId: Number(jobId), listingIdentityId: id, status: 'RUNNING' as const };
  t.is(await world.tell(running), 'accepted');
  t.is(await world.tell(running), 'duplicate');
  await world.tell(await world.processed(Number(jobId)));
  t.is(await world.tell(running), 'stale');
});

test('a callback for an unknown job is a 404; one that does not fit its job is a 400 and changes nothing', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(2));
  const jobId = Number((await world.complete(id)).jobId);
  const body = await world.processed(jobId);
  const outputs = body.outputs ?? [];
  await refused(t, world.tell({ ...body, jobId: 999_999 }), 404, 'job_not_found');
  const misfits = [
    { ...body, listingIdentityId: id + 1 },
    { ...body, batchId: '0b9f4f0e-8a3c-4f57-9d55-6f3d7f6f2b11' },
    { ...body, status: 'FINALIZATION_FAILED' as const },
    {
      ...body,
      outputs: [...outputs, { rawKey: `${id}/raw/photo/horizontal/foreign.jpg`, processedKey: 'x' }],
    },
    { ...body, outputs: outputs.map((output) => ({ ...output, processedKey: '1/processed/photo/x.jpg' })) },
    { ...body, zipBundles: ['elsewhere.zip'] },
  ];
  for (const misfit of misfits) await refused(t, world.tell(misfit), 400, 'invalid_request');
  const status = await world.status(id, batchId);
  t.is(status.status, 'RECEIVED');
  t.true(status.assets.every((asset) => asset.status === 'PROCESSING'));
});

test('an asset without a derived object is FAILED; a machine that failed as a whole fails its assets', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, [
    ...photos(3),
    file('clip', 1, { assetType: 'VIDEO_VERTICAL' }),
  ]);
  const jobId = Number((await world.complete(id)).jobId);
  const body = await world.processed(jobId);
  const [first, second, , fourth] = body.outputs ?? [];
  await world.tell({
    ...body,
    outputs: [
      first,
      { ...second, processedKey: null },
      { ...fourth, errorCode: 'Odd.Name', errorMessage: 'No.' },
    ].flatMap((output) => (output?.rawKey ? [{ ...output, rawKey: output.rawKey }] : [])),
  });
  const status = await world.status(id, batchId);
  t.deepEqual(
    status.assets.map((asset) => asset.errorCode),
    [undefined, 'MISSING_PROCESSED_KEY', 'MISSING_PROCESSED_KEY', 'VIDEO_TRANSCODE_FAILED'],
  );
  t.is((await world.newestJob(batchId)).status, 'PARTIAL_SUCCESS', 'whatever the callback calls itself');

  const next = Number((await world.complete(id)).jobId);
  await world.tell({
    jobId: next,
    listingIdentityId: id,
    status: 'VALIDATION_FAILED',
    failureReason: 'States.Timeout',
    error: { code: 'States.Timeout', message: 'x'.repeat(100_000) },
  });
  const failed = await world.status(id, batchId);
  t.deepEqual(
    failed.assets.map((asset) => asset.errorCode),
    [undefined, 'VALIDATION_ERROR', 'VALIDATION_ERROR', 'VALIDATION_ERROR'],
  );
  t.is((await world.newestJob(batchId)).status, 'FAILED');
  t.is(failed.status, 'FAILED');
});

test('a bundle that fails leaves the batch FAILED; complete makes another', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(2));
  await world.tell(await world.processed(Number((await world.complete(id)).jobId)));
  const first = await world.newestJob(batchId);
  const failure = {
    jobId: first.id,
    listingIdentityId: id,
    provider: 'STEP_FUNCTIONS_FINALIZATION',
    status: 'FINALIZATION_FAILED',
  } as const;
  t.is(
    await world.tell({ ...failure, error: { code: 'RAW_ARCHIVED', message: 'It is in Glacier.' } }),
    'accepted',
  );
  t.deepEqual((await world.status(id, batchId)).error, { code: 'RAW_ARCHIVED', detail: 'It is in Glacier.' });
  t.is(await world.listingStatus(id), 'PENDING_PHOTO_PROCESSING');

  const second = Number((await world.complete(id)).jobId);
  t.is(await world.tell({ ...failure, jobId: second }), 'accepted');
  t.is((await world.status(id, batchId)).error?.code, 'BUNDLE_FAILED');
  t.is(await world.tell(await world.bundled(first.id)), 'stale');

  const third = Number((await world.complete(id)).jobId);
  t.is(await world.tell(await world.bundled(third)), 'accepted');
  t.is((await world.status(id, batchId)).status, 'READY');
  t.is((await world.status(id, batchId)).error, undefined);
});

test('retry runs a READY or FAILED batch again as a new job, and what the old one says is stale', async (t) => {
  const id = await world.listing();
  const batchId = await world.ready(id, photos(3));
  const old = await world.newestJob(batchId, 'STEP_FUNCTIONS');
  const request = { listingIdentityId: id, batchId, reason: 'colours' };
  const retried = await media.retryBatch(PHOTOGRAPHER, request, TRACE);
  t.like(retried, { batchId, status: 'PROCESSING' });
  const { retry, assets } = await world.input(retried.jobId);
  t.is(retry, 1);
  t.is(assets.length, 3);
  t.is((await world.status(id, batchId)).status, 'PROCESSING');
  t.is(await world.tell(await world.processed(old.id)), 'stale');
  await refused(t, media.retryBatch(PHOTOGRAPHER, request, TRACE), 409, 'batch_not_ended');

  await world.tell({ jobId: retried.jobId, listingIdentityId: id, status: 'PROCESSING_FAILED' });
  t.like(await world.status(id, batchId), { status: 'FAILED', error: { code: 'ASSETS_FAILED' } });
  const again = await media.retryBatch(PHOTOGRAPHER, request, TRACE);
  t.is((await world.input(again.jobId)).retry, 2);
  await world.tell(await world.processed(again.jobId));
  await world.tell(await world.bundled((await world.newestJob(batchId)).id));
  t.is((await world.status(id, batchId)).status, 'READY');
  t.is(await world.listingStatus(id), 'PENDING_OWNER_APPROVAL');
});

test('retry is refused when an original is archived, when none is there, and while another batch is open', async (t) => {
  const id = await world.listing();
  const batchId = await world.ready(id, photos(2));
  const request = { listingIdentityId: id, batchId };
  const keys = (await world.input((await world.newestJob(batchId)).id)).assets.map((asset) => asset.key);
  await world.objects.archive(String(keys[0]));
  await refused(t, media.retryBatch(PHOTOGRAPHER, request, TRACE), 409, 'raw_archived');
  for (const key of keys) world.objects.objects.delete(key);
  await refused(t, media.retryBatch(PHOTOGRAPHER, request, TRACE), 409, 'raw_missing');

  await world.knex('listing_identities').where({ id }).update({ status: 'REJECTED_BY_OWNER' });
  const next = await world.uploaded(id, photos(2));
  for (const key of keys) await world.objects.put(key, 'there again');
  await refused(t, media.retryBatch(PHOTOGRAPHER, request, TRACE), 409, 'batch_open');
  t.is((await world.status(id, batchId)).status, 'READY', 'nothing has changed');
  t.is((await world.complete(id)).batchId, next.batchId);
});

test('a rejected listing takes another batch, and the gallery is the newest of each slot', async (t) => {
  const id = await world.listing();
  const first = await world.ready(id, photos(3));
  await world.knex('listing_identities').where({ id }).update({ status: 'REJECTED_BY_OWNER' });
  const { batchId, files } = await world.uploaded(id, [file('photo-2', 2), file('photo-4', 4)]);
  t.regex(String(files[0]?.s3Key), /photo-2-2-photo-2\.jpg$/, 'not the key of the first batch');
  await world.tell(await world.processed(Number((await world.complete(id)).jobId)));
  const bundling = await world.newestJob(batchId);
  t.deepEqual(
    (await world.input(bundling.id)).assets.map((asset) => asset.key.split('/').at(-1)),
    ['photo-1-photo-1.jpg', 'photo-2-2-photo-2.jpg', 'photo-3-photo-3.jpg', 'photo-4-photo-4.jpg'],
  );
  await world.tell(await world.bundled(bundling.id));
  t.is(await world.listingStatus(id), 'PENDING_OWNER_APPROVAL');
  const gallery = await media.queryDownloads(OWNER, { listingIdentityId: id });
  t.is(gallery?.batchId, batchId);
  t.like(gallery?.downloads[1], { items: { length: 4 } });
  t.like(await media.queryDownloads(OWNER, { listingIdentityId: id, batchId: first }), {
    batchId: first,
    downloads: { length: 2 },
  });

  await media.removeAsset(PHOTOGRAPHER, {
    listingIdentityId: id,
    assetType: 'PHOTO_HORIZONTAL',
    sequence: 2,
  });
  t.like((await media.queryDownloads(OWNER, { listingIdentityId: id }))?.downloads[1], {
    items: { length: 3 },
  });
  await refused(
    t,
    media.removeAsset(PHOTOGRAPHER, { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 2 }),
    404,
    'asset_not_found',
  );
});

test('an asset cannot be removed while its batch is on its way, and an emptied batch cannot be completed', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(1));
  const slot = { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 1 } as const;
  const jobId = Number((await world.complete(id)).jobId);
  await refused(t, media.removeAsset(PHOTOGRAPHER, slot), 409, 'asset_processing');
  await world.tell({ jobId, listingIdentityId: id, status: 'PROCESSING_FAILED' });
  await media.removeAsset(PHOTOGRAPHER, slot);
  await refused(t, world.complete(id, batchId), 409, 'batch_empty');
});

test('a listing that awaits nothing takes no uploads', async (t) => {
  for (const status of ['DRAFT', 'PENDING_OWNER_APPROVAL', 'READY', 'PENDING_PLAN_LOADING']) {
    const id = await world.listing(status);
    const request = { listingIdentityId: id, batchReference: 'visit', files: photos(1) };
    await refused(t, media.openUploads(PHOTOGRAPHER, request, TRACE), 409, 'listing_not_awaiting_media');
  }
});

test('the owner of an off-plan house uploads plans and renders, and the listing goes on without him', async (t) => {
  const files = [
    file('plan', 1, { assetType: 'PROJECT_DOC', filename: 'plan.pdf', contentType: 'application/pdf' }),
    file('view', 1, { assetType: 'PROJECT_RENDER' }),
  ];
  for (const [review, next] of [
    [false, 'READY'],
    [true, 'PENDING_ADMIN_REVIEW'],
  ] as const) {
    const project = mediaWorld(database, { LISTING_APPROVAL_ADMIN_REVIEW: review });
    const id = await project.listing('PENDING_PLAN_LOADING', { offPlan: true });
    const answer = await project.uploaded(id, files, OWNER);
    t.true(answer.files.every((entry) => entry.uploadUrl.includes('role=project-uploads')));
    const { jobId } = await project.media.completeUploads(OWNER, { listingIdentityId: id }, TRACE);
    await project.tell(await project.processed(Number(jobId)));
    await project.tell(await project.bundled((await project.newestJob(answer.batchId)).id));
    t.is(await project.listingStatus(id), next);
  }
  const id = await world.listing('PENDING_PLAN_LOADING', { offPlan: true });
  const mixed = { listingIdentityId: id, batchReference: 'x', files: [...files, ...photos(1)] };
  await refused(t, media.openUploads(OWNER, mixed, TRACE), 403, 'forbidden');
  await refused(t, media.openUploads(ADMIN, mixed, TRACE), 409, 'listing_not_awaiting_media');
});

test('files that are added keep to the limits and the uniqueness of the whole batch', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, [file('a', 1, { title: 'Sala' }), ...photos(58, 2)]);
  const add = (...files: ReturnType<typeof file>[]) =>
    media.openUploads(PHOTOGRAPHER, { listingIdentityId: id, batchId, files }, TRACE);
  const pointers = async (work: Promise<unknown>) =>
    (await refused(t, work, 400, 'invalid_request'))?.errors?.map(({ pointer }) => pointer);
  t.deepEqual(await pointers(add(file('x', 1), file('y', 70, { title: 'Sala' }))), [
    '/files',
    '/files/0/sequence',
    '/files/1/title',
  ]);
  const tooLarge = file('x', 99, { bytes: 256 * 1024 ** 2 });
  t.deepEqual(await pointers(add({ ...tooLarge, bytes: tooLarge.bytes + 1 })), ['/files/0/bytes']);

  t.true((await add(file('a', 60, { title: 'Sala' }))).created, 'in the place of itself');
  t.false((await add(file('a', 60, { title: 'Sala' }))).created, 'it waits for its upload already');
  t.true((await add(file('x', 1))).created, 'the slot is free again');
  t.is((await world.status(id, batchId)).assets.length, 60);
});

test('no two originals of a listing share a stem, whatever the extension and the case', async (t) => {
  const id = await world.listing();
  const { files } = await world.uploaded(id, [
    file('a', 1, { filename: 'x.jpg' }),
    file('A', 2, { filename: 'X.png', contentType: 'image/png' }),
    file('a/', 3, { filename: 'x.heic', contentType: 'image/heic' }),
    file('???', 4, { filename: '../../etc/passwd' }),
  ]);
  t.deepEqual(
    files.map((entry) => entry.s3Key.split('/').at(-1)),
    ['a-x.jpg', 'A-2-X.png', 'a-3-x.heic', 'horizontal-04-etc-passwd.jpg'],
  );
});

test('a file that the batch does not have is named by its pointer, in complete and in process', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(1));
  const request = {
    listingIdentityId: id,
    batchId,
    files: [{ clientId: 'photo-1' }, { clientId: 'photo-9' }],
  };
  for (const refusal of [
    media.completeUploads(PHOTOGRAPHER, request, TRACE),
    media.processUploads(PHOTOGRAPHER, request, TRACE),
  ]) {
    const problem = await refused(t, refusal, 400, 'invalid_request');
    t.like(problem?.errors, [{ pointer: '/files/1/clientId', code: 'unknown_client_id' }]);
  }
});

test('a listing takes no more files than one bundle can name', async (t) => {
  const id = await world.listing();
  const crowd = mediaWorld(database, { MAX_FILES_PER_BATCH: 300 });
  const request = { listingIdentityId: id, batchReference: 'crowd', files: photos(256) };
  await refused(t, crowd.media.openUploads(PHOTOGRAPHER, request, TRACE), 409, 'gallery_full');
  await crowd.media.openUploads(PHOTOGRAPHER, { ...request, files: photos(255) }, TRACE);
});

test('an admin whom the users table does not know may not open a batch', async (t) => {
  const id = await world.listing();
  const request = { listingIdentityId: id, batchReference: 'nobody', files: photos(1) };
  await refused(t, media.openUploads({ ...ADMIN, userId: 4711 }, request, TRACE), 403, 'forbidden');
});

test('a listing, batch or asset that does not exist is a 404', async (t) => {
  const id = await world.listing();
  const other = await world.listing();
  const { batchId } = await world.uploaded(other, photos(1));
  await refused(t, media.queryDownloads(ADMIN, { listingIdentityId: 999_999 }), 404, 'listing_not_found');
  await refused(t, world.status(id, batchId), 404, 'batch_not_found');
  await refused(t, world.complete(id), 404, 'batch_not_found');
  await refused(t, media.queryDownloads(ADMIN, { listingIdentityId: id, batchId }), 404, 'batch_not_found');
  t.is(await media.queryDownloads(ADMIN, { listingIdentityId: id }), null);
});

test('the number of queries does not depend on the number of files', async (t) => {
  const count = async (size: number) => {
    const id = await alone.listing();
    const queries: Record<string, number> = {};
    let step = '';
    const onQuery = () => {
      queries[step] = (queries[step] ?? 0) + 1;
    };
    const measure = async <T>(name: string, work: () => Promise<T>) => {
      step = name;
      counted.on('query', onQuery);
      try {
        return await work();
      } finally {
        counted.removeListener('query', onQuery);
      }
    };
    const counted = alone.dependencies.knex;
    const answer = await measure('uploads', () => alone.uploaded(id, photos(size)));
    const { jobId } = await measure('complete', () => alone.complete(id));
    const body = await alone.processed(Number(jobId));
    await measure('callback', () => alone.tell(body));
    await measure('status', () => alone.status(id, answer.batchId));
    await alone.tell(await alone.bundled((await alone.newestJob(answer.batchId)).id));
    await measure('downloads', () => alone.media.queryDownloads(ADMIN, { listingIdentityId: id }));
    return queries;
  };
  const quiet = await startTestDatabase();
  await settlePeople(quiet);
  const alone = mediaWorld(quiet);
  try {
    t.deepEqual(await count(60), await count(2));
  } finally {
    await quiet.stop();
  }
});

test('download file names are safe, and in the words of the photographer', async (t) => {
  const id = await world.listing();
  await world.ready(id, [
    file('a', 1, { title: 'Sala "de" estar/\u202Egnp\r\n.exe' }),
    file('b', 2, { filename: 'Área de serviço.HEIC', contentType: 'image/heic' }),
  ]);
  const answer = await media.queryDownloads(OWNER, { listingIdentityId: id });
  const group = answer?.downloads[1];
  const names =
    group && 'items' in group
      ? group.items.map((item) =>
          new URL(item.sizes.large ?? '').searchParams.get('response-content-disposition'),
        )
      : [];
  t.deepEqual(names, ['Sala de estar gnp .exe-large.jpg', 'Área de serviço-large.jpg']);
});
