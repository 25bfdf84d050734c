import test from 'ava';
import {
  file,
  mediaWorld,
  OWNER,
  PHOTOGRAPHER,
  photos,
  startMediaDatabase,
} from '../../support/media-world.ts';
import { refused } from '../../support/problems.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);
const { media } = world;

test('a rejected listing takes another batch, and the gallery is the newest of each slot', async (t) => {
  const id = await world.listing();
  const first = await world.ready(id, photos(3));
  await world.knex('listing_identities').where({ id }).update({ status: 'REJECTED_BY_OWNER' });
  const { batchId, files } = await world.uploaded(id, [file('photo-2', 2), file('photo-4', 4)]);
  t.regex(String(files[0]?.s3Key), /photo-2-2-photo-2\.jpg$/, 'not the key of the first batch');
  await world.tell(await world.processed(Number((await world.complete(id)).jobId)));
  const bundling = await world.newestJob(batchId);
  t.deepEqual(
    (await world.input(bundling.id)).assets.map((asset) => asset.key.split('/').at(-1)),
    ['photo-1-photo-1.jpg', 'photo-2-2-photo-2.jpg', 'photo-3-photo-3.jpg', 'photo-4-photo-4.jpg'],
  );
  await world.tell(await world.bundled(bundling.id));
  t.is(await world.listingStatus(id), 'PENDING_OWNER_APPROVAL');
  const gallery = await media.queryDownloads(OWNER, { listingIdentityId: id });
  t.is(gallery?.batchId, batchId);
  t.like(gallery?.downloads[1], { items: { length: 4 } });
  t.like(await media.queryDownloads(OWNER, { listingIdentityId: id, batchId: first }), {
    batchId: first,
    downloads: { length: 2 },
  });

  await media.removeAsset(PHOTOGRAPHER, {
    listingIdentityId: id,
    assetType: 'PHOTO_HORIZONTAL',
    sequence: 2,
  });
  t.like((await media.queryDownloads(OWNER, { listingIdentityId: id }))?.downloads[1], {
    items: { length: 3 },
  });
  await refused(
    t,
    media.removeAsset(PHOTOGRAPHER, { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 2 }),
    404,
    'asset_not_found',
  );
});

test('an asset cannot be removed while its batch is on its way, and an emptied batch cannot be completed', async (t) => {
  const { id, batchId, jobId } = await world.received(photos(1));
  const slot = { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 1 } as const;
  await refused(t, media.removeAsset(PHOTOGRAPHER, slot), 409, 'asset_processing');
  await world.tell({ jobId, listingIdentityId: id, status: 'PROCESSING_FAILED' });
  await media.removeAsset(PHOTOGRAPHER, slot);
  await refused(t, world.complete(id, batchId), 409, 'batch_empty');
});

test('download file names are safe, and in the words of the photographer', async (t) => {
  const id = await world.listing();
  await world.ready(id, [
    file('a', 1, { title: 'Sala "de" estar/\u202Egnp\r\n.exe' }),
    file('b', 2, { filename: 'Área de serviço.HEIC', contentType: 'image/heic' }),
  ]);
  const answer = await media.queryDownloads(OWNER, { listingIdentityId: id });
  const group = answer?.downloads[1];
  const names =
    group && 'items' in group
      ? group.items.map((item) =>
          new URL(item.sizes.large ?? '').searchParams.get('response-content-disposition'),
        )
      : [];
  t.deepEqual(names, ['Sala de estar gnp .exe-large.jpg', 'Área de serviço-large.jpg']);
});
