import { GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import sharp from 'sharp';
import { thumbnails } from '../../lambdas/thumbnails.ts';
import { samples, Thumbnails } from '../../statemachines/contracts.ts';
import { copyKey, posterKeys, variantKeys, videoKeys } from '../../statemachines/object-keys.ts';
import { faultyProxy } from '../support/faulty-proxy.ts';
import { mp4, newListing, pdf } from '../support/listing-objects.ts';
import { orientedJpeg, quadrants } from '../support/quadrants.ts';
import { type S3Server, startS3 } from '../support/s3.ts';

let s3: S3Server;
test.before(async () => {
  s3 = await startS3();
});
test.after.always(() => s3.close());

const trace = { traceparent: samples.machineInput.traceparent };

test('a photo gets four JPEGs under their keys; its own pixels are told', async (t) => {
  const listing = newListing(s3);
  const asset = await listing.upload(
    'PHOTO_VERTICAL',
    'IMG 1.JPG',
    await orientedJpeg(1500, 1000, 6),
    'image/jpeg',
  );
  const output = Thumbnails.output.parse(await thumbnails(listing.objects())({ asset, ...trace }));
  t.deepEqual(output, { rawKey: asset.key, variants: variantKeys(asset.key), width: 1000, height: 1500 });
  for (const key of Object.values(output.variants)) {
    const head = await listing.head(key);
    t.like(head, { ContentType: 'image/jpeg', CacheControl: 'private, max-age=3600' });
  }
  t.is((await sharp(await listing.get(output.variants.medium ?? '')).metadata()).height, 1200);
});

test('a damaged photo leaves no variant behind', async (t) => {
  const listing = newListing(s3);
  const whole = await orientedJpeg(1500, 1000, 1);
  const asset = await listing.upload(
    'PHOTO_VERTICAL',
    'x.jpg',
    whole.subarray(0, whole.length / 2),
    'image/jpeg',
  );
  await t.throwsAsync(thumbnails(listing.objects())({ asset, ...trace }), {
    name: 'THUMBNAIL_PROCESSING_FAILED',
  });
  t.deepEqual(await listing.processed(), []);
});

test('a document is copied with its type and without the tag that archives originals', async (t) => {
  const listing = newListing(s3);
  const asset = await listing.upload('PROJECT_DOC', 'Planta (1).pdf', pdf, 'application/pdf', {
    Metadata: { origin: 'owner' },
  });
  const output = Thumbnails.output.parse(await thumbnails(listing.objects())({ asset, ...trace }));
  t.deepEqual(output, { rawKey: asset.key, variants: { original: copyKey(asset.key) } });
  const target = { Bucket: s3.bucket, Key: copyKey(asset.key) };
  t.like(await listing.head(target.Key), {
    ContentType: 'application/pdf',
    Metadata: { origin: 'owner' },
  });
  t.deepEqual((await s3.client.send(new GetObjectTaggingCommand(target))).TagSet, []);
  t.deepEqual(await listing.get(copyKey(asset.key)), pdf);
});

test('a video gets the sizes of its poster frame beside its MP4s', async (t) => {
  const listing = newListing(s3);
  const asset = await listing.upload('VIDEO_VERTICAL', 'tour.mov', mp4, 'video/quicktime');
  const transcode = {
    outputDetails: [
      { DurationInMs: 800, VideoDetails: { WidthInPx: 720, HeightInPx: 1280 } },
      { DurationInMs: 800, VideoDetails: { WidthInPx: 1080, HeightInPx: 1920 } },
    ],
  };
  const run = () => thumbnails(listing.objects())({ asset, transcode, ...trace });
  await t.throwsAsync(run(), { name: 'VIDEO_THUMBNAIL_FAILED', message: /converted version of .*tour\.mov/ });

  for (const key of Object.values(videoKeys(asset.key))) await listing.put(key, mp4);
  await t.throwsAsync(run(), { name: 'VIDEO_THUMBNAIL_FAILED', message: /preview image of .*tour\.mov/ });

  // a clip shorter than a second has only its first frame
  await listing.put(posterKeys(asset.key)[1] ?? '', await quadrants(1080, 1920).jpeg().toBuffer());
  t.deepEqual(Thumbnails.output.parse(await run()), {
    rawKey: asset.key,
    variants: { ...variantKeys(asset.key), ...videoKeys(asset.key) },
    width: 1080,
    height: 1920,
    durationSeconds: 0.8,
  });
  const large = await sharp(await listing.get(variantKeys(asset.key).large)).metadata();
  t.like(large, { width: 1080, height: 1920 });
});

test('an original that is gone or archived since is told as such', async (t) => {
  const listing = newListing(s3);
  const jpeg = await orientedJpeg(60, 40, 1);
  const old = await listing.upload('PHOTO_VERTICAL', 'old.jpg', jpeg, 'image/jpeg', {
    StorageClass: 'GLACIER',
  });
  const gone = { key: `${listing.id}/raw/photo/vertical/r-gone.jpg`, type: 'PHOTO_VERTICAL' } as const;
  await t.throwsAsync(thumbnails(listing.objects())({ asset: old, ...trace }), {
    name: 'RAW_ARCHIVED',
    message: /old\.jpg/,
  });
  await t.throwsAsync(thumbnails(listing.objects())({ asset: gone, ...trace }), {
    name: 'VALIDATION_ERROR',
    message: /gone\.jpg/,
  });
  const doc = { key: `${listing.id}/raw/project/doc/r-gone.pdf`, type: 'PROJECT_DOC' } as const;
  await t.throwsAsync(thumbnails(listing.objects())({ asset: doc, ...trace }), {
    name: 'VALIDATION_ERROR',
    message: /gone\.pdf/,
  });
});

test('a connection that breaks is weather, not a damaged photo', async (t) => {
  const listing = newListing(s3);
  const asset = await listing.upload(
    'PHOTO_VERTICAL',
    'b.jpg',
    await orientedJpeg(600, 400, 1),
    'image/jpeg',
  );
  const url = await faultyProxy(t, s3.url, (request) =>
    request.method === 'GET' ? { cutAfter: 100 } : undefined,
  );
  const error = await t.throwsAsync(thumbnails(listing.objects(url))({ asset, ...trace }));
  t.notRegex(error?.name ?? '', /^[A-Z_]+$/);
});
