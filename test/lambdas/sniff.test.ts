import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { agrees, allowed, pixels, sniff } from '../../lambdas/media/sniff.ts';
import { quadrants } from '../support/quadrants.ts';

const heic = await readFile(path.join(import.meta.dirname, 'fixtures/phone.heic'));
const jpeg = await quadrants(300, 200).jpeg().toBuffer();
const png = await quadrants(300, 200).png().toBuffer();
const ftyp = (brand: string) =>
  Buffer.concat([Buffer.from([0, 0, 0, 20]), Buffer.from(`ftyp${brand}\0\0\0\0${brand}`), Buffer.alloc(64)]);

test('originals are known by their first bytes', async (t) => {
  t.is(await sniff(jpeg), 'image/jpeg');
  t.is(await sniff(png), 'image/png');
  t.is(await sniff(heic), 'image/heic');
  t.is(await sniff(ftyp('mif1')), 'image/heif');
  t.is(await sniff(ftyp('isom')), 'video/mp4');
  t.is(await sniff(ftyp('mp42')), 'video/mp4');
  t.is(await sniff(ftyp('qt  ')), 'video/quicktime');
  t.is(await sniff(Buffer.from('%PDF-1.7\n')), 'application/pdf');
});

test('each asset type takes its own kinds and nothing else', async (t) => {
  const kinds = {
    jpeg,
    heic,
    mp4: ftyp('isom'),
    pdf: Buffer.from('%PDF-1.7\n%âãÏÓ'),
    gif: await quadrants(30, 20).gif().toBuffer(),
    webp: await quadrants(30, 20).webp().toBuffer(),
    avif: ftyp('avif'),
    svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    svgWithProlog: Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    html: Buffer.from('<!doctype html><script>alert(1)</script>'),
    zip: Buffer.from('PK\x03\x04\x14\0\0\0\0\0', 'latin1'),
    noise: Buffer.from('hello'),
    nothing: Buffer.alloc(0),
  };
  const taken = async (type: Parameters<typeof allowed>[0]) => {
    const names: string[] = [];
    for (const [name, bytes] of Object.entries(kinds))
      if (allowed(type, await sniff(bytes))) names.push(name);
    return names;
  };
  t.deepEqual(await taken('PHOTO_VERTICAL'), ['jpeg', 'heic']);
  t.deepEqual(await taken('PROJECT_RENDER'), ['jpeg', 'heic']);
  t.deepEqual(await taken('VIDEO_HORIZONTAL'), ['mp4']);
  t.deepEqual(await taken('PROJECT_DOC'), ['pdf']);
});

test('a declared type must agree with the bytes; a type that says nothing is no lie', (t) => {
  t.true(agrees('image/jpeg', 'image/jpeg'));
  t.true(agrees('Image/JPEG; charset=binary', 'image/jpeg'));
  t.true(agrees('image/heic', 'image/heif'));
  t.true(agrees('video/mp4', 'video/quicktime'));
  t.true(agrees('binary/octet-stream', 'image/png'));
  t.false(agrees('image/png', 'image/jpeg'));
  t.false(agrees('text/html', 'image/jpeg'));
});

test('pixels are read from the header, also behind a megabyte of metadata', (t) => {
  t.is(pixels(jpeg), 60_000);
  t.is(pixels(png), 60_000);
  t.true((pixels(heic) ?? 0) >= 64 * 48);

  const segment = Buffer.alloc(65_535 + 2, 0x20);
  segment.set([0xff, 0xe2, 0xff, 0xff]);
  const long = Buffer.concat([jpeg.subarray(0, 2), ...Array(20).fill(segment), jpeg.subarray(2)]);
  t.is(pixels(long), 60_000);
  t.is(pixels(long.subarray(0, 65_536)), undefined);
});

test('no bytes make the sniffer throw', async (t) => {
  const starts = [jpeg, png, heic, ftyp('isom'), Buffer.from('%PDF-'), Buffer.alloc(0)];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.nat(4000),
      fc.uint8Array({ maxLength: 300 }),
      async (start, cut, noise) => {
        const bytes = Buffer.concat([start.subarray(0, cut), noise]);
        const kind = await sniff(bytes);
        const size = pixels(bytes);
        t.true(kind === undefined || typeof kind === 'string');
        t.true(size === undefined || size > 0);
      },
    ),
    { numRuns: 2000 },
  );
});
