import test, { type ExecutionContext } from 'ava';
import { type ApiAnswer, type ProblemBody, startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());
// one store: each test says what it finds in it
const serial = test.serial;

const HEX = 'ab'.repeat(32);
const file = (changes: Record<string, unknown> = {}) => ({
  clientId: 'one',
  assetType: 'PHOTO_HORIZONTAL',
  orientation: 'LANDSCAPE',
  filename: 'IMG_2907.jpg',
  contentType: 'image/jpeg',
  bytes: 1_000,
  checksum: `sha256:${HEX}`,
  title: 'The garden',
  sequence: 1,
  metadata: { room: 'garden' },
  ...changes,
});
const manifest = (files: unknown[] = [file()], changes: Record<string, unknown> = {}) => ({
  listingIdentityId: 28,
  batchReference: 'tuesday',
  files,
  ...changes,
});

/** The answer is a problem that names the field, and nothing has been stored. */
function refused(t: ExecutionContext, answer: ApiAnswer, pointer: string, words: RegExp) {
  const problem: ProblemBody = answer.body;
  t.is(answer.status, 400, answer.text);
  t.is(answer.headers.get('content-type'), 'application/problem+json');
  t.is(problem.code, 'invalid_request');
  const error = problem.errors?.find((entry) => entry.pointer === pointer);
  t.truthy(error, `${pointer} is not in ${answer.text}`);
  t.regex(error?.message ?? '', words);
  t.is(api.store.batches.length, 0);
}

/** title → [what is sent, pointer to what is wrong with it, what is said of it] */
const BAD: Record<string, [unknown, string, RegExp]> = {
  'no files': [manifest([]), '/files', /at least 1 entry/],
  '61 files': [
    manifest(
      Array.from({ length: 61 }, (_, index) =>
        file({ clientId: `c${index}`, sequence: index + 1, title: undefined }),
      ),
    ),
    '/files',
    /at most 60 entries/,
  ],
  'a list instead of a manifest': [[], '', /must be an object/],
  'no listing': [manifest(undefined, { listingIdentityId: undefined }), '/listingIdentityId', /is required/],
  'a listing id as a text': [
    manifest(undefined, { listingIdentityId: '28' }),
    '/listingIdentityId',
    /must be a number/,
  ],
  'a fractional listing id': [
    manifest(undefined, { listingIdentityId: 2.5 }),
    '/listingIdentityId',
    /whole number/,
  ],
  'a listing id beyond what is exact': [
    manifest(undefined, { listingIdentityId: 2 ** 60 }),
    '/listingIdentityId',
    /at most/,
  ],
  'neither reference nor batch': [
    manifest(undefined, { batchReference: undefined }),
    '/batchReference',
    /is required/,
  ],
  'an empty reference': [
    manifest(undefined, { batchReference: '' }),
    '/batchReference',
    /at least 1 character/,
  ],
  'a reference of 121 characters': [
    manifest(undefined, { batchReference: 'x'.repeat(121) }),
    '/batchReference',
    /at most 120/,
  ],
  'a reference that ends in a space': [
    manifest(undefined, { batchReference: 'tuesday ' }),
    '/batchReference',
    /end with a space/,
  ],
  'a batch id that is no UUID': [manifest(undefined, { batchId: '17' }), '/batchId', /must be a UUID/],
  'an unknown field': [manifest(undefined, { status: 'READY' }), '/status', /"status" is not a field/],
  'an unknown field of a file': [
    manifest([file({ s3Key: 'x' })]),
    '/files/0/s3Key',
    /not a field of files\[0\]/,
  ],
  '0 bytes': [manifest([file({ bytes: 0 })]), '/files/0/bytes', /must be at least 1\./],
  'bytes as a text': [manifest([file({ bytes: '10' })]), '/files/0/bytes', /must be a number/],
  'more bytes than a file may have': [
    manifest([file({ bytes: 256 * 1024 ** 2 + 1 })]),
    '/files/0/bytes',
    /at most 268435456/,
  ],
  'more bytes than a batch may have': [
    manifest(
      [1, 2, 3, 4, 5].map((n) =>
        file({ clientId: `c${n}`, sequence: n, title: undefined, bytes: 256 * 1024 ** 2 }),
      ),
    ),
    '/files',
    /1073741824 are allowed/,
  ],
  'a negative sequence': [manifest([file({ sequence: -1 })]), '/files/0/sequence', /at least 1/],
  'no sequence': [manifest([file({ sequence: undefined })]), '/files/0/sequence', /is required/],
  'an asset type that nobody uploads': [
    manifest([file({ assetType: 'ZIP' })]),
    '/files/0/assetType',
    /must be one of PHOTO_VERTICAL/,
  ],
  'a lower-case asset type': [
    manifest([file({ assetType: 'photo_vertical' })]),
    '/files/0/assetType',
    /must be one of/,
  ],
  'a type and its alias': [
    manifest([file({ mediaType: 'PHOTO_VERTICAL' })]),
    '/files/0/mediaType',
    /not a field/,
  ],
  'a content type of another asset type': [
    manifest([file({ contentType: 'video/mp4' })]),
    '/files/0/contentType',
    /image\/jpeg or image\/png/,
  ],
  SVG: [manifest([file({ contentType: 'image/svg+xml' })]), '/files/0/contentType', /must be/],
  'an orientation that does not fit': [
    manifest([file({ orientation: 'PORTRAIT' })]),
    '/files/0/orientation',
    /does not fit/,
  ],
  'a checksum of 20 bytes': [
    manifest([file({ checksum: 'ab'.repeat(20) })]),
    '/files/0/checksum',
    /32 bytes/,
  ],
  'a checksum of 33 bytes': [
    manifest([file({ checksum: Buffer.alloc(33).toString('base64') })]),
    '/files/0/checksum',
    /32 bytes/,
  ],
  'a checksum with stray bits': [
    manifest([file({ checksum: `${'A'.repeat(42)}B=` })]),
    '/files/0/checksum',
    /32 bytes/,
  ],
  'an empty checksum': [manifest([file({ checksum: '' })]), '/files/0/checksum', /32 bytes/],
  'a title of 256 characters': [
    manifest([file({ title: 'x'.repeat(256) })]),
    '/files/0/title',
    /at most 255/,
  ],
  'metadata that is not text': [
    manifest([file({ metadata: { room: 1 } })]),
    '/files/0/metadata/room',
    /must be a text/,
  ],
  'metadata with 21 entries': [
    manifest([file({ metadata: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, ''])) })]),
    '/files/0/metadata',
    /at most 20 entries/,
  ],
  'a metadata key of 65 characters': [
    manifest([file({ metadata: { ['k'.repeat(65)]: '' } })]),
    '/files/0/metadata',
    /has a key/,
  ],
  'the same clientId twice': [
    manifest([file(), file({ sequence: 2, title: undefined })]),
    '/files/1/clientId',
    /^one: another file .* this clientId/,
  ],
  'the same place twice': [
    manifest([file(), file({ clientId: 'two', title: undefined })]),
    '/files/1/sequence',
    /^two: .* asset type and sequence/,
  ],
  'the same title twice': [
    manifest([file(), file({ clientId: 'two', sequence: 2 })]),
    '/files/1/title',
    /^two: .* title/,
  ],
};
for (const [title, [body, pointer, words]] of Object.entries(BAD)) {
  serial(`uploads: ${title} is refused by name`, async (t) => {
    refused(t, await api.post('/uploads', body), pointer, words);
  });
}

