import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketCorsCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  ListPartsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectTaggingCommand,
  RestoreObjectCommand,
  type S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { MEDIA_BUCKET, type S3ServerOptions, startS3 } from '../support/s3.ts';

const MIB = 1_048_576;

async function openS3(t: ExecutionContext, options: S3ServerOptions = {}) {
  const s3 = await startS3(t, options);
  const { client, bucket: Bucket } = s3;
  return {
    ...s3,
    Bucket,
    put: (Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, ...more })),
    head: (Key: string) => client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })),
    get: (Key: string, more: Partial<GetObjectCommandInput> = {}) =>
      client.send(new GetObjectCommand({ Bucket, Key, ...more })),
    async read(Key: string, more: Partial<GetObjectCommandInput> = {}) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    copy: (
      Key: string,
      source: string,
      more: Partial<ConstructorParameters<typeof CopyObjectCommand>[0]> = {},
    ) => client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${source}`, ...more })),
    blobs: () => readdir(join(s3.directory, 'blobs')),
  };
}
type Opened = Awaited<ReturnType<typeof openS3>>;

/** What the SDK throws: its name and HTTP status. */
async function refusal(
  t: ExecutionContext,
  attempt: Promise<unknown>,
): Promise<[string, number | undefined]> {
  const error = await t.throwsAsync<S3ServiceException>(attempt);
  return [error?.name ?? '', error?.$metadata.httpStatusCode];
}

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

test('keys of any kind are kept apart and listed in the order of their UTF-8 bytes', async (t) => {
  const { put, read, client, Bucket } = await openS3(t);
  const fixed = [
    'a/../b',
    'a/./b',
    'a//b',
    '/a',
    'a b',
    'a+b',
    'a%20b',
    'a%2Fb',
    'a?b#c',
    'é',
    'e\u0301',
    '\u{1f3e0}',
    '\uffee',
    '<&">',
  ];
  const wild = fc.sample(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), {
    numRuns: 60,
    seed: 7,
  });
  const keys = [...new Set([...fixed, ...wild])].filter((key) => !/[\ufffe\uffff]/.test(key));
  for (const key of keys) await put(key, `content of ${key}`);
  for (const key of keys) t.is((await read(key)).toString(), `content of ${key}`, key);

  const listed: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 7, ContinuationToken }));
    listed.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  t.deepEqual(
    listed,
    keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  t.deepEqual(await refusal(t, put('k'.repeat(1025), '')), ['KeyTooLongError', 400]);
});

test('a listing rolls up by delimiter, starts after a key and continues on the next page', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const keys = ['1/raw/a', '1/raw/b', '1/raw/sub/c', '1/raw/sub/d', '1/zip', '10/raw/a', '2/raw/a'];
  for (const key of keys) await put(key, 'x');
  const list = async (input: object) => {
    const page = await client.send(new ListObjectsV2Command({ Bucket, ...input }));
    const names = [
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    ];
    return { names, next: page.NextContinuationToken, truncated: page.IsTruncated, count: page.KeyCount };
  };
  t.deepEqual((await list({ Delimiter: '/' })).names, ['1/', '10/', '2/']);
  t.deepEqual((await list({ Prefix: '1/raw/', Delimiter: '/' })).names, ['1/raw/a', '1/raw/b', '1/raw/sub/']);
  t.deepEqual((await list({ Prefix: '1/', StartAfter: '1/raw/b' })).names, [
    '1/raw/sub/c',
    '1/raw/sub/d',
    '1/zip',
  ]);
  const first = await list({ Delimiter: '/', MaxKeys: 1 });
  t.like(first, { names: ['1/'], truncated: true, count: 1 });
  const second = await list({ Delimiter: '/', MaxKeys: 2, ContinuationToken: first.next });
  t.like(second, { names: ['10/', '2/'], truncated: false, next: undefined });
  t.like(await list({ Prefix: 'none' }), { names: [], truncated: false, count: 0 });
  t.deepEqual((await list({ Prefix: '1/raw/', EncodingType: 'url' })).names.length, 4);
  t.deepEqual(await refusal(t, list({ ContinuationToken: '!' })), ['InvalidArgument', 400]);
});

test('any range answers the bytes that RFC 9110 says', async (t) => {
  const { put, url, client, Bucket, get } = await openS3(t);
  const body = randomBytes(1000);
  await put('r', body);
  await put('empty', '');
  const signed = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'r' }));
  t.true(signed.startsWith(url));
  await fc.assert(
    fc.asyncProperty(
      fc.option(fc.nat(1100), { nil: undefined }),
      fc.option(fc.nat(1100), { nil: undefined }),
      async (first, last) => {
        const answer = await fetch(signed, { headers: { range: `bytes=${first ?? ''}-${last ?? ''}` } });
        const bytes = Buffer.from(await answer.arrayBuffer());
        const nonsense = (first === undefined && last === undefined) || (first ?? 0) > (last ?? 2000);
        const start = first ?? Math.max(0, 1000 - (last ?? 0));
        const end = first === undefined ? 1000 : Math.min(1000, (last ?? 999) + 1);
        if (nonsense && first !== undefined) {
          t.deepEqual([answer.status, bytes.length], [200, 1000]);
        } else if (nonsense) {
          t.is(answer.status, 200);
        } else if (start >= end) {
          t.is(answer.status, 416);
        } else {
          t.is(answer.status, 206);
          t.is(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/1000`);
          t.deepEqual(bytes, body.subarray(start, end));
        }
      },
    ),
    { numRuns: 200 },
  );
  t.is((await fetch(signed, { headers: { range: 'bytes=0-1,5-6' } })).status, 200);
  t.deepEqual(await refusal(t, get('empty', { Range: 'bytes=0-0' })), ['InvalidRange', 416]);
  t.is((await get('r', { Range: 'bytes=0-9', ChecksumMode: 'ENABLED' })).ChecksumCRC32, undefined);
});

