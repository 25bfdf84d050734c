import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { DeleteObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import test from 'ava';
import { assertNothingStored, checksumOf, openS3, refusal } from '../../support/s3-objects.ts';
import { exchange, headerLines, signByHeader, type WireRequest } from '../../support/wire.ts';

const PHOTO = Buffer.from('a photograph of a house by the sea');

/** As the service signs an upload. */
function presignUpload(client: S3Client, bucket: string) {
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: '7/raw/photo/vertical/vertical-01-house.jpg',
    ContentType: 'image/jpeg',
    ContentLength: PHOTO.length,
    ChecksumSHA256: checksumOf('SHA256', PHOTO),
    Tagging: 'stage=raw',
  });
  const kept = ['x-amz-checksum-sha256', 'x-amz-tagging'];
  return getSignedUrl(client, command, {
    expiresIn: 900,
    unhoistableHeaders: new Set(kept),
    signableHeaders: new Set(['host', 'content-type', 'content-length', ...kept]),
  });
}

const UPLOAD_HEADERS = {
  'content-type': 'image/jpeg',
  'x-amz-checksum-sha256': checksumOf('SHA256', PHOTO),
  'x-amz-tagging': 'stage=raw',
};

async function upload(url: string, body: Buffer, headers: Record<string, string> = UPLOAD_HEADERS) {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers });
  const answer = await response.text();
  return {
    status: response.status,
    code: /<Code>(.*?)<\/Code>/.exec(answer)?.[1],
    answer,
    headers: response.headers,
  };
}

test('a signed upload takes exactly what was signed for', async (t) => {
  const s3 = await openS3(t);
  const url = await presignUpload(s3.client, s3.bucket);
  t.is(
    new URL(url).searchParams.get('X-Amz-SignedHeaders'),
    'content-length;content-type;host;x-amz-checksum-sha256;x-amz-tagging',
  );
  const answer = await upload(url, PHOTO);
  t.is(answer.status, 200, answer.answer);
  t.is(answer.headers.get('x-amz-checksum-sha256'), UPLOAD_HEADERS['x-amz-checksum-sha256']);
  const head = await s3.client.send(
    new HeadObjectCommand({ Bucket: s3.bucket, Key: s3.created[0]?.key, ChecksumMode: 'ENABLED' }),
  );
  t.like(head, {
    ContentLength: PHOTO.length,
    ContentType: 'image/jpeg',
    ChecksumSHA256: UPLOAD_HEADERS['x-amz-checksum-sha256'],
    ETag: answer.headers.get('etag') ?? '',
  });
});

test('a signed upload of other bytes, length, type or tags is refused and stores nothing', async (t) => {
  const s3 = await openS3(t);
  const url = await presignUpload(s3.client, s3.bucket);
  const otherBytes = Buffer.from(PHOTO.toString().replace('sea', 'Sea'));
  const otherSum = checksumOf('SHA256', otherBytes);
  const cases: [string, Buffer, Record<string, string>, number, string][] = [
    ['a wrong byte', otherBytes, {}, 400, 'BadDigest'],
    [
      'a wrong byte with its checksum',
      otherBytes,
      { 'x-amz-checksum-sha256': otherSum },
      403,
      'SignatureDoesNotMatch',
    ],
    ['a byte less', PHOTO.subarray(1), {}, 403, 'SignatureDoesNotMatch'],
    ['a byte more', Buffer.concat([PHOTO, PHOTO]), {}, 403, 'SignatureDoesNotMatch'],
    ['nothing', Buffer.alloc(0), {}, 403, 'SignatureDoesNotMatch'],
    ['a wrong type', PHOTO, { 'content-type': 'text/html' }, 403, 'SignatureDoesNotMatch'],
    ['another tag', PHOTO, { 'x-amz-tagging': 'stage=processed' }, 403, 'SignatureDoesNotMatch'],
    ['a header more', PHOTO, { 'x-amz-storage-class': 'GLACIER' }, 403, 'AccessDenied'],
  ];
  for (const [what, body, headers, status, expected] of cases) {
    const answer = await upload(url, body, { ...UPLOAD_HEADERS, ...headers });
    t.deepEqual([answer.status, answer.code], [status, expected], what);
  }
  const { 'x-amz-tagging': _, ...untagged } = UPLOAD_HEADERS;
  t.is((await upload(url, PHOTO, untagged)).code, 'SignatureDoesNotMatch');
  t.is((await upload(url.replace('vertical-01', 'vertical-02'), PHOTO)).code, 'SignatureDoesNotMatch');
  await assertNothingStored(t, s3);
});

