import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import test from 'ava';
import { validate } from '../../lambdas/validate.ts';
import { type Asset, Validate } from '../../statemachines/contracts.ts';
import { faultyProxy } from '../support/faulty-proxy.ts';
import { type Listing, mp4, newListing, pdf } from '../support/listing-objects.ts';
import { orientedJpeg, quadrants } from '../support/quadrants.ts';
import { type S3Server, startS3 } from '../support/s3.ts';

let s3: S3Server;
test.before(async () => {
  s3 = await startS3();
});
test.after.always(() => s3.close());

const validated = async (listing: Listing, assets: Asset[]) =>
  Validate.output.parse(await validate(listing.objects())(listing.machineInput(assets)));

test('good originals are sorted into images, with documents, and videos with their addresses', async (t) => {
  const listing = newListing(s3);
  const photo = await listing.upload('PHOTO_VERTICAL', 'a.jpg', await orientedJpeg(60, 40, 6), 'image/jpeg');
  const heic = await listing.upload(
    'PHOTO_HORIZONTAL',
    'b.heic',
    await readFile(path.join(import.meta.dirname, 'fixtures/phone.heic')),
    'image/heic',
  );
  const doc = await listing.upload('PROJECT_DOC', 'plan.pdf', pdf, 'application/pdf');
  const video = await listing.upload('VIDEO_VERTICAL', 'tour.mp4', mp4, 'video/mp4');
  t.deepEqual(await validated(listing, [photo, video, heic, doc]), {
    images: [photo, heic, doc],
    videos: [
      {
        ...video,
        input: `s3://${s3.bucket}/${video.key}`,
        destination: `s3://${s3.bucket}/${listing.id}/processed/video/vertical/original/`,
      },
    ],
    errors: [],
  });
});

test('each bad original is named with its reason, and the good ones go on', async (t) => {
  const listing = newListing(s3);
  const photo = (name: string, content: Buffer, changes?: Partial<PutObjectCommandInput>) =>
    listing.upload('PHOTO_HORIZONTAL', name, content, 'image/jpeg', changes);
  const jpeg = await orientedJpeg(60, 40, 1);
  const huge = Buffer.from(jpeg);
  const frame = huge.indexOf(Buffer.from([0xff, 0xc0]));
  huge.writeUInt16BE(20_000, frame + 5);
  huge.writeUInt16BE(20_000, frame + 7);
  const good = await photo('good.jpg', jpeg);
  const bad: Record<string, [Asset, string, RegExp]> = {
    missing: [
      { ...good, key: `${listing.id}/raw/photo/horizontal/r-gone.jpg` },
      'VALIDATION_ERROR',
      /r-gone\.jpg is not in/,
    ],
    empty: [
      { key: (await photo('empty.jpg', Buffer.alloc(0))).key, type: good.type },
      'VALIDATION_ERROR',
      /is empty/,
    ],
    size: [{ ...(await photo('size.jpg', jpeg)), bytes: 9 }, 'VALIDATION_ERROR', /instead of 9/],
    checksum: [
      { ...(await photo('sum.jpg', jpeg)), checksumSha256: 'a'.repeat(64) },
      'VALIDATION_ERROR',
      /not the file that was announced/,
    ],
    gif: [
      await photo('gif.jpg', await quadrants(9, 9).gif().toBuffer()),
      'UNSUPPORTED_CONTENT',
      /is image\/gif, not a JPEG/,
    ],
    svg: [await photo('svg.jpg', Buffer.from('<svg/>')), 'UNSUPPORTED_CONTENT', /unknown kind/],
    lie: [
      await photo('lie.jpg', await quadrants(9, 9).png().toBuffer()),
      'UNSUPPORTED_CONTENT',
      /uploaded as image\/jpeg but is image\/png/,
    ],
    huge: [await photo('huge.jpg', huge), 'IMAGE_TOO_LARGE', /400 megapixels/],
    headless: [await photo('cut.jpg', jpeg.subarray(0, 40)), 'UNSUPPORTED_CONTENT', /damaged/],
    video: [
      await listing.upload('VIDEO_VERTICAL', 'v.mp4', jpeg, 'video/mp4'),
      'UNSUPPORTED_CONTENT',
      /MP4 or MOV/,
    ],
    document: [
      await listing.upload('PROJECT_DOC', 'd.pdf', Buffer.from('MZ'), 'application/pdf'),
      'UNSUPPORTED_CONTENT',
      /PDF/,
    ],
    archived: [await photo('old.jpg', jpeg, { StorageClass: 'GLACIER' }), 'RAW_ARCHIVED', /in the archive/],
  };
  const { images, videos, errors } = await validated(listing, [
    ...Object.values(bad).map(([asset]) => asset),
    good,
  ]);
  t.deepEqual(images, [good]);
  t.deepEqual(videos, []);
  for (const [index, [name, [asset, code, sentence]]] of Object.entries(bad).entries()) {
    t.like(errors[index], { sourceKey: asset.key, errorCode: code }, name);
    t.regex(errors[index]?.errorMessage ?? '', sentence, name);
  }
});

test('the size of a photo is found behind a megabyte of metadata', async (t) => {
  const listing = newListing(s3);
  const jpeg = await orientedJpeg(60, 40, 1);
  const segment = Buffer.alloc(65_537, 0x20);
  segment.set([0xff, 0xe2, 0xff, 0xff]);
  const long = Buffer.concat([jpeg.subarray(0, 2), ...Array<Buffer>(20).fill(segment), jpeg.subarray(2)]);
  const asset = await listing.upload('PHOTO_HORIZONTAL', 'meta.jpg', long, 'image/jpeg');
  t.like(await validated(listing, [asset]), { images: [asset], errors: [] });
});

test('weather in S3 fails the whole task, so that it is tried again', async (t) => {
  const listing = newListing(s3);
  const asset = await listing.upload(
    'PHOTO_VERTICAL',
    'b.jpg',
    await orientedJpeg(600, 400, 1),
    'image/jpeg',
  );
  const run = async (method: string) => {
    const url = await faultyProxy(t, s3.url, (request, response) => {
      if (request.method !== method) return undefined;
      response.writeHead(503).end();
      return true;
    });
    return validate(listing.objects(url))(listing.machineInput([asset]));
  };
  await t.throwsAsync(run('HEAD'));
  await t.throwsAsync(run('GET'));
});
