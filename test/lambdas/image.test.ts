import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import test from 'ava';
import exifr from 'exifr';
import fc from 'fast-check';
import sharp from 'sharp';
import { PermanentError } from '../../lambdas/errors.ts';
import { type Stills, stills } from '../../lambdas/media/image.ts';
import { photoJpeg } from '../../local/samples.ts';
import { adobeRgb } from '../support/colour-profile.ts';
import { corners, orientedJpeg, quadrantColours, quadrants, UPRIGHT } from '../support/quadrants.ts';

const NAME = 'horizontal-01-hall.jpg';
const fixture = (name: string) => readFile(path.join(import.meta.dirname, 'fixtures', name));

const sizes = async ({ files }: Stills) =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(files).map(async ([size, file]) => {
        const { width, height } = await sharp(file).metadata();
        return [size, `${width}x${height}`] as const;
      }),
    ),
  );

for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`EXIF orientation ${orientation} is made upright in every size, with and without a profile`, async (t) => {
    const plain = await orientedJpeg(1440, 960, orientation);
    const profiled = await quadrants(1440, 960)
      .withMetadata({ orientation })
      .jpeg({ quality: 95 })
      .toBuffer();
    const turned = orientation > 4;
    for (const original of [plain, profiled]) {
      const made = await stills(original, NAME);
      t.like(made, turned ? { width: 960, height: 1440 } : { width: 1440, height: 960 });
      t.deepEqual(
        await sizes(made),
        turned
          ? { large: '960x1440', medium: '800x1200', small: '400x600', thumbnail: '200x300' }
          : { large: '1200x800', medium: '800x533', small: '400x266', thumbnail: '200x133' },
      );
      for (const file of Object.values(made.files)) t.deepEqual(await corners(file), UPRIGHT[orientation]);
    }
  });
}

test('the width is that of the size, the height follows the aspect and is truncated', async (t) => {
  const made = await stills(await orientedJpeg(4001, 2251, 1), NAME);
  t.deepEqual(await sizes(made), {
    large: '1200x675',
    medium: '800x450',
    small: '400x225',
    thumbnail: '200x112',
  });
});

test('a small picture is never enlarged, and a narrow one keeps a pixel of height', async (t) => {
  const small = await stills(await orientedJpeg(40, 30, 1), NAME);
  t.deepEqual(new Set(Object.values(await sizes(small))), new Set(['40x30']));
  t.like(small, { width: 40, height: 30 });
  t.is((await sizes(await stills(await orientedJpeg(3000, 2, 1), NAME))).thumbnail, '200x1');
});

test('variants are progressive 4:2:0 JPEGs without EXIF, GPS, XMP or profile', async (t) => {
  const original = await photoJpeg({ width: 1600, height: 1200, gps: true });
  t.regex(JSON.stringify(await exifr.gps(original)), /latitude/);
  for (const file of Object.values((await stills(original, NAME)).files)) {
    const metadata = await sharp(file).metadata();
    t.like(metadata, { format: 'jpeg', isProgressive: true, chromaSubsampling: '4:2:0', space: 'srgb' });
    t.is(metadata.exif ?? metadata.icc ?? metadata.xmp ?? metadata.iptc, undefined);
    t.falsy(await exifr.gps(file));
  }
});

test('wide-gamut photos keep their colours: Display P3, Adobe RGB', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'profile-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const adobe = path.join(folder, 'adobe.icc');
  await writeFile(adobe, adobeRgb());

  for (const profile of ['p3', adobe]) {
    const original = await quadrants(1600, 1200).withIccProfile(profile).jpeg({ quality: 95 }).toBuffer();
    const untold = await sharp(original, { ignoreIcc: true }).jpeg({ quality: 95 }).toBuffer();
    t.notDeepEqual(await corners(untold), UPRIGHT[1], `${profile}: the profile matters to the test picture`);
    for (const file of Object.values((await stills(original, NAME)).files)) {
      t.deepEqual(await corners(file, 12), UPRIGHT[1], profile);
    }
  }
});

test('a CMYK JPEG becomes sRGB', async (t) => {
  const original = await quadrants(1300, 900).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
  t.is((await sharp(original).metadata()).space, 'cmyk');
  const { files } = await stills(original, NAME);
  t.is((await sharp(files.large).metadata()).space, 'srgb');
  // inks have a smaller gamut than a screen: the hues must hold, and paper stays white
  const [red = [], , blue = [], white] = await quadrantColours(files.large);
  t.true((red[0] ?? 0) > 180 && Math.max(red[1] ?? 255, red[2] ?? 255) < 40, `red is ${red}`);
  t.true((blue[2] ?? 0) > 2 * Math.max(blue[0] ?? 255, blue[1] ?? 255), `blue is ${blue}`);
  t.deepEqual(white, [255, 255, 255]);
});