test('a read keeps its conditions', async (t) => {
  const { put, get } = await openS3(t);
  const { ETag } = await put('c', 'x');
  const past = new Date(Date.now() - 3_600_000);
  const future = new Date(Date.now() + 3_600_000);
  t.is((await get('c', { IfMatch: ETag })).ETag, ETag);
  t.is((await get('c', { IfNoneMatch: '"other"' })).ETag, ETag);
  t.is((await get('c', { IfMatch: ETag, IfUnmodifiedSince: past })).ETag, ETag, 'If-Match goes first');
  t.deepEqual(await refusal(t, get('c', { IfMatch: '"other"' })), ['PreconditionFailed', 412]);
  t.deepEqual(await refusal(t, get('c', { IfUnmodifiedSince: past })), ['PreconditionFailed', 412]);
  t.is((await refusal(t, get('c', { IfNoneMatch: ETag })))[1], 304);
  t.is((await refusal(t, get('c', { IfModifiedSince: future })))[1], 304);
  t.is((await get('c', { IfModifiedSince: past })).ETag, ETag);
});

test('a signed download carries the headers that its URL asks for', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  await put('d', 'x', { ContentType: 'image/jpeg' });
  const ResponseContentDisposition = 'attachment; filename="house by the sea.jpg"';
  const signed = await getSignedUrl(
    client,
    new GetObjectCommand({ Bucket, Key: 'd', ResponseContentDisposition }),
  );
  const answer = await fetch(signed);
  t.is(answer.headers.get('content-disposition'), ResponseContentDisposition);
  t.is(answer.headers.get('content-type'), 'image/jpeg');
  t.is((await fetch(signed.replace('sea', 'lake'))).status, 403);
});

test('a write keeps its conditions', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const { ETag } = await put('w', 'one', { IfNoneMatch: '*' });
  t.deepEqual(await refusal(t, put('w', 'two', { IfNoneMatch: '*' })), ['PreconditionFailed', 412]);
  t.deepEqual(await refusal(t, put('w', 'two', { IfMatch: '"other"' })), ['PreconditionFailed', 412]);
  t.deepEqual(await refusal(t, put('none', 'two', { IfMatch: ETag })), ['NoSuchKey', 404]);
  t.truthy((await put('w', 'two', { IfMatch: ETag })).ETag);
  const remove = client.send(new DeleteObjectCommand({ Bucket, Key: 'w', IfMatch: ETag }));
  t.deepEqual(await refusal(t, remove), ['PreconditionFailed', 412]);
});

