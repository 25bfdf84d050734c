import test from 'ava';
import { Problem } from '../../../service/errors.ts';
import { mediaWorld, PHOTOGRAPHER, photos, startMediaDatabase, TRACE } from '../../support/media-world.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);
const { media } = world;

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
  const { id, batchId, jobId } = await world.received();
  const body = await world.processed(jobId);
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
