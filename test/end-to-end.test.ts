import { readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import exifr from 'exifr';
import sharp from 'sharp';
import { covers, reasonOf, UNEXERCISED } from '../local/iam/unexercised.ts';
import { brokenPhoto, clip, photoJpeg, photoPng, picture } from '../local/samples.ts';
import { startTestStack } from './support/stack.ts';

const { stack, database, file, photos, uploaded, photographer, owner, close } = await startTestStack();
test.after.always(close);
const { open, upload, finish, gallery } = photographer;

test('photos and videos go from disk to a READY gallery with a bundle', async (t) => {
  const listingIdentityId = await stack.addListing();
  const files = [
    ...(await photos(3, { width: 1600, height: 1200 })),
    await file('upright.jpg', await photoJpeg({ width: 900, height: 1600, orientation: 6, gps: true }), {
      assetType: 'PHOTO_VERTICAL',
    }),
    await file('tour.mp4', (to) => clip(to, { width: 1280, height: 720, seconds: 2 }), {
      assetType: 'VIDEO_HORIZONTAL',
    }),
    await file('balcony.mov', (to) => clip(to, { width: 360, height: 640, seconds: 2, rotation: 90 }), {
      assetType: 'VIDEO_VERTICAL',
    }),
  ];
  const batch = await upload({ listingIdentityId }, files);
  const status = await finish(batch);
  t.is(status.status, 'READY', JSON.stringify(status));
  t.true(status.processing.steps.every((step) => step.status === 'SUCCEEDED'));
  t.deepEqual(
    status.availableDownloads.map(({ type, ready }) => [type, ready]),
    [
      ['ZIP_FULL', true],
      ['THUMBNAILS', true],
    ],
  );
  const saved = await gallery(batch);
  t.is(saved.items.length, 6);
  t.regex(saved.bundleReport, /No errors detected/);
  for (const { item, stills } of saved.items) {
    const [width = 0, height = 0] = String(item.resolution).split('x').map(Number);
    t.deepEqual(Object.keys(stills).sort(), ['large', 'medium', 'small', 'thumbnail']);
    for (const [size, limit] of Object.entries({ thumbnail: 200, small: 400, medium: 800, large: 1200 })) {
      const still = stills[size];
      t.is(still?.width, Math.min(limit, width), `${item.label} ${size}`);
      t.true(Math.abs((still?.height ?? 0) - (Math.min(limit, width) * height) / width) <= 1);
      const exif = await exifr.parse(path.join(path.dirname(saved.page), String(still?.file)), { gps: true });
      t.is(exif?.latitude, undefined);
    }
  }
  const balcony = saved.items.find(({ type }) => type === 'VIDEO_VERTICAL');
  t.like(balcony?.item, { resolution: '360x640', durationSeconds: 2 });
  const listing = await database('listing_identities').where({ id: listingIdentityId }).first();
  t.is(listing.status, 'PENDING_OWNER_APPROVAL');
});

test('every kind of picture becomes upright, sRGB, stripped variants no larger than itself', async (t) => {
  const size = { width: 900, height: 600 };
  const orientations = await Promise.all(
    ([1, 2, 3, 4, 5, 6, 7, 8] as const).map(async (orientation) =>
      file(`o${orientation}.jpg`, await photoJpeg({ ...size, orientation, gps: true }), {
        sequence: orientation,
      }),
    ),
  );
  const plain = await picture(size);
  const others = [
    ['cmyk.jpg', await (await picture(size)).toColourspace('cmyk').jpeg().toBuffer()],
    ['16-bit.png', await (await picture(size)).toColourspace('rgb16').png().toBuffer()],
    ['alpha.png', await photoPng(size)],
    ['tiny.jpg', await photoJpeg({ width: 40, height: 30 })],
    ['progressive.jpg', await photoJpeg(size, { progressive: true })],
    ['p3.jpg', await plain.withIccProfile('p3').jpeg().toBuffer()],
  ] as const;
  const files = [
    ...orientations,
    ...(await Promise.all(
      others.map(([name, bytes], index) => file(name, bytes, { sequence: orientations.length + index + 1 })),
    )),
  ];
  const batch = await uploaded(files);
  const status = await finish(batch);
  t.is(status.status, 'READY', JSON.stringify(status.assets));
  const saved = await gallery(batch);
  const folder = path.dirname(saved.page);
  const reference = await sharp(await photoJpeg(size))
    .resize(40, 27, { fit: 'fill' })
    .raw()
    .toBuffer();
  for (const { item, stills } of saved.items) {
    const tiny = item.sequence === orientations.length + 4;
    const still = path.join(folder, String(stills.large?.file));
    const facts = await sharp(still).metadata();
    t.like(facts, { width: tiny ? 40 : 900, space: 'srgb', hasAlpha: false });
    t.is(facts.exif, undefined);
    t.is(facts.orientation, undefined);
    if (tiny) continue;
    const pixels = await sharp(still).resize(40, 27, { fit: 'fill' }).raw().toBuffer();
    const difference =
      pixels.reduce((sum, value, i) => sum + Math.abs(value - (reference[i] ?? 0)), 0) / pixels.length;
    t.true(difference < 16, `${item.label}: mean difference ${difference}`);
  }
});

test('one broken photo among 20 spoils nothing, is named, and replacing it makes the batch READY', async (t) => {
  const files = await photos(19);
  const torn = await file('torn.jpg', await brokenPhoto({ width: 800, height: 600 }), {
    sequence: 20,
    title: 'Attic',
  });
  const batch = await uploaded([...files, torn]);
  const failed = await finish(batch);
  t.is(failed.status, 'FAILED');
  t.is(failed.error?.code, 'ASSETS_FAILED');
  t.is(failed.assets.filter(({ status }) => status === 'PROCESSED').length, 19);
  const bad = failed.assets.find(({ status }) => status === 'FAILED');
  t.like(bad, { clientId: 'torn-jpg', title: 'Attic' });
  t.true(
    ['THUMBNAIL_PROCESSING_FAILED', 'UNSUPPORTED_CONTENT', 'VALIDATION_ERROR'].includes(
      String(bad?.errorCode),
    ),
  );
  t.regex(String(bad?.errorMessage), /\w+ .*\.$/);

  const whole = await file('torn.jpg', await photoJpeg({ width: 800, height: 600 }), {
    sequence: 20,
    title: 'Attic',
  });
  await upload(batch, [whole]);
  const mended = await finish(batch);
  t.is(mended.status, 'READY', JSON.stringify(mended));
  t.is((await gallery(batch)).items.length, 20);
});

test('a video that cannot be transcoded is named, spoils nothing, and is an alert', async (t) => {
  const torn = await file(
    'torn.mp4',
    async (to) => {
      await clip(to, { width: 320, height: 180, seconds: 1 });
      await truncate(to, Math.floor((await stat(to)).size / 2));
    },
    { assetType: 'VIDEO_HORIZONTAL' },
  );
  const batch = await uploaded([...(await photos(1)), torn]);
  const failed = await finish(batch);
  t.is(failed.status, 'FAILED');
  t.deepEqual(
    failed.assets.map(({ clientId, status, errorCode }) => [clientId, status, errorCode ?? null]).sort(),
    [
      ['photo-1-jpg', 'PROCESSED', null],
      ['torn-mp4', 'FAILED', 'VIDEO_TRANSCODE_FAILED'],
    ],
  );
  const topic = stack.manifest.topics[0]?.name;
  const published = stack.permissions().usage.find(({ holder }) => holder === topic)?.used ?? [];
  t.deepEqual(
    published.map(({ statement, action }) => `${statement}: ${action}`),
    ['Events: sns:Publish'],
  );
});

test('S3 refuses a wrong byte, length, type, and an edited URL; the right file still passes', async (t) => {
  const listingIdentityId = await stack.addListing();
  const [photo] = await photos(1);
  if (!photo) throw new Error('no photo');
  const { files } = await open({ listingIdentityId }, [photo]);
  const [signed] = files;
  if (!signed) throw new Error('no URL');
  const bytes = await readFile(photo.path);
  const { 'Content-Length': _, ...headers } = signed.headers;
  const attempt = async (url: string, body: Buffer, extra: Record<string, string> = {}) => {
    const response = await fetch(url, { method: 'PUT', headers: { ...headers, ...extra }, body });
    return `${response.status} ${/<Code>(.*?)<\/Code>/.exec(await response.text())?.[1]}`;
  };
  const flipped = Buffer.from(bytes);
  flipped[1000] = (flipped[1000] ?? 0) ^ 1;
  t.regex(await attempt(signed.uploadUrl, flipped), /^400 (BadDigest|XAmzContentChecksumMismatch)/);
  t.regex(await attempt(signed.uploadUrl, bytes.subarray(1)), /^403 SignatureDoesNotMatch/);
  t.regex(
    await attempt(signed.uploadUrl, bytes, { 'content-type': 'image/png' }),
    /^403 SignatureDoesNotMatch/,
  );
  t.regex(await attempt(signed.uploadUrl, bytes, { 'x-amz-tagging': 'stage=public' }), /^403/);
  t.regex(await attempt(signed.uploadUrl.replace('photo-1', 'photo-2'), bytes), /^403 SignatureDoesNotMatch/);
  t.regex(await attempt(signed.uploadUrl.replace('X-Amz-Expires=900', 'X-Amz-Expires=90000'), bytes), /^403/);
  t.regex(
    await attempt(signed.uploadUrl.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20200101'), bytes),
    /^40[03]/,
  );
  t.regex(await attempt(signed.uploadUrl, bytes), /^200/);
});

test("the owner's plan and render of an off-plan house go to READY, signed by the role that may only put those", async (t) => {
  const listingIdentityId = await stack.addListing({ offPlan: true, photographer: null });
  const files = [
    await file('plan.pdf', Buffer.from('%PDF-1.4\n%%EOF\n'), { assetType: 'PROJECT_DOC' }),
    await file('render.jpg', await photoJpeg({ width: 900, height: 600 }), { assetType: 'PROJECT_RENDER' }),
  ];
  const batch = await owner.upload({ listingIdentityId }, files);
  const status = await owner.finish(batch);
  t.is(status.status, 'READY', JSON.stringify(status));
  const { downloads } = await owner.client.downloads(batch);
  const document = downloads.find((group) => group.type === 'PROJECT_DOC');
  const [plan] = document && 'items' in document ? document.items : [];
  t.is(await (await fetch(String(plan?.url))).text(), '%PDF-1.4\n%%EOF\n');
  const listing = await database('listing_identities').where({ id: listingIdentityId }).first();
  t.is(listing.status, 'READY');
});

// after the last test: what all of them together have needed
test.after(
  'nothing was refused, and each permission of any policy was needed or has a reason not to be',
  (t) => {
    const { usage, denied } = stack.permissions();
    t.deepEqual(denied, []);
    const unused = usage.flatMap((holder) => holder.unused);
    const unexplained = unused
      .filter((permission) => !reasonOf(permission, { tested: true }))
      .map(({ holder, statement, action, resource: on }) => `${holder} (${statement}): ${action} on ${on}`);
    t.deepEqual(unexplained, []);
    const idle = UNEXERCISED.filter((exempt) => !exempt.tested && !unused.some((one) => covers(exempt, one)));
    t.deepEqual(
      idle.map(({ reason }) => reason),
      [],
      'an exemption that exempts nothing',
    );
  },
);
