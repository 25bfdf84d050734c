import test from 'ava';
import { file, mediaWorld, photos, startMediaDatabase } from '../../support/media-world.ts';
import { refused } from '../../support/problems.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);

test('RUNNING once is accepted, again a duplicate, after the end stale', async (t) => {
  const { id, jobId } = await world.received();
  const running = { jobId, listingIdentityId: id, status: 'RUNNING' as const };
  t.is(await world.tell(running), 'accepted');
  t.is(await world.tell(running), 'duplicate');
  await world.tell(await world.processed(jobId));
  t.is(await world.tell(running), 'stale');
});

test('a callback for an unknown job is a 404; one that does not fit its job is a 400 and changes nothing', async (t) => {
  const { id, batchId, jobId } = await world.received();
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
  const { id, batchId, jobId } = await world.received([
    ...photos(3),
    file('clip', 1, { assetType: 'VIDEO_VERTICAL' }),
  ]);
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
