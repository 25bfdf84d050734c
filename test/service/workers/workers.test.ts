import test from 'ava';
import { openDatabase } from '../../../service/models/database.ts';
import { oldestUnpublishedAge } from '../../../service/models/outbox.ts';
import { createLeader } from '../../../service/workers/leader.ts';
import { startTestDatabase, type TestDatabase } from '../../support/database.ts';
import {
  ADMIN,
  file,
  mediaWorld,
  PHOTOGRAPHER,
  photos,
  settlePeople,
  TRACE,
} from '../../support/media-world.ts';

let database: TestDatabase;

test.before(async () => {
  database = await startTestDatabase();
  await settlePeople(database);
});
test.beforeEach(async () => {
  // a worker sees every job there is: each test has the tables to itself
  await database.knex('listing_media_batches').delete();
  await database.knex('media_leases').delete();
});
test.after.always(() => database?.stop());

type World = ReturnType<typeof mediaWorld>;

/** Moves a job's or a batch's times into the past. */
const age = (world: World, table: string, columns: string[], minutes: number) =>
  world
    .knex(table)
    .update(
      Object.fromEntries(
        columns.map((column) => [column, world.knex.raw('?? - INTERVAL ? MINUTE', [column, minutes])]),
      ),
    );
const ageJobs = (world: World, minutes = 31) =>
  age(world, 'media_processing_jobs', ['enqueued_at', 'started_at'], minutes);
const makeDue = (world: World) => age(world, 'media_outbox', ['available_at'], 60);

async function received(world: World, count = 3) {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(count));
  const { jobId } = await world.complete(id);
  return { id, batchId, jobId: Number(jobId) };
}

test.serial(
  'what a crash left unpublished between commit and publish is published by the relay',
  async (t) => {
    const world = mediaWorld(database);
    world.queue.failure = new Error('the process died here');
    const { id, batchId, jobId } = await received(world);
    t.is((await world.status(id, batchId)).status, 'RECEIVED');
    t.is(world.queue.sent.length, 0);

    world.queue.failure = null;
    t.deepEqual(
      await world.workers.outboxRelay.runOnce(),
      { published: 0 },
      'it waits before it tries again',
    );
    await makeDue(world);
    t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
    t.is(world.queue.sent[0]?.message.jobId, jobId);
    t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 0 });

    world.workflows.failure = new Error('throttled');
    t.is(
      await world.tell(await world.processed(jobId)),
      'accepted',
      "Step Functions is not the caller's concern",
    );
    const bundling = await world.newestJob(batchId);
    t.is(bundling.status, 'PENDING');
    world.workflows.failure = null;
    await makeDue(world);
    t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
    t.is((await world.newestJob(batchId)).status, 'RUNNING');
    await world.tell(await world.bundled(bundling.id));
    t.is((await world.status(id, batchId)).status, 'READY');
  },
);

test.serial('an outage is outlasted with growing pauses, and the last error is kept', async (t) => {
  const world = mediaWorld(database);
  world.queue.failure = new Error('no route to the queue');
  await received(world);
  const pauses = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const row = await world
      .knex('media_outbox')
      .first(
        'attempts',
        'last_error',
        world.knex.raw('TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), available_at) AS pause'),
      );
    t.is(row.attempts, attempt + 1);
    t.regex(row.last_error, /no route to the queue/);
    pauses.push(row.pause);
    await makeDue(world);
    t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 0 });
  }
  t.deepEqual(
    pauses,
    pauses.toSorted((a, b) => a - b),
  );
  t.true(pauses[3] > pauses[0]);
  world.queue.failure = null;
  await makeDue(world);
  t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
});

test.serial(
  'the longest waiting job tells how long nothing was published, and one to be published again begins anew',
  async (t) => {
    const world = mediaWorld(database);
    t.is(await oldestUnpublishedAge(world.knex), 0, 'nothing waits');
    world.queue.failure = new Error('down');
    await received(world, 1);
    await age(world, 'media_outbox', ['created_at'], 7);
    await received(world, 1);
    const seconds = await oldestUnpublishedAge(world.knex);
    t.true(seconds >= 7 * 60 && seconds < 8 * 60, String(seconds));

    world.queue.failure = null;
    await makeDue(world);
    await world.workers.outboxRelay.runOnce();
    t.is(await oldestUnpublishedAge(world.knex), 0, 'all are published');
    await ageJobs(world);
    t.like(await world.workers.reconciler.runOnce(), { republished: 2 });
    t.true((await oldestUnpublishedAge(world.knex)) < 60);
  },
);

