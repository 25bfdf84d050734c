import test from 'ava';
import {
  file,
  mediaWorld,
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

test('one broken photo leaves the others usable; replaced, removed or tried again, the batch becomes READY', async (t) => {
  for (const way of ['replace', 'remove', 'again'] as const) {
    const { id, batchId, files, jobId } = await world.received(photos(20));
    const broken = String(files[6]?.s3Key);
    await world.tell(await world.processed(jobId, { [broken]: 'UNSUPPORTED_CONTENT' }));

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

test('a bundle that fails leaves the batch FAILED; complete makes another', async (t) => {
  const { id, batchId, jobId } = await world.received();
  await world.tell(await world.processed(jobId));
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
