import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import fc from 'fast-check';
import { CHECKSUM_ALGORITHMS, checksumOfParts } from '../../../local/s3/checksums.ts';
import { assertNothingStored, checksumOf, openS3 } from '../../support/s3-objects.ts';
import { send, sha256, signByHeader, type WireRequest } from '../../support/wire.ts';

const PHOTO = Buffer.from('a photograph of a house by the sea');

test('the checksums are those of the published test vectors', (t) => {
  const hex = (algorithm: (typeof CHECKSUM_ALGORITHMS)[number]) =>
    Buffer.from(checksumOf(algorithm, '123456789'), 'base64').toString('hex');
  t.is(hex('CRC32'), 'cbf43926');
  t.is(hex('CRC32C'), 'e3069283');
  t.is(hex('CRC64NVME'), 'ae8b14860a799888');
  t.is(hex('SHA1'), createHash('sha1').update('123456789').digest('hex'));
});

test('a full-object checksum of parts is that of the bytes in one piece', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('CRC32' as const, 'CRC32C' as const, 'CRC64NVME' as const),
      fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 5 }),
      (algorithm, pieces) => {
        const parts = pieces.map((bytes) => ({
          bytes: bytes.length,
          checksum: checksumOf(algorithm, Buffer.from(bytes)),
        }));
        const whole = checksumOfParts(algorithm, 'FULL_OBJECT', parts).value;
        t.is(whole, checksumOf(algorithm, Buffer.concat(pieces)));
      },
    ),
  );
});

for (const algorithm of CHECKSUM_ALGORITHMS) {
  test(`${algorithm} is verified as header and as trailer, kept and given back`, async (t) => {
    const s3 = await openS3(t);
    const Bucket = s3.bucket;
    const property = `Checksum${algorithm}` as const;
    const value = checksumOf(algorithm, PHOTO);

    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'header', Body: PHOTO, [property]: value }));
    const head = await s3.client.send(
      new HeadObjectCommand({ Bucket, Key: 'header', ChecksumMode: 'ENABLED' }),
    );
    t.is(head[property], value);
    t.is(head.ChecksumType, 'FULL_OBJECT');

    await t.throwsAsync(
      s3.client.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'other', [property]: value })),
      { name: 'BadDigest' },
    );
    await t.throwsAsync(
      s3.client.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'other', [property]: 'AAAA' })),
      { name: 'InvalidRequest' },
    );

    const trailer = { 'x-amz-trailer': `x-amz-checksum-${algorithm.toLowerCase()}` };
    const framed = (sum: string) =>
      `${PHOTO.length.toString(16)}\r\n${PHOTO}\r\n0\r\nx-amz-checksum-${algorithm.toLowerCase()}:${sum}\r\n\r\n`;
    const put = async (sum: string) => {
      const request = {
        method: 'PUT',
        path: `/${Bucket}/trailer`,
        body: framed(sum),
        headers: {
          ...trailer,
          'content-encoding': 'aws-chunked',
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': String(PHOTO.length),
        },
      };
      return send(s3.url, await signByHeader(s3.url, request, { key: s3.accessKey }));
    };
    t.is((await put(value)).headers[`x-amz-checksum-${algorithm.toLowerCase()}`], value);
    t.is((await put(checksumOf(algorithm, 'other'))).code, 'BadDigest');
    t.is((await put('')).code, 'InvalidRequest');
    const stored = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'trailer' }));
    t.is(await stored.Body?.transformToString(), PHOTO.toString());
    t.is(stored.ContentEncoding, undefined);
  });
}

test('the SDK streams a body of known length with any checksum algorithm', async (t) => {
  const s3 = await openS3(t);
  const body = randomBytes(300_000);
  for (const ChecksumAlgorithm of CHECKSUM_ALGORITHMS) {
    const pieces = Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]);
    await s3.client.send(
      new PutObjectCommand({
        Bucket: s3.bucket,
        Key: 'stream',
        Body: pieces,
        ContentLength: body.length,
        ChecksumAlgorithm,
      }),
    );
    const got = await s3.client.send(
      new GetObjectCommand({ Bucket: s3.bucket, Key: 'stream', ChecksumMode: 'ENABLED' }),
    );
    t.true(body.equals((await got.Body?.transformToByteArray()) ?? Buffer.alloc(0)));
    t.is(got[`Checksum${ChecksumAlgorithm}`], checksumOf(ChecksumAlgorithm, body));
  }
});

test('a header that does not fit the body is refused and stores nothing', async (t) => {
  const s3 = await openS3(t);
  const put = async (headers: Record<string, string>, body = PHOTO.toString()) => {
    const request: WireRequest = { method: 'PUT', path: `/${s3.bucket}/x`, body, headers };
    const answer = await send(s3.url, await signByHeader(s3.url, request, { key: s3.accessKey }));
    return [answer.status, answer.code];
  };
  const md5 = createHash('md5').update('other').digest('base64');
  const chunked = (length: string) => ({
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': length,
  });
  t.deepEqual(await put({ 'x-amz-content-sha256': sha256('other') }), [400, 'XAmzContentSHA256Mismatch']);
  t.deepEqual(await put({ 'x-amz-content-sha256': 'nonsense' }), [400, 'InvalidArgument']);
  t.deepEqual(await put({ 'content-md5': md5 }), [400, 'BadDigest']);
  t.deepEqual(await put({ 'content-md5': 'AAAA' }), [400, 'InvalidDigest']);
  t.deepEqual(await put({ 'x-amz-sdk-checksum-algorithm': 'SHA256' }), [400, 'InvalidRequest']);
  t.deepEqual(
    await put({
      'x-amz-checksum-crc32': checksumOf('CRC32', PHOTO),
      'x-amz-checksum-sha1': checksumOf('SHA1', PHOTO),
    }),
    [400, 'InvalidRequest'],
  );
  t.deepEqual(await put({ 'transfer-encoding': 'chunked' }), [411, 'MissingContentLength']);
  t.deepEqual(await put(chunked('3'), '5\r\nhello\r\n0\r\n\r\n'), [400, 'IncompleteBody']);
  t.deepEqual(await put(chunked('7'), '5\r\nhello\r\n0\r\n\r\n'), [400, 'IncompleteBody']);
  t.deepEqual(await put(chunked('5'), '5\r\nhello\r\n'), [400, 'IncompleteBody']);
  t.deepEqual(await put(chunked('5'), '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n'), [
    400,
    'MalformedTrailerError',
  ]);
  t.deepEqual(await put(chunked('10'), '5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n'), [
    403,
    'InvalidChunkSizeError',
  ]);
  t.deepEqual(await put(chunked('5'), 'zz\r\nhello\r\n0\r\n\r\n'), [400, 'IncompleteBody']);
  await assertNothingStored(t, s3);
});
