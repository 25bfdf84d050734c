import test from 'ava';
import fc from 'fast-check';
import { validateManifest } from '../../../service/media/manifest.ts';
import { difference } from '../../../service/media/originals.ts';
import { assignSourceKeys } from '../../../service/media/source-keys.ts';
import { Asset } from '../../../service/models/asset.ts';
import { UploadType } from '../../../statemachines/contracts.ts';
import { variantKeys } from '../../../statemachines/object-keys.ts';
import { file, photos } from '../../support/media-world.ts';

test('a manifest names every file that breaks a rule', (t) => {
  const limits = { MAX_FILES_PER_BATCH: 3, MAX_FILE_BYTES: 100, MAX_BATCH_BYTES: 150 };
  t.deepEqual(validateManifest(photos(3), limits), []);
  const pointers = (...files: ReturnType<typeof file>[]) =>
    validateManifest(files, limits).map(({ pointer }) => pointer);
  t.deepEqual(pointers(), ['/files']);
  t.deepEqual(pointers(...photos(4)), ['/files']);
  t.deepEqual(pointers(file('a', 1, { bytes: 101 }), file('b', 2, { bytes: 0 })), [
    '/files/0/bytes',
    '/files/1/bytes',
  ]);
  t.deepEqual(pointers(file('a', 1, { bytes: 90 }), file('b', 2, { bytes: 90 })), ['/files']);
  t.deepEqual(pointers(file('a', 1), file('a', 1)), ['/files/1/clientId', '/files/1/sequence']);
  t.deepEqual(pointers(file('a', 1), file('b', 1, { assetType: 'PHOTO_VERTICAL' })), []);
  t.deepEqual(pointers(file('a', 1, { title: 'x' }), file('b', 2, { title: 'x' })), ['/files/1/title']);
});

test('an original is compared with what was announced, and with what the client claims', (t) => {
  const asset = Asset.fromJson({ clientId: 'a', filename: 'a.jpg', bytes: 5, checksumSha256: 'aa' });
  const object = { bytes: 5, etag: 'e', checksumSha256: 'aa', archived: false };
  t.is(difference(asset, object), null);
  t.is(difference(asset, { ...object, checksumSha256: null }), null, 'nothing to compare with');
  t.is(difference(asset, object, { clientId: 'a', etag: '"e"', bytes: 5 }), null);
  t.is(difference(asset, null)?.code, 'upload_not_found');
  t.is(difference(asset, { ...object, bytes: 6 })?.code, 'upload_size_mismatch');
  t.is(difference(asset, object, { clientId: 'a', bytes: 6 })?.code, 'upload_size_mismatch');
  t.is(difference(asset, { ...object, checksumSha256: 'bb' })?.code, 'upload_checksum_mismatch');
  t.is(difference(asset, object, { clientId: 'a', etag: 'f' })?.code, 'upload_etag_mismatch');
});

test('whatever the names, originals and their variants never share a key', (t) => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('a', 'A', 'a-2', 'a.jpg', 'a.JPG', '../a', 'a\0', 'á', 'ａ', '-', '', 'a'.repeat(120)),
  );
  const files = fc.array(
    fc.record({ clientId: name, filename: name, assetType: fc.constantFrom(...UploadType.options) }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(files, files, (earlier, later) => {
      const whole = (parts: typeof earlier) =>
        parts.map((part, index) => file(part.clientId, index + 1, part));
      const taken = [...assignSourceKeys(28, whole(earlier), []).values()];
      const keys = [...taken, ...assignSourceKeys(28, whole(later), taken).values()];
      for (const key of keys) {
        t.regex(key, /^28\/raw\/(photo|video|project)\/[a-z]+\/[A-Za-z0-9_-]{1,48}-[A-Za-z0-9._-]{1,96}$/);
      }
      const variants = keys.map((key) => variantKeys(key).large.toLowerCase());
      t.is(new Set(variants).size, keys.length);
    }),
    { numRuns: 300 },
  );
});