test('an object that goes away while its successor is on the way is a conflict', async (t) => {
  const { put, client, Bucket, url } = await openS3(t);
  const { ETag } = await put('w', 'one');
  async function* slowly() {
    yield Buffer.alloc(10_000);
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'w' }));
    yield Buffer.alloc(10_000);
  }
  t.true(url.length > 0);
  const late = client.send(
    new PutObjectCommand({
      Bucket,
      Key: 'w',
      IfMatch: ETag,
      Body: Readable.from(slowly()),
      ContentLength: 20_000,
    }),
  );
  t.deepEqual(await refusal(t, late), ['ConditionalRequestConflict', 409]);
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

test('a listing of versions continues in the middle of a key', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const written: (string | undefined)[] = [];
  for (const key of ['a', 'a', 'a', 'b', 'c/1', 'c/2']) written.push((await put(key, key)).VersionId);
  const seen: (string | undefined)[] = [];
  const prefixes: (string | undefined)[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker) {
    const page: ListObjectVersionsCommandOutput = await client.send(
      new ListObjectVersionsCommand({ Bucket, MaxKeys: 2, Delimiter: '/', ...marker }),
    );
    seen.push(...(page.Versions ?? []).map(({ VersionId }) => VersionId));
    prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix));
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    marker =
      page.IsTruncated && KeyMarker !== undefined
        ? { KeyMarker, ...(VersionIdMarker !== undefined && { VersionIdMarker }) }
        : undefined;
  }
  t.deepEqual(seen, [written[2], written[1], written[0], written[3]]);
  t.deepEqual(prefixes, ['c/']);
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

/** Uploads the parts one by one and returns what Complete needs. */
async function uploadParts(
  { client, Bucket }: Opened,
  Key: string,
  bodies: Buffer[],
  input: Partial<CreateMultipartUploadCommandInput> = {},
) {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...input }));
  const parts: CompletedPart[] = [];
  for (const [i, Body] of bodies.entries()) {
    const { $metadata: _, ...part } = await client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: i + 1,
        Body,
        ...(input.ChecksumAlgorithm && { ChecksumAlgorithm: input.ChecksumAlgorithm }),
      }),
    );
    parts.push({ ...part, PartNumber: i + 1 });
  }
  const complete = (Parts = parts, more = {}) =>
    client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }),
    );
  return { UploadId, parts, complete };
}

test('lib-storage uploads a stream in parts, and the object reads as one', async (t) => {
  const s3 = await openS3(t);
  const body = randomBytes(12 * MIB + 5);
  const pieces = Readable.from(Array.from({ length: 13 }, (_, i) => body.subarray(i * MIB, (i + 1) * MIB)));
  await new Upload({
    client: s3.client,
    params: { Bucket: s3.Bucket, Key: 'multi', Body: pieces, ContentType: 'application/zip', Tagging: 'a=b' },
  }).done();
  const head = await s3.head('multi');
  t.regex(String(head.ETag), /^"[0-9a-f]{32}-3"$/);
  t.like(head, { ContentLength: body.length, ContentType: 'application/zip', ChecksumType: 'COMPOSITE' });
  t.regex(String(head.ChecksumCRC32), /-3$/);
  t.true((await s3.read('multi')).equals(body));
  const across = await s3.read('multi', { Range: `bytes=${5 * MIB - 10}-${10 * MIB + 9}` });
  t.true(across.equals(body.subarray(5 * MIB - 10, 10 * MIB + 10)));
  const third = await s3.get('multi', { PartNumber: 3 });
  t.is(third.PartsCount, 3);
  t.is(third.ContentLength, 2 * MIB + 5);
  await third.Body?.transformToByteArray();
  t.deepEqual(await refusal(t, s3.get('multi', { PartNumber: 4 })), ['InvalidPartNumber', 416]);
  t.deepEqual(
    s3.created.map(({ reason, bytes }) => [reason, bytes]),
    [['CompleteMultipartUpload', body.length]],
  );
});

test('a copy of an object in parts is one in one piece', async (t) => {
  const s3 = await openS3(t);
  const bodies = [randomBytes(5 * MIB), randomBytes(3)];
  await (await uploadParts(s3, 'multi', bodies)).complete();
  await s3.copy('copy', 'multi');
  const head = await s3.head('copy');
  t.regex(String(head.ETag), /^"[0-9a-f]{32}"$/);
  t.is(head.ChecksumType, 'FULL_OBJECT');
  t.true((await s3.read('copy')).equals(Buffer.concat(bodies)));
});

