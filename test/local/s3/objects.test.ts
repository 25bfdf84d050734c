import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import test from 'ava';
import { MEDIA_BUCKET, startS3 } from '../../support/s3.ts';
import { openS3, refusal } from '../../support/s3-objects.ts';

test('an object comes back with its bytes, metadata, tags and encryption', async (t) => {
  const { put, head, get, Bucket, client } = await openS3(t);
  const stored = await put('a.jpg', 'bytes', {
    ContentType: 'image/jpeg',
    CacheControl: 'max-age=60',
    ContentDisposition: 'inline',
    Metadata: { 'batch-id': '7', empty: '' },
    Tagging: 'stage=raw&room=living%20room',
  });
  const known = {
    ServerSideEncryption: 'aws:kms',
    SSEKMSKeyId: MEDIA_BUCKET.kmsKeyArn ?? '',
    BucketKeyEnabled: true,
    VersionId: stored.VersionId ?? '',
    ETag: stored.ETag ?? '',
  } as const;
  t.like(stored, known);
  t.not(
    stored.ETag,
    `"${createHash('md5').update('bytes').digest('hex')}"`,
    'under aws:kms an ETag is no MD5',
  );
  for (const answer of [await head('a.jpg'), await get('a.jpg')]) {
    t.like(answer, {
      ...known,
      ContentType: 'image/jpeg',
      CacheControl: 'max-age=60',
      ContentDisposition: 'inline',
      ContentLength: 5,
      AcceptRanges: 'bytes',
      Metadata: { 'batch-id': '7', empty: '' },
    });
  }
  t.is((await get('a.jpg')).TagCount, 2);
  const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'a.jpg' }));
  t.deepEqual(TagSet, [
    { Key: 'stage', Value: 'raw' },
    { Key: 'room', Value: 'living room' },
  ]);
});

test('a bucket without a key or versions encrypts by AES256, its ETag is the MD5, and it speaks of no versions', async (t) => {
  const { put, head, blobs, client, Bucket } = await openS3(t, {
    bucket: { versioned: false, kmsKeyArn: undefined },
  });
  await put('a', 'one');
  const stored = await put('a', 'two');
  t.is(stored.ETag, `"${createHash('md5').update('two').digest('hex')}"`);
  t.is(stored.VersionId, undefined);
  t.is((await head('a')).ServerSideEncryption, 'AES256');
  t.is((await blobs()).length, 1, 'what was overwritten is gone from the disk');
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
  t.deepEqual(await blobs(), []);
  t.deepEqual(await refusal(t, head('a')), ['NotFound', 404]);
});

test('versions are kept, hidden by a delete marker, and removed one by one', async (t) => {
  const { put, read, head, get, client, Bucket, blobs } = await openS3(t);
  const first = await put('v', 'one');
  const second = await put('v', 'two');
  const marker = await client.send(new DeleteObjectCommand({ Bucket, Key: 'v' }));
  t.true(marker.DeleteMarker);
  t.deepEqual(await refusal(t, head('v')), ['NotFound', 404]);
  t.deepEqual(await refusal(t, get('v')), ['NoSuchKey', 404]);
  t.deepEqual(await refusal(t, get('v', { VersionId: marker.VersionId })), ['MethodNotAllowed', 405]);
  t.deepEqual(await refusal(t, get('v', { VersionId: 'unknown' })), ['NoSuchVersion', 404]);
  t.is((await read('v', { VersionId: first.VersionId })).toString(), 'one');

  const { Versions, DeleteMarkers } = await client.send(new ListObjectVersionsCommand({ Bucket }));
  t.deepEqual(
    Versions?.map(({ VersionId }) => VersionId),
    [second.VersionId, first.VersionId],
  );
  t.like(DeleteMarkers?.[0], { VersionId: marker.VersionId, IsLatest: true });

  await client.send(new DeleteObjectCommand({ Bucket, Key: 'v', VersionId: marker.VersionId }));
  t.is((await read('v')).toString(), 'two', 'without its marker the object is back');
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'v', VersionId: second.VersionId }));
  t.is((await read('v')).toString(), 'one');
  t.is((await blobs()).length, 1);
  const gone = await client.send(
    new DeleteObjectsCommand({
      Bucket,
      Delete: { Objects: [{ Key: 'v', VersionId: first.VersionId }, { Key: 'a<&>\r\nb' }], Quiet: true },
    }),
  );
  t.is(gone.Deleted, undefined);
  t.deepEqual(await blobs(), []);
});

