import test from 'ava';
import { startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';
import { CHECKSUM, manifest, manifestFile, manifestFiles } from '../../support/upload-manifest.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

test('uploads: a manifest opens a batch with 201, and the same again answers 200', async (t) => {
  const first = await api.post('/uploads', manifest());
  t.is(first.status, 201, first.text);
  t.deepEqual(Object.keys(first.body), ['batchId', 'listingIdentityId', 'uploadUrlTtlSeconds', 'files']);
  t.is(first.body.files[0].method, 'PUT');

  const again = await api.post('/uploads', manifest());
  t.is(again.status, 200);
  const other = await api.post('/uploads', manifest([manifestFile({ bytes: 2 })]));
  t.is(other.status, 409);
  t.is(other.body.code, 'reference_in_use');
  t.is(api.store.batches.filter((batch) => batch.request.batchReference === 'tuesday').length, 1);
});

test('uploads: aliases, checksums and content types reach the domain in one form', async (t) => {
  const base64 = Buffer.from(CHECKSUM, 'hex').toString('base64');
  const checksums = [
    `sha256:${CHECKSUM}`,
    `SHA256:${CHECKSUM.toUpperCase()}`,
    CHECKSUM.toUpperCase(),
    base64,
    base64.replace('=', ''),
  ];
  const files = manifestFiles(checksums.map((checksum) => ({ checksum }))).map(({ assetType, ...file }) => ({
    ...file,
    mediaType: assetType,
    contentType: 'IMAGE/JPEG',
  }));
  const answer = await api.post('/uploads', { listingId: 28, batchReference: 'aliases', files });
  t.is(answer.status, 201, answer.text);
  const stored = api.store.batches.find((batch) => batch.request.batchReference === 'aliases');
  t.is(stored?.request.listingIdentityId, 28);
  for (const one of stored?.request.files ?? []) {
    t.like(one, { assetType: 'PHOTO_HORIZONTAL', contentType: 'image/jpeg', checksumSha256: CHECKSUM });
    t.false('checksum' in one || 'orientation' in one);
  }
});

test('uploads: names in any script, with spaces and quotes, are welcome', async (t) => {
  const names = [
    'Küche & Bad (1).jpg',
    "l'entrée.jpg",
    '台所.jpg',
    'سطح.jpg',
    '.hidden.jpg',
    'CON.jpg',
    '😀.jpg',
    'a%2e%2e.jpg',
  ];
  const files = manifestFiles(names.map((filename) => ({ filename })));
  const answer = await api.post('/uploads', manifest(files, { batchReference: 'names' }));
  t.is(answer.status, 201, answer.text);
});

test('uploads: every asset type takes each of its content types and either word for its orientation', async (t) => {
  const photo = ['image/jpeg', 'image/png', 'image/heic'];
  const video = ['video/mp4', 'video/quicktime'];
  const upright = ['PORTRAIT', 'VERTICAL'];
  const across = ['LANDSCAPE', 'HORIZONTAL'];
  const taken: [assetType: string, contentTypes: string[], orientations: (string | undefined)[]][] = [
    ['PHOTO_VERTICAL', photo, upright],
    ['PHOTO_HORIZONTAL', photo, across],
    ['VIDEO_VERTICAL', video, upright],
    ['VIDEO_HORIZONTAL', video, across],
    ['PROJECT_DOC', ['application/pdf'], [undefined]],
    ['PROJECT_RENDER', photo, [...upright, ...across, undefined]],
  ];
  const files = manifestFiles(
    taken.flatMap(([assetType, contentTypes, orientations]) =>
      contentTypes.flatMap((contentType) =>
        orientations.map((orientation) => ({ assetType, contentType, orientation })),
      ),
    ),
  );
  const answer = await api.post('/uploads', manifest(files, { batchReference: 'types' }));
  t.is(answer.status, 201, answer.text);
});

test('the caller and the trace reach the domain', async (t) => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const authorization = `Bearer ${await api.issuer.token({ sub: '99', role: 'owner' })}`;
  await api.post('/uploads', manifest(undefined, { batchReference: 'traced' }), {
    traceparent,
    authorization,
  });
  const stored = api.store.batches.find((batch) => batch.request.batchReference === 'traced');
  t.deepEqual(stored?.caller, { userId: 99, role: 'owner' });
  t.is(stored?.traceparent, traceparent);
});

test.serial('process and retry answer 202; complete answers 202 on the way and 200 at the end', async (t) => {
  const batch = { listingIdentityId: 28, batchId: BATCH_ID };
  api.store.status = 'PENDING_UPLOAD';
  t.is((await api.post('/uploads/process', { ...batch, files: [{ clientId: 'one' }] })).status, 202);
  const complete = { ...batch, files: [{ clientId: 'one', objectKey: '28/raw/x', etag: '"abc"', bytes: 9 }] };
  const onTheWay = await api.post('/uploads/complete', complete);
  t.is(onTheWay.status, 202, onTheWay.text);
  t.deepEqual(onTheWay.body, {
    listingIdentityId: 28,
    batchId: BATCH_ID,
    jobId: 21,
    status: 'RECEIVED',
    estimatedDurationSeconds: 40,
  });
  api.store.status = 'READY';
  t.is((await api.post('/uploads/complete', { listingIdentityId: 28 })).status, 200);
  t.is((await api.post('/uploads/retry', { ...batch, reason: 'sky' })).status, 202);
  api.store.status = 'PROCESSING';
  t.is((await api.post('/uploads/retry', batch)).status, 409);
});

test.serial(
  'status has a strong ETag, 304 while nothing changes, and Retry-After while it runs',
  async (t) => {
    const batch = { listingIdentityId: 28, batchId: BATCH_ID.toUpperCase() };
    api.store.status = 'PROCESSING';
    const running = await api.post('/uploads/status', batch);
    t.is(running.status, 200, running.text);
    const etag = running.headers.get('etag') ?? '';
    t.regex(etag, /^"[\w-]{43}"$/);
    t.regex(running.headers.get('retry-after') ?? '', /^\d+$/);

    const same = await api.post('/status', batch, { 'if-none-match': `"other", W/${etag}` });
    t.is(same.status, 304);
    t.is(same.text, '');
    t.is(same.headers.get('etag'), etag);

    api.store.status = 'READY';
    const ready = await api.post('/status', batch, { 'if-none-match': etag });
    t.is(ready.status, 200);
    t.is(ready.body.status, 'READY');
    t.not(ready.headers.get('etag'), etag);
    t.is(ready.headers.get('retry-after'), null);
  },
);

test.serial('downloads are 204 until a batch is READY, and then 200', async (t) => {
  api.store.status = 'PROCESSING';
  const none = await api.post('/downloads', { listingIdentityId: 28 });
  t.is(none.status, 204);
  t.is(none.text, '');
  api.store.status = 'READY';
  const some = await api.post('/downloads/query', { listingIdentityId: 28, batchId: BATCH_ID });
  t.is(some.status, 200);
  t.is(some.body.downloads[0].type, 'ZIP_FULL');
  t.is(some.headers.get('cache-control'), 'no-store');
});

test('a listing or batch that does not exist is a 404 problem', async (t) => {
  const listing = await api.post('/uploads/status', { listingIdentityId: 29, batchId: BATCH_ID });
  t.is(listing.status, 404);
  t.is(listing.body.code, 'listing_not_found');
  const batch = await api.post('/downloads', { listingIdentityId: 28, batchId: BATCH_ID.replace('0', '1') });
  t.is(batch.body.code, 'batch_not_found');
});