test('a full-object checksum of an upload in parts is checked when it is completed', async (t) => {
  const s3 = await openS3(t);
  const bodies = [randomBytes(5 * MIB), randomBytes(77)];
  const upload = await uploadParts(s3, 'parts', bodies, {
    ChecksumAlgorithm: 'CRC32',
    ChecksumType: 'FULL_OBJECT',
  });
  await s3.put('one piece', Buffer.concat(bodies), { ChecksumAlgorithm: 'CRC32' });
  const { ChecksumCRC32 } = await s3.head('one piece');
  t.deepEqual(await refusal(t, upload.complete(upload.parts, { ChecksumCRC32: 'AAAAAA==' })), [
    'BadDigest',
    400,
  ]);
  t.deepEqual(await refusal(t, upload.complete(upload.parts, { MpuObjectSize: 3 })), ['InvalidRequest', 400]);
  await upload.complete(upload.parts, { ChecksumCRC32 });
  t.like(await s3.head('parts'), { ChecksumCRC32, ChecksumType: 'FULL_OBJECT' });
});

test('an upload in parts is refused as S3 refuses it', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const small = await uploadParts(s3, 'small', [Buffer.from('x'), Buffer.from('y')]);
  t.deepEqual(await refusal(t, small.complete()), ['EntityTooSmall', 400]);
  const [first, last] = small.parts;
  t.deepEqual(await refusal(t, small.complete([{ ...last }, { ...first }])), ['InvalidPartOrder', 400]);
  t.deepEqual(await refusal(t, small.complete([{ ...first, ETag: '"x"' }])), ['InvalidPart', 400]);
  t.deepEqual(
    await refusal(t, small.complete([{ ...first, ChecksumCRC32: undefined }])),
    ['InvalidPart', 400],
    'the checksum that came with the part is missing',
  );
  t.deepEqual(await refusal(t, small.complete([{ ...first, PartNumber: 9 }])), ['InvalidPart', 400]);
  t.deepEqual(await refusal(t, small.complete([])), ['MalformedXML', 400]);

  const sums = await uploadParts(s3, 'sums', [Buffer.from('x')], { ChecksumAlgorithm: 'SHA256' });
  const [{ ETag, PartNumber } = {}] = sums.parts;
  t.deepEqual(
    await refusal(t, sums.complete([{ ETag, PartNumber }])),
    ['InvalidRequest', 400],
    'its checksum is missing',
  );
  const part = { Bucket, Key: 'sums', UploadId: sums.UploadId, PartNumber: 1, Body: 'x' };
  t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, ChecksumAlgorithm: 'CRC32' }))), [
    'InvalidRequest',
    400,
  ]);
  for (const wrong of [0, 10_001]) {
    t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, PartNumber: wrong }))), [
      'InvalidArgument',
      400,
    ]);
  }
  const create = (input: Partial<CreateMultipartUploadCommandInput>) =>
    client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k', ...input }));
  t.deepEqual(await refusal(t, create({ ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' })), [
    'InvalidRequest',
    400,
  ]);
  t.deepEqual(await refusal(t, create({ ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'COMPOSITE' })), [
    'InvalidRequest',
    400,
  ]);
  t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, Key: 'other' }))), [
    'NoSuchUpload',
    404,
  ]);
  t.deepEqual(await refusal(t, s3.head('small')), ['NotFound', 404]);
});

test('a completed upload may be completed again with the same answer, and never differently', async (t) => {
  const s3 = await openS3(t);
  const upload = await uploadParts(s3, 'twice', [Buffer.from('only')]);
  const once = await upload.complete();
  const { $metadata: _, ...again } = await upload.complete();
  t.like(once, again);
  const [first] = upload.parts;
  t.deepEqual(await refusal(t, upload.complete([{ ...first, ETag: '"x"' }])), ['NoSuchUpload', 404]);
  t.is(s3.created.length, 1);
  const { Versions } = await s3.client.send(new ListObjectVersionsCommand({ Bucket: s3.Bucket }));
  t.is(Versions?.length, 1);
});