test('tags can be replaced and removed, within the limits of S3', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  await put('t', 'x', { Tagging: 'stage=raw' });
  const set = (tags: Record<string, string>) =>
    client.send(
      new PutObjectTaggingCommand({
        Bucket,
        Key: 't',
        Tagging: { TagSet: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
      }),
    );
  const tags = async () => (await client.send(new GetObjectTaggingCommand({ Bucket, Key: 't' }))).TagSet;
  await set({ stage: 'archived', 'a b': '' });
  t.deepEqual(await tags(), [
    { Key: 'stage', Value: 'archived' },
    { Key: 'a b', Value: '' },
  ]);
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, 'v']));
  t.deepEqual(await refusal(t, set(many)), ['BadRequest', 400]);
  t.deepEqual(await refusal(t, set({ k: 'v'.repeat(257) })), ['InvalidTag', 400]);
  t.deepEqual(await refusal(t, put('u', 'x', { Tagging: 'a=1&a=2' })), ['InvalidTag', 400]);
  await set({});
  t.deepEqual(await tags(), []);
  await set({ a: 'b' });
  await client.send(new DeleteObjectTaggingCommand({ Bucket, Key: 't' }));
  t.deepEqual(await tags(), []);
});

test('a copy takes bytes, metadata and tags along, or new ones', async (t) => {
  const { put, copy, head, read, created } = await openS3(t);
  const source = 'a b+ü%.jpg';
  const encoded = encodeURIComponent(source);
  const { ETag, VersionId } = await put(source, 'picture', {
    ContentType: 'image/jpeg',
    Metadata: { a: '1' },
    Tagging: 'stage=raw',
    ChecksumAlgorithm: 'SHA256',
  });
  const { CopyObjectResult, CopySourceVersionId } = await copy('same', encoded);
  t.is(CopySourceVersionId, VersionId);
  const original = await head(source);
  const same = await head('same');
  t.is(CopyObjectResult?.ETag, same.ETag);
  t.like(same, {
    ContentType: 'image/jpeg',
    Metadata: { a: '1' },
    TagCount: 1,
    ChecksumSHA256: original.ChecksumSHA256 ?? '',
  });
  t.is(created.at(-1)?.reason, 'Copy');

  await copy('new', encoded, {
    MetadataDirective: 'REPLACE',
    TaggingDirective: 'REPLACE',
    ContentType: 'image/png',
    Tagging: 'a=b&c=d',
    ChecksumAlgorithm: 'CRC32C',
  });
  const renewed = await head('new');
  t.like(renewed, { ContentType: 'image/png', Metadata: {}, TagCount: 2, ChecksumSHA256: undefined });
  t.truthy(renewed.ChecksumCRC32C);
  t.is((await read('new')).toString(), 'picture');

  t.truthy(await copy('if', encoded, { CopySourceIfMatch: ETag }));
  t.deepEqual(await refusal(t, copy('if', encoded, { CopySourceIfMatch: '"x"' })), [
    'PreconditionFailed',
    412,
  ]);
  t.deepEqual(await refusal(t, copy('if', encoded, { CopySourceIfNoneMatch: ETag })), [
    'PreconditionFailed',
    412,
  ]);
  t.deepEqual(await refusal(t, copy('if', 'none')), ['NoSuchKey', 404]);
  t.deepEqual(await refusal(t, copy(source, encoded)), ['InvalidRequest', 400]);
});

test('an archived object can be seen but neither read nor copied', async (t) => {
  const { put, copy, head, get, client, Bucket } = await openS3(t);
  await put('old', 'x');
  await copy('old', 'old', { StorageClass: 'GLACIER' });
  t.is((await head('old')).StorageClass, 'GLACIER');
  t.deepEqual(await refusal(t, get('old')), ['InvalidObjectState', 403]);
  t.deepEqual(await refusal(t, copy('new', 'old')), ['InvalidObjectState', 403]);
  await put('archived at once', 'x', { StorageClass: 'GLACIER' });
  t.deepEqual(await refusal(t, get('archived at once')), ['InvalidObjectState', 403]);
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'old' }));
  t.is(Contents?.[0]?.StorageClass, 'GLACIER');
});

test('objects, versions and open uploads outlive a restart, and the rest of a crash is cleared', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'toq-s3-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const before = await startS3(undefined, { directory });
  const Bucket = before.bucket;
  const put = (Body: string) =>
    before.client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body, Tagging: 'a=b' }));
  const { VersionId } = await put('first');
  await put('kept');
  const { UploadId } = await before.client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'open' }));
  const part = { Bucket, Key: 'open', UploadId, PartNumber: 1 };
  const { ETag, ChecksumCRC32 } = await before.client.send(new UploadPartCommand({ ...part, Body: 'part' }));
  await before.close();
  await writeFile(join(directory, 'blobs', 'half-written'), 'half');

  const s3 = await openS3(t, { directory });
  t.is((await s3.read('kept')).toString(), 'kept');
  t.is((await s3.read('kept', { VersionId })).toString(), 'first');
  t.is((await s3.head('kept')).TagCount, 1);
  t.is((await s3.blobs()).length, 3, 'the half-written one is gone');
  await s3.client.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: 'open',
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag, ChecksumCRC32 }] },
    }),
  );
  t.is((await s3.read('open')).toString(), 'part');
});