const HOSTILE: Record<string, string> = {
  'a path upwards': '../../etc/passwd',
  'a path of Windows': 'C:\\photos\\one.jpg',
  'an absolute path': '/etc/passwd',
  'only dots': '..',
  'a NUL': 'one\u0000.jpg',
  'a line break': 'one\r\nX-Evil: 1.jpg',
  'a C1 control': 'one\u0085.jpg',
  'a line separator': 'one\u2028.jpg',
  'a right-to-left override': 'one\u202Egpj.exe',
  'a direction isolate': 'one\u2067.jpg',
  'half a character': 'one\uD800.jpg',
  '300 characters': `${'x'.repeat(296)}.jpg`,
  'no characters': '',
};
for (const [title, filename] of Object.entries(HOSTILE)) {
  serial(`uploads: a file name with ${title} is refused by name`, async (t) => {
    const answer = await api.post(
      '/uploads',
      manifest([file(), file({ clientId: 'two', sequence: 2, title: 'x', filename })]),
    );
    refused(t, answer, '/files/1/filename', /^files\[1\]\.filename must/);
    t.notRegex(answer.text, /[\u202E\u2067]|\\u0000/);
  });
}

serial('uploads: every mistake is told at once', async (t) => {
  const answer = await api.post(
    '/uploads',
    manifest([file({ bytes: 0, sequence: 0 }), file({ filename: 'a/b', clientId: 'two', title: undefined })]),
  );
  const problem: ProblemBody = answer.body;
  t.deepEqual(problem.errors?.map((error) => error.pointer).sort(), [
    '/files/0/bytes',
    '/files/0/sequence',
    '/files/1/filename',
  ]);
});

serial('uploads: a flood of unknown fields is answered with the first hundred', async (t) => {
  const flood = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`field${n}`, n]));
  const answer = await api.post('/uploads', manifest(undefined, flood));
  t.is(answer.status, 400);
  t.is(answer.body.errors.length, 100);
});