test('uploads and parts are listed until they are aborted, and then leave nothing', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const one = await uploadParts(s3, 'l/one', [Buffer.from('x'), Buffer.from('yy')]);
  await uploadParts(s3, 'l/two', []);
  const first = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'l/', MaxUploads: 1 }));
  t.like(first, { IsTruncated: true, NextKeyMarker: 'l/one' });
  const second = await client.send(new ListMultipartUploadsCommand({ Bucket, KeyMarker: 'l/one' }));
  t.deepEqual(
    second.Uploads?.map(({ Key }) => Key),
    ['l/two'],
  );
  const address = { Bucket, Key: 'l/one', UploadId: one.UploadId };
  const parts = await client.send(new ListPartsCommand({ ...address, MaxParts: 1 }));
  t.like(parts, { IsTruncated: true, NextPartNumberMarker: '1' });
  t.is(parts.Parts?.[0]?.ETag, one.parts[0]?.ETag);
  const rest = await client.send(new ListPartsCommand({ ...address, PartNumberMarker: '1' }));
  t.deepEqual(
    rest.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
    [[2, 2]],
  );
  t.is((await s3.blobs()).length, 2);
  await client.send(new AbortMultipartUploadCommand(address));
  t.deepEqual(await s3.blobs(), []);
  t.deepEqual(await refusal(t, client.send(new ListPartsCommand(address))), ['NoSuchUpload', 404]);
});

test('parts can be copied from objects, whole or by range', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const source = randomBytes(6 * MIB);
  await s3.put('source', source);
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'target' }));
  const copy = (PartNumber: number, CopySourceRange?: string) =>
    client.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'target',
        UploadId,
        PartNumber,
        CopySource: `${Bucket}/source`,
        CopySourceRange,
      }),
    );
  const whole = await copy(1);
  const range = await copy(2, 'bytes=10-19');
  t.deepEqual(await refusal(t, copy(3, `bytes=0-${source.length}`)), ['InvalidArgument', 400]);
  t.deepEqual(await refusal(t, copy(3, 'bytes=-5')), ['InvalidArgument', 400]);
  const Parts = [whole, range].map(({ CopyPartResult }, i) => ({
    PartNumber: i + 1,
    ETag: CopyPartResult?.ETag,
  }));
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key: 'target', UploadId, MultipartUpload: { Parts } }),
  );
  t.true((await s3.read('target')).equals(Buffer.concat([source, source.subarray(10, 20)])));
});

test('attributes tell size, checksum and parts', async (t) => {
  const s3 = await openS3(t);
  const attributes = (Key: string) =>
    s3.client.send(
      new GetObjectAttributesCommand({
        Bucket: s3.Bucket,
        Key,
        ObjectAttributes: ['ETag', 'Checksum', 'ObjectParts', 'ObjectSize', 'StorageClass'],
      }),
    );
  const bodies = [randomBytes(5 * MIB), randomBytes(9)];
  const upload = await uploadParts(s3, 'parts', bodies, { ChecksumAlgorithm: 'SHA256' });
  const { ETag } = await upload.complete();
  const found = await attributes('parts');
  t.like(found, { ETag: ETag?.replaceAll('"', ''), ObjectSize: 5 * MIB + 9, StorageClass: 'STANDARD' });
  t.is(found.Checksum?.ChecksumType, 'COMPOSITE');
  t.is(found.ObjectParts?.TotalPartsCount, 2);
  t.deepEqual(
    found.ObjectParts?.Parts?.map(({ Size, ChecksumSHA256 }) => [Size, ChecksumSHA256]),
    [
      [5 * MIB, upload.parts[0]?.ChecksumSHA256],
      [9, upload.parts[1]?.ChecksumSHA256],
    ],
  );
  await s3.put('single', 'x', { ChecksumAlgorithm: 'SHA256' });
  t.like(await attributes('single'), { ObjectSize: 1, ObjectParts: undefined });
});