test('a checksum in the query of a URL counts for nothing', async (t) => {
  const s3 = await openS3(t);
  const command = new PutObjectCommand({
    Bucket: s3.bucket,
    Key: 'hoisted',
    ChecksumSHA256: checksumOf('SHA256', 'other'),
    Tagging: 'stage=raw',
  });
  const url = await getSignedUrl(s3.client, command);
  t.true(new URL(url).searchParams.has('x-amz-checksum-sha256'));
  t.is((await upload(url, PHOTO, {})).status, 200);
  const head = await s3.client.send(
    new HeadObjectCommand({ Bucket: s3.bucket, Key: 'hoisted', ChecksumMode: 'ENABLED' }),
  );
  t.is(head.ChecksumSHA256, undefined);
  t.is(head.ChecksumCRC64NVME, checksumOf('CRC64NVME', PHOTO), "S3's own checksum stands in");
  t.is(head.TagCount, undefined, 'nor does a tag');
});

test('a URL that may create an object only once answers 412 from then on', async (t) => {
  const s3 = await openS3(t);
  const command = new PutObjectCommand({ Bucket: s3.bucket, Key: 'once', IfNoneMatch: '*' });
  const url = await getSignedUrl(s3.createClient({ requestChecksumCalculation: 'WHEN_REQUIRED' }), command);
  t.true(new URL(url).searchParams.get('X-Amz-SignedHeaders')?.includes('if-none-match'));
  t.is((await upload(url, PHOTO, { 'if-none-match': '*' })).status, 200);
  const again = await upload(url, PHOTO, { 'if-none-match': '*' });
  t.deepEqual([again.status, again.code], [412, 'PreconditionFailed']);
  t.is((await upload(url, PHOTO, {})).code, 'SignatureDoesNotMatch');
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

test('of simultaneous writes that must be the first exactly one wins', async (t) => {
  const s3 = await openS3(t);
  const attempts = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) =>
      s3.client.send(
        new PutObjectCommand({
          Bucket: s3.bucket,
          Key: 'race',
          IfNoneMatch: '*',
          Body: randomBytes(200_000 + i),
        }),
      ),
    ),
  );
  t.is(attempts.filter(({ status }) => status === 'fulfilled').length, 1);
  t.is((await s3.blobs()).length, 1);
});

test('an object that goes away while its successor is on the way is a conflict', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const { ETag } = await put('w', 'one');
  async function* slowly() {
    yield Buffer.alloc(10_000);
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'w' }));
    yield Buffer.alloc(10_000);
  }
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

test('an upload that breaks off leaves nothing behind', async (t) => {
  const s3 = await openS3(t);
  const body = 'x'.repeat(100_000);
  const request: WireRequest = { method: 'PUT', path: `/${s3.bucket}/broken`, body };
  const signed = await signByHeader(s3.url, request, { key: s3.accessKey });
  const head = [`PUT ${request.path} HTTP/1.1`, ...headerLines(signed), `content-length: ${body.length}`];
  t.regex(await exchange(s3.url, head, body.slice(0, 50_000)), /<Code>IncompleteBody</);
  while ((await s3.blobs()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(s3.created, []);
  await t.throwsAsync(s3.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: 'broken' })), {
    name: 'NotFound',
  });
});
