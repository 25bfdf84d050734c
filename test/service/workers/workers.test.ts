import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openDatabase } from '../../../service/models/database.ts';
import { createLeader } from '../../../service/workers/leader.ts';
import { age, makeDue } from '../../support/ageing.ts';
import {
  ADMIN,
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
  await database.knex('media_leases').delete();
});
test.after.always(() => database.stop());

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
  const a = createLeader(knex, 'a', { ttlSeconds: 60 });
  const b = createLeader(knex, 'b', { ttlSeconds: 60 });
  const first = await Promise.all([a.acquire(), b.acquire(), a.acquire(), b.acquire()]);
  t.is(first.filter(Boolean).length, 2);
  const [leader, other] = first[0] ? [a, b] : [b, a];
  t.true(await leader.acquire());
  t.false(await other.acquire());
  await other.release();
  t.false(await other.acquire());
  await leader.release();
  t.true(await other.acquire());
  await knex('media_leases').update({ expires_at: knex.raw('UTC_TIMESTAMP(6)') });
  t.true(await leader.acquire(), 'whoever died does not keep it');
});

test.serial('started workers do their rounds by themselves until they are stopped', async (t) => {
  t.timeout(30_000);
  const world = mediaWorld(database);
  world.queue.failure = new Error('down');
  await world.received();
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
  t.timeout(30_000);
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
  const failures = () =>
    world.events.filter(
      ({ msg, worker }) => msg === 'service.media.worker.failed' && worker === 'outbox-relay',
    );
  while (failures().length < 2) await sleep(10);
  await world.workers.stop();
  t.true(world.events.every(({ err }) => JSON.stringify(err).includes('ECONNREFUSED')));
  await away.destroy();
});