test('a bucket tells where it is and what is declared of it', async (t) => {
  const { client, Bucket } = await openS3(t);
  t.deepEqual(
    (await client.send(new ListBucketsCommand())).Buckets?.map(({ Name }) => Name),
    [Bucket],
  );
  t.is((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1');
  t.falsy((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint);
  t.is((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status, 'Enabled');
  const { CORSRules } = await client.send(new GetBucketCorsCommand({ Bucket }));
  t.deepEqual(CORSRules?.[0]?.AllowedOrigins, MEDIA_BUCKET.cors[0]?.allowedOrigins);
  const other = { Bucket: 'other', Key: 'k' };
  t.deepEqual(await refusal(t, client.send(new HeadBucketCommand(other))), ['NotFound', 404]);
  t.deepEqual(await refusal(t, client.send(new PutObjectCommand({ ...other, Body: 'x' }))), [
    'NoSuchBucket',
    404,
  ]);
});

test('what the local S3 does not have it refuses, rather than do something else', async (t) => {
  const { client, Bucket, put } = await openS3(t);
  await put('k', 'x');
  t.is((await refusal(t, client.send(new GetObjectAclCommand({ Bucket, Key: 'k' }))))[1], 501);
  t.is((await refusal(t, client.send(new RestoreObjectCommand({ Bucket, Key: 'k' }))))[1], 501);
  t.deepEqual(await refusal(t, put('k', 'x', { ACL: 'public-read' })), [
    'AccessControlListNotSupported',
    400,
  ]);
  t.is((await refusal(t, put('k', 'x', { ObjectLockMode: 'GOVERNANCE' })))[1], 501);
  t.deepEqual(await refusal(t, put('k', 'x', { StorageClass: 'CHEAP' as never })), [
    'InvalidStorageClass',
    400,
  ]);
});

test('a browser may do what the declared CORS rules allow, and reads refusals too', async (t) => {
  const { url, client, Bucket } = await openS3(t);
  const preflight = (origin: string, method: string, headers = 'content-type, X-Amz-Checksum-Sha256') =>
    fetch(`${url}/${Bucket}/k`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers },
    });
  const allowed = await preflight('https://app.example.com', 'PUT');
  t.is(allowed.status, 200);
  t.is(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com');
  t.is(allowed.headers.get('access-control-allow-headers'), 'content-type, x-amz-checksum-sha256');
  t.is(allowed.headers.get('access-control-max-age'), '3600');
  t.is((await preflight('https://pr-7.preview.example.com', 'GET')).status, 200);
  t.is((await preflight('https://evil.example.com', 'PUT')).status, 403);
  t.is((await preflight('https://app.example.com', 'DELETE')).status, 403);
  t.is((await preflight('https://app.example.com', 'PUT', 'x-amz-acl')).status, 403);
  t.is((await fetch(`${url}/${Bucket}/k`, { method: 'OPTIONS' })).status, 400);

  const headers = { origin: 'https://app.example.com' };
  const signed = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'none' }));
  for (const target of [signed, signed.replace(/Signature=../, 'Signature=00')]) {
    const answer = await fetch(target, { headers });
    t.true(answer.status >= 400);
    t.is(answer.headers.get('access-control-allow-origin'), headers.origin);
    t.is(answer.headers.get('access-control-expose-headers'), 'ETag, x-amz-checksum-sha256');
  }
  const foreign = await fetch(signed, { headers: { origin: 'https://evil.example.com' } });
  t.is(foreign.headers.get('access-control-allow-origin'), null);
});

test('objects, versions and open uploads outlive a restart, and the rest of a crash is cleared', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'toq-s3-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const before = await startS3(undefined, { directory });
  const Bucket = before.bucket;
  await before.client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'kept', Tagging: 'a=b' }));
  const { UploadId } = await before.client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'open' }));
  const part = { Bucket, Key: 'open', UploadId, PartNumber: 1 };
  const { ETag, ChecksumCRC32 } = await before.client.send(new UploadPartCommand({ ...part, Body: 'part' }));
  await before.close();
  await writeFile(join(directory, 'blobs', 'half-written'), 'half');

  const s3 = await openS3(t, { directory });
  t.is((await s3.read('kept')).toString(), 'kept');
  t.is((await s3.head('kept')).TagCount, 1);
  t.is((await s3.blobs()).length, 2, 'the half-written one is gone');
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

test('a reader finishes with the bytes it began with, whatever is written meanwhile', async (t) => {
  const { put, get, head, blobs } = await openS3(t, { bucket: { versioned: false } });
  const body = randomBytes(8 * MIB);
  await put('r', body);
  const { Body } = await get('r');
  await put('r', 'new');
  t.true(body.equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0)));
  t.is((await head('r')).ContentLength, 3);
  while ((await blobs()).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
});
