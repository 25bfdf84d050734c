import test from 'ava';
import { oldestUnpublishedAge } from '../../../service/models/outbox.ts';
import { age, ageJobs, makeDue } from '../../support/ageing.ts';
import { mediaWorld, photos, startMediaDatabase } from '../../support/media-world.ts';

const database = await startMediaDatabase();
// a worker sees every job there is: each test has the tables to itself
test.beforeEach(async () => {
  await database.knex('listing_media_batches').delete();
});
test.after.always(() => database.stop());

test.serial(
  'what a crash left unpublished between commit and publish is published by the relay',
  async (t) => {
    const world = mediaWorld(database);
    world.queue.failure = new Error('the process died here');
    const { id, batchId, jobId } = await world.received();
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
  await world.received();
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
    await world.received(photos(1));
    await age(world, 'media_outbox', ['created_at'], 7);
    await world.received(photos(1));
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
  for (let index = 0; index < 5; index++) await world.received(photos(1));
  world.queue.failure = null;
  await makeDue(world);
  await Promise.all([world, other, world, other].map(({ workers }) => workers.outboxRelay.runOnce()));
  const jobs = [...world.queue.sent, ...other.queue.sent].map(({ message }) => message.jobId);
  t.is(jobs.length, 5);
  t.is(new Set(jobs).size, 5);
});

test.serial('a job whose result came before its publication was noted is not published again', async (t) => {
  const world = mediaWorld(database);
  const { jobId } = await world.received();
  await world.tell(await world.processed(jobId));
  await world.knex('media_outbox').where({ job_id: jobId }).update({ published_at: null });
  await makeDue(world);
  t.deepEqual(await world.workers.outboxRelay.runOnce(), { published: 1 });
  t.is(world.queue.sent.length, 1);
});
