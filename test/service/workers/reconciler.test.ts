import test from 'ava';
import { ageJobs } from '../../support/ageing.ts';
import {
  file,
  mediaWorld,
  PHOTOGRAPHER,
  photos,
  startMediaDatabase,
  TRACE,
} from '../../support/media-world.ts';

const database = await startMediaDatabase();
// a worker sees every job there is: each test has the tables to itself
test.beforeEach(async () => {
  await database.knex('listing_media_batches').delete();
});
test.after.always(() => database.stop());

test.serial('a job within its time is left alone', async (t) => {
  const world = mediaWorld(database);
  await world.received();
  await ageJobs(world, 29);
  t.deepEqual(await world.workers.reconciler.runOnce(), {
    applied: 0,
    republished: 0,
    started: 0,
    stuck: 0,
    failed: 0,
  });
});

test.serial('an execution that has ended is applied as if its callback had come', async (t) => {
  const world = mediaWorld(database);
  const { id, batchId, jobId } = await world.received();
  const arn = (await world.newestJob(batchId)).external_id;
  world.workflows.executions.set(arn, {
    status: 'SUCCEEDED',
    startedAt: new Date(),
    output: JSON.stringify(await world.processed(jobId)),
  });
  await ageJobs(world);
  t.like(await world.workers.reconciler.runOnce(), { applied: 1 });
  const bundling = await world.newestJob(batchId);
  t.is(bundling.provider, 'STEP_FUNCTIONS_FINALIZATION');

  await ageJobs(world);
  world.workflows.executions.set(bundling.external_id, {
    status: 'SUCCEEDED',
    startedAt: new Date(),
    output: JSON.stringify(await world.bundled(bundling.id)),
  });
  t.like(await world.workers.reconciler.runOnce(), { applied: 1 });
  t.is((await world.status(id, batchId)).status, 'READY');
  t.like(await world.workers.reconciler.runOnce(), { applied: 0 });
});

for (const status of ['FAILED', 'TIMED_OUT', 'ABORTED'] as const) {
  test.serial(`an execution that ended ${status} fails its job`, async (t) => {
    const world = mediaWorld(database);
    const { id, batchId } = await world.received();
    const arn = (await world.newestJob(batchId)).external_id;
    const end = { status, startedAt: new Date(), error: 'States.Runtime', cause: 'no more' };
    world.workflows.executions.set(arn, end);
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { applied: 1 });
    const failed = await world.status(id, batchId);
    t.like(failed, { status: 'FAILED', error: { code: 'ASSETS_FAILED' } });
    t.is(failed.assets[0]?.errorCode, 'THUMBNAIL_PROCESSING_FAILED');
    t.regex(failed.assets[0]?.errorMessage ?? '', new RegExp(`${status}: no more`));
  });
}

test.serial(
  'an execution that succeeded without a result that fits fails its job, whatever it left',
  async (t) => {
    for (const output of [undefined, '', '{', '{}', '{"jobId":1}', 'foreign']) {
      const world = mediaWorld(database);
      const { id, batchId, jobId } = await world.received();
      const arn = (await world.newestJob(batchId)).external_id;
      const foreign = { ...(await world.processed(jobId)), listingIdentityId: id + 1 };
      world.workflows.executions.set(arn, {
        status: 'SUCCEEDED',
        startedAt: new Date(),
        output: output === 'foreign' ? JSON.stringify(foreign) : output,
      });
      await ageJobs(world);
      t.like(await world.workers.reconciler.runOnce(), { applied: 1, failed: 0 });
      t.is((await world.status(id, batchId)).assets[0]?.errorCode, 'VALIDATION_ERROR');
    }
  },
);

test.serial('an execution that runs past the limit is stopped, and only its own assets fail', async (t) => {
  const world = mediaWorld(database);
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(3));
  const request = { listingIdentityId: id, files: [{ clientId: 'photo-1' }] };
  const first = Number((await world.media.processUploads(PHOTOGRAPHER, request, TRACE)).jobId);
  await world.tell({ jobId: first, listingIdentityId: id, status: 'RUNNING' });
  const arn = (await world.newestJob(batchId)).external_id;
  world.workflows.executions.set(arn, { status: 'RUNNING', startedAt: new Date() });
  await ageJobs(world);
  const second = Number((await world.complete(id)).jobId);

  t.like(await world.workers.reconciler.runOnce(), { stuck: 1 });
  t.is(world.workflows.executions.get(arn)?.status, 'ABORTED');
  const between = await world.status(id, batchId);
  t.is(between.status, 'RECEIVED', 'the other job is still at work');
  t.deepEqual(
    between.assets.map((asset) => asset.errorCode ?? asset.status),
    ['STUCK', 'PROCESSING', 'PROCESSING'],
  );
  await world.tell(await world.processed(second));
  t.like(await world.status(id, batchId), { status: 'FAILED', error: { code: 'ASSETS_FAILED' } });
});

