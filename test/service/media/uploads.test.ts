import test from 'ava';
import {
  ADMIN,
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

test('a listing that awaits nothing takes no uploads', async (t) => {
  for (const status of ['DRAFT', 'PENDING_OWNER_APPROVAL', 'READY', 'PENDING_PLAN_LOADING']) {
    const id = await world.listing(status);
    const request = { listingIdentityId: id, batchReference: 'visit', files: photos(1) };
    await refused(t, media.openUploads(PHOTOGRAPHER, request, TRACE), 409, 'listing_not_awaiting_media');
  }
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

test('a file that the batch does not have is named by its pointer, in complete and in process', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(1));
  const request = {
    listingIdentityId: id,
    batchId,
    files: [{ clientId: 'photo-1' }, { clientId: 'photo-9' }],
  };
  for (const operation of [media.completeUploads, media.processUploads]) {
    const problem = await refused(t, operation(PHOTOGRAPHER, request, TRACE), 400, 'invalid_request');
    t.like(problem?.errors, [{ pointer: '/files/1/clientId', code: 'unknown_client_id' }]);
  }
});

test('a listing, batch or asset that does not exist is a 404', async (t) => {
  const id = await world.listing();
  const other = await world.listing();
  const { batchId } = await world.uploaded(other, photos(1));
  await refused(t, media.queryDownloads(ADMIN, { listingIdentityId: 999_999 }), 404, 'listing_not_found');
  await refused(t, world.status(id, batchId), 404, 'batch_not_found');
  await refused(t, world.complete(id), 404, 'batch_not_found');
  await refused(t, media.queryDownloads(ADMIN, { listingIdentityId: id, batchId }), 404, 'batch_not_found');
  const slot = { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 1 } as const;
  await refused(t, media.removeAsset(PHOTOGRAPHER, slot), 404, 'asset_not_found');
  t.is(await media.queryDownloads(ADMIN, { listingIdentityId: id }), null);
});
