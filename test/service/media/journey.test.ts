import test from 'ava';
import {
  ADMIN,
  file,
  mediaWorld,
  OWNER,
  PHOTOGRAPHER,
  photos,
  startMediaDatabase,
  TRACE,
} from '../../support/media-world.ts';
import { refused } from '../../support/problems.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);
const { media } = world;

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
