import { randomBytes } from 'node:crypto';
import test from 'ava';
import { zip } from '../../lambdas/zip.ts';
import { Zip } from '../../statemachines/contracts.ts';
import { type Fault, faultyProxy } from '../support/faulty-proxy.ts';
import { newListing } from '../support/listing-objects.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { entries } from '../support/zip.ts';

let s3: S3Server;
test.before(async () => {
  s3 = await startS3();
});
test.after.always(() => s3.close());

test('the bundle holds the originals of the listing in order, with names and dates, and is replaced', async (t) => {
  const listing = newListing(s3);
  const contents = [randomBytes(100_000), randomBytes(9_000_000), randomBytes(12_000_000), Buffer.alloc(1)];
  const assets = await Promise.all(
    contents.map((content, index) =>
      listing.upload(
        index === 2 ? 'VIDEO_VERTICAL' : 'PHOTO_HORIZONTAL',
        `f${index}.jpg`,
        content,
        'image/jpeg',
      ),
    ),
  );
  const output = Zip.output.parse(await zip(listing.objects())(listing.machineInput(assets)));
  const archive = await listing.get(output.zipKey);
  t.deepEqual(output, {
    zipKey: `${listing.id}/processed/zip/listing-media.zip`,
    zipBundles: [`${listing.id}/processed/zip/listing-media.zip`],
    assetsZipped: 4,
    zipSizeBytes: archive.length,
    unzippedSizeBytes: 21_100_001,
  });
  const found = await entries(archive);
  t.deepEqual(
    found.map((entry) => entry.name),
    assets.map((asset) => asset.key.replace(`${listing.id}/raw/`, '')),
  );
  t.true(found.every((entry, index) => entry.content.equals(contents[index] ?? Buffer.alloc(0))));
  const first = await listing.head(assets[0]?.key ?? '');
  const modified = (first.LastModified?.getTime() ?? 0) / 1000;
  t.true(Math.abs((found[0]?.modified.getTime() ?? 0) / 1000 - modified) <= 2, 'DOS times have two seconds');
  const head = await listing.head(output.zipKey);
  t.is(head.ContentType, 'application/zip');

  t.is((await zip(listing.objects())(listing.machineInput(assets.slice(0, 1)))).assetsZipped, 1);
  t.is((await entries(await listing.get(output.zipKey))).length, 1);
});

test('a missing or archived original fails the bundle by name; nothing half-made is left', async (t) => {
  const listing = newListing(s3);
  const big = await listing.upload('VIDEO_VERTICAL', 'a.mp4', randomBytes(20_000_000), 'video/mp4');
  const old = await listing.upload('PHOTO_VERTICAL', 'old.jpg', randomBytes(10), 'image/jpeg', {
    StorageClass: 'GLACIER',
  });
  const gone = { key: `${listing.id}/raw/photo/vertical/r-gone.jpg`, type: 'PHOTO_VERTICAL' } as const;
  await t.throwsAsync(zip(listing.objects())(listing.machineInput([big, big, gone])), {
    name: 'VALIDATION_ERROR',
    message: /r-gone\.jpg is not in the storage/,
  });
  await t.throwsAsync(zip(listing.objects())(listing.machineInput([big, old])), {
    name: 'RAW_ARCHIVED',
    message: /old\.jpg/,
  });
  t.deepEqual(await listing.processed(), []);
  t.is((await listing.unfinished()).length, 0);
});

test('weather in S3 is thrown as weather, and nothing half-made is left', async (t) => {
  const listing = newListing(s3);
  const big = await listing.upload('VIDEO_VERTICAL', 'a.mp4', randomBytes(20_000_000), 'video/mp4');
  const small = await listing.upload('PHOTO_VERTICAL', 'b.jpg', randomBytes(9), 'image/jpeg');
  const input = listing.machineInput([small, big, small]);

  const faults: Record<string, (method: string, url: string) => Fault> = {
    'an original breaks off': (method, url) =>
      method === 'GET' && url.includes('a.mp4') ? { cutAfter: 3_000_000 } : undefined,
    'a part is not answered': (method, url) =>
      method === 'PUT' && url.includes('partNumber=2') ? { cutAfter: 0 } : undefined,
    'the completion is not answered': (method, url) =>
      method === 'POST' && url.includes('uploadId=') ? true : undefined,
  };
  for (const [name, fault] of Object.entries(faults)) {
    const url = await faultyProxy(t, s3.url, (request, response) => {
      const planned = fault(request.method ?? '', request.url ?? '');
      if (planned === true) response.writeHead(503).end();
      return planned;
    });
    const error = await t.throwsAsync(zip(listing.objects(url))(input), undefined, name);
    t.notRegex(error?.name ?? '', /^[A-Z_]+$/, name);
    t.deepEqual(await listing.unfinished(), [], name);
    t.deepEqual(await listing.processed(), [], name);
  }
});
