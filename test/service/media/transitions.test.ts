import test from 'ava';
import {
  assetTransitions,
  batchTransitions,
  jobTransitions,
  moveBatch,
  moveJob,
  sourcesOf,
} from '../../../service/media/transitions.ts';
import { finishAssets, startAssets } from '../../../service/models/asset.ts';
import { type BatchStatus, lockBatch, OPEN } from '../../../service/models/batch.ts';
import { transact } from '../../../service/models/database.ts';
import { type JobStatus, lockJob } from '../../../service/models/job.ts';
import { mediaWorld, photos, startMediaDatabase } from '../../support/media-world.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);

const statuses = <Status extends string>(table: Readonly<Record<Status, readonly Status[]>>) =>
  // the keys of such a table are its statuses
  Object.keys(table) as Status[];

/** The batch, its only job and that job's assets, put into a state by force. */
async function staged({ batch, job, asset }: { batch?: BatchStatus; job?: JobStatus; asset?: string }) {
  const { knex } = world;
  const { jobId } = await world.received(photos(1));
  const { batch_id: batchId } = await knex('media_processing_jobs').where({ id: jobId }).first('batch_id');
  const { id: assetId } = await knex('listing_media_assets').where({ job_id: jobId }).first('id');
  if (batch) await knex('listing_media_batches').where({ id: batchId }).update({ status: batch });
  if (job) await knex('media_processing_jobs').where({ id: jobId }).update({ status: job });
  if (asset) await knex('listing_media_assets').where({ id: assetId }).update({ status: asset });
  return { batchId: Number(batchId), jobId, assetId: Number(assetId) };
}

test('a batch takes the steps of the law and no other', async (t) => {
  for (const from of statuses(batchTransitions)) {
    for (const to of statuses(batchTransitions)) {
      const { batchId } = await staged({ batch: from });
      const move = transact(world.knex, async (transaction) =>
        moveBatch(transaction, await lockBatch(transaction, batchId), to),
      );
      if (batchTransitions[from].includes(to)) await t.notThrowsAsync(move, `${from} → ${to}`);
      else await t.throwsAsync(move, { message: /illegal step/ }, `${from} → ${to}`);
      const row = await world.knex('listing_media_batches').where({ id: batchId }).first('status');
      t.is(row.status, batchTransitions[from].includes(to) ? to : from);
    }
  }
});

test('a job takes the steps of the law and no other', async (t) => {
  for (const from of statuses(jobTransitions)) {
    for (const to of statuses(jobTransitions)) {
      const { jobId } = await staged({ job: from });
      const move = transact(world.knex, async (transaction) =>
        moveJob(transaction, await lockJob(transaction, jobId), to),
      );
      if (jobTransitions[from].includes(to)) await t.notThrowsAsync(move, `${from} → ${to}`);
      else await t.throwsAsync(move, { message: /illegal step/ }, `${from} → ${to}`);
      const row = await world.knex('media_processing_jobs').where({ id: jobId }).first('status');
      t.is(row.status, jobTransitions[from].includes(to) ? to : from);
    }
  }
});

test('an asset takes the steps of the law and no other', async (t) => {
  for (const from of statuses(assetTransitions)) {
    const started = await staged({ asset: from });
    const sources = sourcesOf(assetTransitions, 'PROCESSING');
    const count = await startAssets(
      world.knex,
      started.jobId,
      [{ id: started.assetId, etag: null }],
      sources,
    );
    t.is(count === 1, assetTransitions[from].includes('PROCESSING'), `${from} → PROCESSING`);

    for (const to of ['PROCESSED', 'FAILED'] as const) {
      for (const correct of [null, 'STUCK']) {
        const { jobId, assetId } = await staged({ asset: from });
        await world.knex('listing_media_assets').where({ id: assetId }).update({ error_code: 'STUCK' });
        const finished = await finishAssets(world.knex, jobId, [{ id: assetId, status: to }], correct);
        const legal = assetTransitions[from].includes(to) && (from !== 'FAILED' || correct === 'STUCK');
        t.is(finished === 1, legal, `${from} → ${to}, correcting ${correct}`);
      }
    }
  }
});

test('a step on a status that has changed meanwhile does nothing', async (t) => {
  const { batchId, jobId } = await staged({});
  const batch = await lockBatch(world.knex, batchId);
  const job = await lockJob(world.knex, jobId);
  await world.knex('listing_media_batches').where({ id: batchId }).update({ status: 'READY' });
  await world.knex('media_processing_jobs').where({ id: jobId }).update({ status: 'SUCCEEDED' });
  await t.throwsAsync(moveBatch(world.knex, batch, 'PROCESSING'), { message: /not RECEIVED any more/ });
  await t.throwsAsync(moveJob(world.knex, job, 'FAILED'), { message: /not PENDING any more/ });
  t.is((await lockBatch(world.knex, batchId)).status, 'READY');
  t.is((await lockJob(world.knex, jobId)).status, 'SUCCEEDED');
});

test('a listing has one open batch: the database says so', async (t) => {
  for (const open of OPEN) {
    const { batchId } = await staged({ batch: open });
    const [row] = await world.knex('listing_media_batches').where({ id: batchId });
    const { id: _, open_listing_id: __, ...rest } = row;
    const twin = {
      ...rest,
      public_id: crypto.randomUUID(),
      batch_reference: 'twin',
      upload_manifest_json: '[]',
      processing_metadata_json: null,
    };
    await t.throwsAsync(world.knex('listing_media_batches').insert(twin), { message: /uk_batches_open/ });
    await world.knex('listing_media_batches').insert({ ...twin, status: 'FAILED' });
  }
});

test('an asset that does not belong to the job, or has been removed, is not touched by its result', async (t) => {
  const { jobId } = await staged({});
  const other = await staged({});
  t.is(await finishAssets(world.knex, jobId, [{ id: other.assetId, status: 'PROCESSED' }], null), 0);
  await world.knex('listing_media_assets').where({ id: other.assetId }).update({ deleted_at: new Date() });
  t.is(await finishAssets(world.knex, other.jobId, [{ id: other.assetId, status: 'PROCESSED' }], null), 0);
});

test('a listing is moved only from the status that was seen', async (t) => {
  const id = await world.listing('SUSPENDED');
  const { listings } = world.dependencies;
  t.false(await listings.move(world.knex, id, 'PENDING_PHOTO_PROCESSING', 'PENDING_OWNER_APPROVAL'));
  t.is(await world.listingStatus(id), 'SUSPENDED');
});