test.serial('the late result of a job that was given up is taken while there is no newer job', async (t) => {
  const world = mediaWorld(database);
  const { id, batchId, jobId } = await world.received();
  const body = await world.processed(jobId);
  const stick = async () => {
    const job = await world.newestJob(batchId);
    await world.tell({ jobId: job.id, listingIdentityId: id, provider: job.provider, status: 'RUNNING' });
    world.workflows.executions.set(job.external_id, { status: 'RUNNING', startedAt: new Date() });
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { stuck: 1 });
    t.like(await world.status(id, batchId), { status: 'FAILED', error: { code: 'STUCK' } });
  };
  await stick();
  t.is(await world.tell(body), 'accepted');
  t.is(await world.tell(body), 'duplicate');
  const bundling = await world.newestJob(batchId);
  t.is(bundling.provider, 'STEP_FUNCTIONS_FINALIZATION', 'the batch goes on by itself');

  await stick();
  t.is(await world.tell(await world.bundled(bundling.id)), 'accepted');
  t.is((await world.status(id, batchId)).status, 'READY');
  t.is(await world.listingStatus(id), 'PENDING_OWNER_APPROVAL');
  t.deepEqual(world.measured.failed, ['STUCK', 'STUCK']);
});

test.serial('the late result of a job that was given up is stale once there is a newer job', async (t) => {
  const world = mediaWorld(database);
  const { id, batchId, jobId } = await world.received();
  const body = await world.processed(jobId);
  await world.tell({ jobId, listingIdentityId: id, status: 'RUNNING' });
  world.workflows.executions.set((await world.newestJob(batchId)).external_id, {
    status: 'RUNNING',
    startedAt: new Date(),
  });
  await ageJobs(world);
  await world.workers.reconciler.runOnce();
  const retried = await world.media.retryBatch(PHOTOGRAPHER, { listingIdentityId: id, batchId }, TRACE);
  t.is(await world.tell(body), 'stale');
  t.is((await world.status(id, batchId)).assets[0]?.status, 'PROCESSING');
  t.is(await world.tell(await world.processed(retried.jobId)), 'accepted');
});

test.serial(
  'a late bundle does not reopen a batch whose gallery has changed, or while another is open',
  async (t) => {
    for (const change of ['removed', 'another batch'] as const) {
      const world = mediaWorld(database);
      const { id, batchId, jobId } = await world.received();
      await world.tell(await world.processed(jobId));
      const bundling = await world.newestJob(batchId);
      const bundle = await world.bundled(bundling.id);
      await ageJobs(world);
      await world.workers.reconciler.runOnce();
      t.is((await world.status(id, batchId)).error?.code, 'STUCK');
      if (change === 'removed') {
        await world.media.removeAsset(PHOTOGRAPHER, {
          listingIdentityId: id,
          assetType: 'PHOTO_HORIZONTAL',
          sequence: 1,
        });
      } else await world.uploaded(id, [file('other', 9)]);
      t.is(await world.tell(bundle), 'accepted');
      t.is((await world.status(id, batchId)).status, 'FAILED');
      t.is(await world.listingStatus(id), 'PENDING_PHOTO_PROCESSING');
    }
  },
);

test.serial(
  'an execution that started without a word has its whole time from when that is known',
  async (t) => {
    const world = mediaWorld(database);
    const { id, batchId } = await world.received();
    const arn = (await world.newestJob(batchId)).external_id;
    world.workflows.executions.set(arn, { status: 'RUNNING', startedAt: new Date() });
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { started: 1, stuck: 0 });
    t.is((await world.status(id, batchId)).status, 'PROCESSING');
    t.like(await world.workers.reconciler.runOnce(), { started: 0, stuck: 0 });
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { stuck: 1 });
  },
);

test.serial('a job that never started is published again, and given up after the third time', async (t) => {
  const world = mediaWorld(database);
  const { id, batchId, jobId } = await world.received();
  for (const sent of [2, 3]) {
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { republished: 1 });
    t.like(await world.workers.reconciler.runOnce(), { republished: 1 }, 'it waits for the relay');
    t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
    t.is(world.queue.sent.length, sent);
    t.like(await world.workers.reconciler.runOnce(), { republished: 0 }, 'it has its time again');
  }
  t.deepEqual(new Set(world.queue.sent.map(({ message }) => message.jobId)), new Set([jobId]));
  await ageJobs(world);
  t.like(await world.workers.reconciler.runOnce(), { stuck: 1 });
  t.like(await world.status(id, batchId), { status: 'FAILED', error: { code: 'STUCK' } });
  t.is((await world.complete(id)).status, 'RECEIVED', 'and may be completed again');
});

test.serial('a job that cannot be looked at is looked at again in the next round', async (t) => {
  const world = mediaWorld(database);
  await world.received();
  await ageJobs(world);
  world.workflows.failure = new Error('throttled');
  t.like(await world.workers.reconciler.runOnce(), { failed: 1, stuck: 0 });
  world.workflows.failure = null;
  t.like(await world.workers.reconciler.runOnce(), { failed: 0, republished: 1 });
});