test.serial('two relays at the same time publish an entry once', async (t) => {
  const world = mediaWorld(database);
  const other = mediaWorld(database);
  world.queue.failure = new Error('down');
  for (let index = 0; index < 5; index++) await received(world, 1);
  world.queue.failure = null;
  await makeDue(world);
  await Promise.all([world, other, world, other].map(({ workers }) => workers.outboxRelay.runOnce()));
  const jobs = [...world.queue.sent, ...other.queue.sent].map(({ message }) => message.jobId);
  t.is(jobs.length, 5);
  t.is(new Set(jobs).size, 5);
});

test.serial('a job whose result came before its publication was noted is not published again', async (t) => {
  const world = mediaWorld(database);
  const { jobId } = await received(world);
  await world.tell(await world.processed(jobId));
  await world.knex('media_outbox').where({ job_id: jobId }).update({ published_at: null });
  await makeDue(world);
  t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
  t.is(world.queue.sent.length, 1);
});

test.serial('a job within its time is left alone', async (t) => {
  const world = mediaWorld(database);
  await received(world);
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
  const { id, batchId, jobId } = await received(world);
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
    const { id, batchId } = await received(world);
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
      const { id, batchId, jobId } = await received(world);
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
  const { id, batchId, jobId } = await received(world);
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
  const { id, batchId, jobId } = await received(world);
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
      const { id, batchId, jobId } = await received(world);
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
    const { id, batchId } = await received(world);
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
  const { id, batchId, jobId } = await received(world);
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
  await received(world);
  await ageJobs(world);
  world.workflows.failure = new Error('throttled');
  t.like(await world.workers.reconciler.runOnce(), { failed: 1, stuck: 0 });
  world.workflows.failure = null;
  t.like(await world.workers.reconciler.runOnce(), { failed: 0, republished: 1 });
});

test.serial(
  'an abandoned batch becomes FAILED UPLOAD_EXPIRED, and what was uploaded is not lost',
  async (t) => {
    const world = mediaWorld(database);
    const hours = (count: number) => age(world, 'listing_media_batches', ['upload_activity_at'], 60 * count);
    const id = await world.listing();
    const { batchId } = await world.uploaded(id, photos(2));
    const busy = await world.listing();
    const { batchId: busyId } = await world.uploaded(busy, photos(1));
    await hours(23);
    t.deepEqual(await world.workers.uploadExpiry.runOnce(), { expired: 0 });
    const { jobId } = await world.media.processUploads(PHOTOGRAPHER, { listingIdentityId: busy }, TRACE);
    await hours(25);
    t.deepEqual(await world.workers.uploadExpiry.runOnce(), { expired: 1 }, 'not the one with a job at work');
    t.like(await world.status(id, batchId), { status: 'FAILED', error: { code: 'UPLOAD_EXPIRED' } });
    t.deepEqual(world.measured.failed, ['UPLOAD_EXPIRED']);
    await world.tell(await world.processed(Number(jobId)));
    t.deepEqual(await world.workers.uploadExpiry.runOnce(), { expired: 1 });
    t.like(await world.media.queryDownloads(ADMIN, { listingIdentityId: busy, batchId: busyId }), {
      downloads: { length: 1 },
    });

    t.is((await world.complete(id, batchId)).status, 'RECEIVED');
    t.is((await world.status(id, batchId)).error, undefined);
  },
);

test.serial('one instance leads, until it stops or its lease runs out', async (t) => {
  const { knex } = database;
  const [a, b] = ['a', 'b'].map((owner) => createLeader(knex, owner, { ttlSeconds: 60 }));
  const first = await Promise.all([a?.acquire(), b?.acquire(), a?.acquire(), b?.acquire()]);
  t.is(first.filter(Boolean).length, 2);
  const [leader, other] = first[0] ? [a, b] : [b, a];
  t.true(await leader?.acquire());
  t.false(await other?.acquire());
  await other?.release();
  t.false(await other?.acquire());
  await leader?.release();
  t.true(await other?.acquire());
  await knex('media_leases').update({ expires_at: knex.raw('UTC_TIMESTAMP(6)') });
  t.true(await leader?.acquire(), 'whoever died does not keep it');
});

test.serial('started workers do their rounds by themselves until they are stopped', async (t) => {
  const world = mediaWorld(database);
  world.queue.failure = new Error('down');
  await received(world);
  world.queue.failure = null;
  await makeDue(world);
  world.workers.start();
  world.workers.start();
  while (world.queue.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await world.workers.stop();
  await world.workers.stop();
  t.is(world.queue.sent.length, 1);
  t.true(await createLeader(world.knex, 'the next one').acquire());
});

test.serial('a worker whose database is away says so and goes on', async (t) => {
  const away = openDatabase({
    host: '127.0.0.1',
    port: 1,
    user: 'x',
    password: 'x',
    database: 'x',
    tls: 'disabled',
  });
  const world = mediaWorld({ ...database, knex: away });
  world.workers.start();
  while (world.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.is(world.events[0]?.msg, 'service.media.worker.failed');
  await world.workers.stop();
  await away.destroy();
});