test('16-bit, grey, palette and progressive originals are read', async (t) => {
  const originals = {
    '16-bit PNG': await quadrants(1300, 900).toColourspace('rgb16').png().toBuffer(),
    'palette PNG': await quadrants(1300, 900).png({ palette: true }).toBuffer(),
    'progressive JPEG': await quadrants(1300, 900).jpeg({ progressive: true, quality: 95 }).toBuffer(),
  };
  for (const [name, original] of Object.entries(originals)) {
    const made = await stills(original, NAME);
    t.is((await sharp(made.files.large).metadata()).depth, 'uchar', name);
    t.deepEqual(await corners(made.files.thumbnail), UPRIGHT[1], name);
  }
  const grey = await stills(await quadrants(1300, 900).greyscale().jpeg().toBuffer(), NAME);
  const [red, green, , white] = await quadrantColours(grey.files.small);
  t.true((red?.[0] ?? 0) < (green?.[0] ?? 0) && (white?.[0] ?? 0) > 250);
});

test('transparency becomes white', async (t) => {
  const ghost = await sharp({
    create: { width: 1300, height: 900, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  t.deepEqual(await corners((await stills(ghost, NAME)).files.large), ['white', 'white', 'white', 'white']);
});

test('a HEIC is decoded; its own rotation counts once, and its profile counts', async (t) => {
  const plain = await stills(await fixture('quadrants.heic'), NAME);
  t.like(plain, { width: 64, height: 48 });
  t.deepEqual(await corners(plain.files.large, 12), UPRIGHT[1]);

  // like a phone's: irot and EXIF orientation say the same, Display P3
  const phone = await stills(await fixture('phone.heic'), NAME);
  t.like(phone, { width: 48, height: 64 });
  t.deepEqual(await corners(phone.files.large, 12), UPRIGHT[6]);
});

const failsWith = async (original: Buffer) => {
  try {
    await stills(original, NAME);
    return 'made';
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return `${error.name}: ${error.message}`;
  }
};

test('what is not a picture, or of another format, is unsupported and says what to do', async (t) => {
  const picture = quadrants(64, 48);
  for (const bytes of [
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    Buffer.from('<html><body>hello</body></html>'),
    await picture.clone().gif().toBuffer(),
    await picture.clone().webp().toBuffer(),
    await picture.clone().tiff().toBuffer(),
    Buffer.from('hello'),
  ]) {
    t.regex(
      await failsWith(bytes),
      /^UNSUPPORTED_CONTENT: horizontal-01-hall\.jpg is .*Please export it as one/,
    );
  }
});

test('a damaged file is named', async (t) => {
  const whole = await photoJpeg({ width: 1200, height: 900 });
  const broken = whole.subarray(0, Math.floor(whole.length / 3));
  t.is(
    await failsWith(broken),
    'THUMBNAIL_PROCESSING_FAILED: horizontal-01-hall.jpg is damaged and cannot be read. Please export it again and upload it.',
  );
  t.regex(await failsWith(Buffer.alloc(0)), /^THUMBNAIL_PROCESSING_FAILED/);
  const heic = await fixture('phone.heic');
  t.regex(await failsWith(heic.subarray(0, heic.length - 100)), /^THUMBNAIL_PROCESSING_FAILED/);
});

/** A PNG of one colour whose header claims other dimensions. */
async function claims(width: number, height: number) {
  const png = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

test('more than 100 megapixels are refused by the header, before anything is decoded', async (t) => {
  t.regex(
    await failsWith(await claims(10_001, 10_000)),
    /^IMAGE_TOO_LARGE: .* has 101 megapixels; at most 100/,
  );
  t.regex(await failsWith(await claims(64_250, 64_250)), /^IMAGE_TOO_LARGE/);

  const jpeg = await orientedJpeg(64, 48, 1);
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(64_250, frame + 5);
  jpeg.writeUInt16BE(64_250, frame + 7);
  t.regex(await failsWith(jpeg), /^IMAGE_TOO_LARGE/);
});

test('a file cut anywhere ends with a reason, never with a crash', async (t) => {
  const files = [
    await photoJpeg({ width: 320, height: 240, gps: true }),
    await photoJpeg({ width: 320, height: 240 }, { progressive: true }),
    await quadrants(320, 240).png().toBuffer(),
    await fixture('phone.heic'),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.double({ min: 0, max: 0.98, noNaN: true }),
      async (file, part) => {
        t.regex(
          await failsWith(file.subarray(0, Math.floor(file.length * part))),
          /^[A-Z_]+: horizontal-01-hall/,
        );
      },
    ),
    { numRuns: 150 },
  );
});

test('a file with flipped bytes is made or refused, never a crash', async (t) => {
  const files = [
    await orientedJpeg(160, 120, 6),
    await quadrants(160, 120).png().toBuffer(),
    await fixture('phone.heic'),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 8,
      }),
      async (file, flips) => {
        const copy = Buffer.from(file);
        for (const [place, value] of flips) copy[Math.floor(place * copy.length)] = value;
        t.regex(await failsWith(copy), /^(made|[A-Z_]+: horizontal-01-hall)/);
      },
    ),
    { numRuns: 200 },
  );
});