serial('the other routes refuse unknown fields and missing ids by name', async (t) => {
  for (const path of [
    '/uploads/process',
    '/uploads/complete',
    '/uploads/status',
    '/status',
    '/uploads/retry',
    '/downloads',
    '/downloads/query',
  ]) {
    refused(
      t,
      await api.post(path, { listingIdentityId: 28, batchId: BATCH_ID, evil: 1 }),
      '/evil',
      /not a field/,
    );
    refused(t, await api.post(path, { batchId: BATCH_ID }), '/listingIdentityId', /is required/);
    refused(
      t,
      await api.post(path, { listingIdentityId: 28, batchId: "1' OR 1=1" }),
      '/batchId',
      /must be a UUID/,
    );
  }
  refused(t, await api.post('/uploads/retry', { listingIdentityId: 28 }), '/batchId', /is required/);
  refused(t, await api.post('/uploads/status', { listingIdentityId: 28 }), '/batchId', /is required/);
});

serial('uploads: a manifest opens a batch with 201, and the same again answers 200', async (t) => {
  const first = await api.post('/uploads', manifest());
  t.is(first.status, 201, first.text);
  t.deepEqual(Object.keys(first.body), ['batchId', 'listingIdentityId', 'uploadUrlTtlSeconds', 'files']);
  t.is(first.body.files[0].method, 'PUT');

  const again = await api.post('/uploads', manifest());
  t.is(again.status, 200);
  const other = await api.post('/uploads', manifest([file({ bytes: 2 })]));
  t.is(other.status, 409);
  t.is(other.body.code, 'reference_in_use');
  t.is(api.store.batches.length, 1);
});

serial('uploads: aliases, checksums and content types reach the domain in one form', async (t) => {
  const base64 = Buffer.from(HEX, 'hex').toString('base64');
  const checksums = [
    `sha256:${HEX}`,
    `SHA256:${HEX.toUpperCase()}`,
    HEX.toUpperCase(),
    base64,
    base64.replace('=', ''),
  ];
  const files = checksums.map((checksum, index) => {
    const { assetType, ...rest } = file({
      clientId: `c${index}`,
      sequence: index + 1,
      title: undefined,
      checksum,
    });
    return { ...rest, mediaType: assetType, contentType: 'IMAGE/JPEG' };
  });
  const answer = await api.post('/uploads', { listingId: 28, batchReference: 'aliases', files });
  t.is(answer.status, 201, answer.text);
  const stored = api.store.batches.find((batch) => batch.request.batchReference === 'aliases');
  t.is(stored?.request.listingIdentityId, 28);
  for (const one of stored?.request.files ?? []) {
    t.like(one, { assetType: 'PHOTO_HORIZONTAL', contentType: 'image/jpeg', checksumSha256: HEX });
    t.false('checksum' in one || 'orientation' in one);
  }
});

serial('uploads: names in any script, with spaces and quotes, are welcome', async (t) => {
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
  const files = names.map((filename, index) =>
    file({ clientId: `c${index}`, sequence: index + 1, title: undefined, filename }),
  );
  const answer = await api.post('/uploads', manifest(files, { batchReference: 'names' }));
  t.is(answer.status, 201, answer.text);
});

serial(
  'uploads: every asset type takes each of its content types and either word for its orientation',
  async (t) => {
    const cases: [string, string, string | undefined][] = [
      ['PHOTO_VERTICAL', 'image/png', 'PORTRAIT'],
      ['PHOTO_VERTICAL', 'image/heic', 'VERTICAL'],
      ['PHOTO_HORIZONTAL', 'image/jpeg', 'HORIZONTAL'],
      ['VIDEO_VERTICAL', 'video/quicktime', 'VERTICAL'],
      ['VIDEO_HORIZONTAL', 'video/mp4', 'LANDSCAPE'],
      ['PROJECT_DOC', 'application/pdf', undefined],
      ['PROJECT_RENDER', 'image/heic', 'LANDSCAPE'],
    ];
    const files = cases.map(([assetType, contentType, orientation], index) =>
      file({
        clientId: `c${index}`,
        sequence: index + 1,
        title: undefined,
        assetType,
        contentType,
        orientation,
      }),
    );
    const answer = await api.post('/uploads', manifest(files, { batchReference: 'types' }));
    t.is(answer.status, 201, answer.text);
  },
);

serial('the caller and the trace reach the domain', async (t) => {
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

serial('process and retry answer 202; complete answers 202 on the way and 200 at the end', async (t) => {
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

serial('status has a strong ETag, 304 while nothing changes, and Retry-After while it runs', async (t) => {
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
});

serial('downloads are 204 until a batch is READY, and then 200', async (t) => {
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

serial('a listing or batch that does not exist is a 404 problem', async (t) => {
  const listing = await api.post('/uploads/status', { listingIdentityId: 29, batchId: BATCH_ID });
  t.is(listing.status, 404);
  t.is(listing.body.code, 'listing_not_found');
  const batch = await api.post('/downloads', { listingIdentityId: 28, batchId: BATCH_ID.replace('0', '1') });
  t.is(batch.body.code, 'batch_not_found');
});
