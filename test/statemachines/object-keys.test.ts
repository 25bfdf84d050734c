import test from 'ava';
import fc from 'fast-check';
import { UploadType } from '../../statemachines/contracts.ts';
import {
  bundleEntry,
  bundleKey,
  cleanFilename,
  cleanReference,
  copyKey,
  parseRawKey,
  posterKeys,
  rawKey,
  sequenceReference,
  variantKeys,
  videoKeys,
  videoPrefix,
} from '../../statemachines/object-keys.ts';

const wildName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '../../etc/passwd',
    '..\\..\\boot.ini',
    'a\0b.jpg',
    'a\r\nb.jpg',
    '\u202Egpj.exe',
    'CON',
    '.jpg',
    `${'x'.repeat(400)}.jpeg`,
  ),
);
const contentType = fc.constantFrom('image/jpeg', 'image/png', 'image/heic', 'video/mp4', 'application/pdf');

test('a file name keeps only harmless characters and its extension, whatever comes in', (t) => {
  fc.assert(
    fc.property(wildName, contentType, (name, type) => {
      const clean = cleanFilename(name, type);
      t.regex(clean, /^[A-Za-z0-9_][A-Za-z0-9._-]*\.[A-Za-z0-9]{1,8}$/);
      t.true(clean.length <= 96);
      t.false(clean.includes('..'));
      t.is(cleanFilename(clean, type), clean);
    }),
    { numRuns: 2000 },
  );
});

test('a file name without an extension gets the one of its content type', (t) => {
  t.is(cleanFilename('IMG_2907', 'image/jpeg'), 'IMG_2907.jpg');
  t.is(cleanFilename('tour', 'video/quicktime'), 'tour.mov');
  t.is(cleanFilename('Planta Baixa (1).PDF', 'application/pdf'), 'Planta-Baixa-1.PDF');
  t.is(cleanFilename(`${'x'.repeat(400)}.jpeg`, 'image/jpeg'), `${'x'.repeat(91)}.jpeg`);
});

test('a reference keeps only harmless characters, at most 48', (t) => {
  fc.assert(fc.property(wildName, (name) => t.regex(cleanReference(name), /^[A-Za-z0-9_-]{0,48}$/)));
  t.is(cleanReference('  sala / 01 '), 'sala-01');
  t.is(cleanReference('日本'), '');
});

test('an asset without a usable reference is named by orientation and sequence', (t) => {
  t.is(sequenceReference('PHOTO_HORIZONTAL', 1), 'horizontal-01');
  t.is(sequenceReference('VIDEO_VERTICAL', 12), 'vertical-12');
});

test('an original lies below its listing and segment, without a date', (t) => {
  const key = rawKey({
    listingIdentityId: 28,
    type: 'PHOTO_HORIZONTAL',
    reference: 'horizontal-01',
    filename: 'IMG_2907.jpg',
    contentType: 'image/jpeg',
  });
  t.is(key, '28/raw/photo/horizontal/horizontal-01-IMG_2907.jpg');
  t.deepEqual(variantKeys(key), {
    thumbnail: '28/processed/photo/horizontal/thumbnail/horizontal-01-IMG_2907.jpg',
    small: '28/processed/photo/horizontal/small/horizontal-01-IMG_2907.jpg',
    medium: '28/processed/photo/horizontal/medium/horizontal-01-IMG_2907.jpg',
    large: '28/processed/photo/horizontal/large/horizontal-01-IMG_2907.jpg',
  });
  t.is(bundleEntry(key), 'photo/horizontal/horizontal-01-IMG_2907.jpg');
  t.is(bundleKey(28), '28/processed/zip/listing-media.zip');
});

test('variants of a PNG end in .jpg, a document keeps its name', (t) => {
  t.is(variantKeys('7/raw/project/render/front-a.png').large, '7/processed/project/render/large/front-a.jpg');
  t.is(copyKey('7/raw/project/doc/plan-a.pdf'), '7/processed/project/doc/original/plan-a.pdf');
});

test('the names of a video are those that MediaConvert gives its outputs', (t) => {
  const raw = '28/raw/video/vertical/tour-clip.mov';
  t.is(videoPrefix(raw), '28/processed/video/vertical/original/');
  t.deepEqual(videoKeys(raw), {
    original_1080p: '28/processed/video/vertical/original/tour-clip-1080p.mp4',
    original_720p: '28/processed/video/vertical/original/tour-clip-720p.mp4',
  });
  t.deepEqual(posterKeys(raw), [
    '28/processed/video/vertical/original/tour-clip-poster.0000001.jpg',
    '28/processed/video/vertical/original/tour-clip-poster.0000000.jpg',
  ]);
});

test('every raw key is parsed back to its parts, and anything else is refused', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.constantFrom(...UploadType.options),
      wildName,
      wildName,
      contentType,
      (listingIdentityId, type, name, filename, content) => {
        const reference = cleanReference(name) || sequenceReference(type, 1);
        const parsed = parseRawKey(
          rawKey({ listingIdentityId, type, reference, filename, contentType: content }),
        );
        t.is(parsed.listingIdentityId, listingIdentityId);
        t.true(parsed.filename.startsWith(reference));
      },
    ),
  );
  for (const key of [
    '',
    'x/raw/photo/horizontal/a.jpg',
    '1/processed/photo/horizontal/large/a.jpg',
    '1/raw/a.jpg',
    '1/raw/photo/../x.jpg/y',
  ]) {
    t.throws(() => parseRawKey(key), { message: /not the key of an original/ });
  }
});
