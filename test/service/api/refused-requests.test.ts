import test, { type ExecutionContext } from 'ava';
import { type ApiAnswer, startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';
import { problemOf } from '../../support/problems.ts';
import { manifest, manifestFile, manifestFiles } from '../../support/upload-manifest.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

/** The answer is a problem that names the field, and nothing has been stored. */
function refused(t: ExecutionContext, answer: ApiAnswer, pointer: string, words: RegExp) {
  const problem = problemOf(t, answer, 400, 'invalid_request');
  const error = problem.errors?.find((entry) => entry.pointer === pointer);
  t.truthy(error, `${pointer} is not in ${answer.text}`);
  t.regex(error?.message ?? '', words);
  t.is(api.store.batches.length, 0);
}

/** title → [what is wrong with it, pointer to that, what is said of it] */
type Mistakes = Record<string, [changes: Record<string, unknown>, pointer: string, words: RegExp]>;

const MANIFESTS: Mistakes = {
  'no listing': [{ listingIdentityId: undefined }, '/listingIdentityId', /is required/],
  'a listing id as a text': [{ listingIdentityId: '28' }, '/listingIdentityId', /must be a number/],
  'a fractional listing id': [{ listingIdentityId: 2.5 }, '/listingIdentityId', /whole number/],
  'a listing id beyond what is exact': [{ listingIdentityId: 2 ** 60 }, '/listingIdentityId', /at most/],
  'neither reference nor batch': [{ batchReference: undefined }, '/batchReference', /is required/],
  'an empty reference': [{ batchReference: '' }, '/batchReference', /at least 1 character/],
  'a reference of 121 characters': [{ batchReference: 'x'.repeat(121) }, '/batchReference', /at most 120/],
  'a reference that ends in a space': [{ batchReference: 'tuesday ' }, '/batchReference', /end with a space/],
  'a batch id that is no UUID': [{ batchId: '17' }, '/batchId', /must be a UUID/],
  'an unknown field': [{ status: 'READY' }, '/status', /"status" is not a field/],
  'no files': [{ files: [] }, '/files', /at least 1 entry/],
  '61 files': [{ files: manifestFiles(Array(61).fill({})) }, '/files', /at most 60 entries/],
  'more bytes than a batch may have': [
    { files: manifestFiles(Array(5).fill({ bytes: 256 * 1024 ** 2 })) },
    '/files',
    /1073741824 are allowed/,
  ],
  'the same clientId twice': [
    { files: [manifestFile(), manifestFile({ sequence: 2, title: undefined })] },
    '/files/1/clientId',
    /^one: another file .* this clientId/,
  ],
  'the same place twice': [
    { files: [manifestFile(), manifestFile({ clientId: 'two', title: undefined })] },
    '/files/1/sequence',
    /^two: .* asset type and sequence/,
  ],
  'the same title twice': [
    { files: [manifestFile(), manifestFile({ clientId: 'two', sequence: 2 })] },
    '/files/1/title',
    /^two: .* title/,
  ],
};
for (const [title, [changes, pointer, words]] of Object.entries(MANIFESTS)) {
  test(`uploads: ${title} is refused by name`, async (t) => {
    refused(t, await api.post('/uploads', manifest(undefined, changes)), pointer, words);
  });
}

/** As above, of a manifest's only file. */
const FILES: Mistakes = {
  'an unknown field of a file': [{ s3Key: 'x' }, 's3Key', /not a field of files\[0\]/],
  '0 bytes': [{ bytes: 0 }, 'bytes', /must be at least 1\./],
  'bytes as a text': [{ bytes: '10' }, 'bytes', /must be a number/],
  'more bytes than a file may have': [{ bytes: 256 * 1024 ** 2 + 1 }, 'bytes', /at most 268435456/],
  'a negative sequence': [{ sequence: -1 }, 'sequence', /at least 1/],
  'no sequence': [{ sequence: undefined }, 'sequence', /is required/],
  'an asset type that nobody uploads': [{ assetType: 'ZIP' }, 'assetType', /must be one of PHOTO_VERTICAL/],
  'a lower-case asset type': [{ assetType: 'photo_vertical' }, 'assetType', /must be one of/],
  'a type and its alias': [{ mediaType: 'PHOTO_VERTICAL' }, 'mediaType', /not a field/],
  'a content type of another asset type': [
    { contentType: 'video/mp4' },
    'contentType',
    /image\/jpeg or image\/png/,
  ],
  SVG: [{ contentType: 'image/svg+xml' }, 'contentType', /must be/],
  'an orientation that does not fit': [{ orientation: 'PORTRAIT' }, 'orientation', /does not fit/],
  'a checksum of 20 bytes': [{ checksum: 'ab'.repeat(20) }, 'checksum', /32 bytes/],
  'a checksum of 33 bytes': [{ checksum: Buffer.alloc(33).toString('base64') }, 'checksum', /32 bytes/],
  'a checksum with stray bits': [{ checksum: `${'A'.repeat(42)}B=` }, 'checksum', /32 bytes/],
  'an empty checksum': [{ checksum: '' }, 'checksum', /32 bytes/],
  'a title of 256 characters': [{ title: 'x'.repeat(256) }, 'title', /at most 255/],
  'metadata that is not text': [{ metadata: { room: 1 } }, 'metadata/room', /must be a text/],
  'metadata with 21 entries': [
    { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, ''])) },
    'metadata',
    /at most 20 entries/,
  ],
  'a metadata key of 65 characters': [{ metadata: { ['k'.repeat(65)]: '' } }, 'metadata', /has a key/],
};
for (const [title, [changes, field, words]] of Object.entries(FILES)) {
  test(`uploads: ${title} is refused by name`, async (t) => {
    refused(t, await api.post('/uploads', manifest([manifestFile(changes)])), `/files/0/${field}`, words);
  });
}

test('uploads: a list instead of a manifest is refused by name', async (t) => {
  refused(t, await api.post('/uploads', []), '', /must be an object/);
});

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
  test(`uploads: a file name with ${title} is refused by name`, async (t) => {
    const answer = await api.post(
      '/uploads',
      manifest([manifestFile(), manifestFile({ clientId: 'two', sequence: 2, title: 'x', filename })]),
    );
    refused(t, answer, '/files/1/filename', /^files\[1\]\.filename must/);
    t.notRegex(answer.text, /[\u202E\u2067]|\\u0000/);
  });
}

test('uploads: every mistake is told at once', async (t) => {
  const answer = await api.post(
    '/uploads',
    manifest([
      manifestFile({ bytes: 0, sequence: 0 }),
      manifestFile({ filename: 'a/b', clientId: 'two', title: undefined }),
    ]),
  );
  const { errors } = problemOf(t, answer, 400, 'invalid_request');
  t.deepEqual(errors?.map((error) => error.pointer).sort(), [
    '/files/0/bytes',
    '/files/0/sequence',
    '/files/1/filename',
  ]);
});

test('uploads: a flood of unknown fields is answered with the first hundred', async (t) => {
  const flood = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`field${n}`, n]));
  const answer = await api.post('/uploads', manifest(undefined, flood));
  t.is(answer.status, 400);
  t.is(answer.body.errors.length, 100);
});

test('the other routes refuse unknown fields and missing ids by name', async (t) => {
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
