import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import {
  type ChecksumAlgorithm,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { AwsError } from '../../local/aws-error.ts';
import { decodeAwsChunked } from '../../local/s3/aws-chunked.ts';
import { CHECKSUM_ALGORITHMS, checksumOfParts, createDigest } from '../../local/s3/checksums.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { send, sha256, signByHeader, type WireRequest } from '../support/wire.ts';

const base64 = (algorithm: (typeof CHECKSUM_ALGORITHMS)[number], bytes: Buffer | string) => {
  const digest = createDigest(algorithm);
  digest.update(Buffer.from(bytes));
  return digest.digest().toString('base64');
};

const PHOTO = Buffer.from('a photograph of a house by the sea');

/** As the service signs an upload. */
function presignUpload(client: S3Client, bucket: string, input: Partial<PutObjectCommandInput> = {}) {
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: '7/raw/photo/vertical/vertical-01-house.jpg',
    ContentType: 'image/jpeg',
    ContentLength: PHOTO.length,
    ChecksumSHA256: base64('SHA256', PHOTO),
    Tagging: 'stage=raw',
    ...input,
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
  'x-amz-checksum-sha256': base64('SHA256', PHOTO),
  'x-amz-tagging': 'stage=raw',
};

const code = (body: string) => /<Code>(.*?)<\/Code>/.exec(body)?.[1];

async function upload(url: string, body: Buffer, headers: Record<string, string> = UPLOAD_HEADERS) {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers });
  const answer = await response.text();
  return { status: response.status, code: code(answer), answer, headers: response.headers };
}

const blobs = (s3: S3Server) => readdir(join(s3.directory, 'blobs'));

async function assertNothingStored(t: ExecutionContext, s3: S3Server) {
  t.deepEqual(await blobs(s3), []);
  t.deepEqual(s3.created, []);
}

test('a signed upload takes exactly what was signed for', async (t) => {
  const s3 = await startS3(t);
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
  const s3 = await startS3(t);
  const url = await presignUpload(s3.client, s3.bucket);
  const otherBytes = Buffer.from(PHOTO.toString().replace('sea', 'Sea'));
  const otherSum = base64('SHA256', otherBytes);
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
  const s3 = await startS3(t);
  const command = new PutObjectCommand({
    Bucket: s3.bucket,
    Key: 'hoisted',
    ChecksumSHA256: base64('SHA256', 'other'),
    Tagging: 'stage=raw',
  });
  const url = await getSignedUrl(s3.client, command);
  t.true(new URL(url).searchParams.has('x-amz-checksum-sha256'));
  t.is((await upload(url, PHOTO, {})).status, 200);
  const head = await s3.client.send(
    new HeadObjectCommand({ Bucket: s3.bucket, Key: 'hoisted', ChecksumMode: 'ENABLED' }),
  );
  t.is(head.ChecksumSHA256, undefined);
  t.is(head.ChecksumCRC64NVME, base64('CRC64NVME', PHOTO), "S3's own checksum stands in");
  t.is(head.TagCount, undefined, 'nor does a tag');
});

test('a URL that may create an object only once answers 412 from then on', async (t) => {
  const s3 = await startS3(t);
  const command = new PutObjectCommand({ Bucket: s3.bucket, Key: 'once', IfNoneMatch: '*' });
  const url = await getSignedUrl(s3.createClient({ requestChecksumCalculation: 'WHEN_REQUIRED' }), command);
  t.true(new URL(url).searchParams.get('X-Amz-SignedHeaders')?.includes('if-none-match'));
  t.is((await upload(url, PHOTO, { 'if-none-match': '*' })).status, 200);
  const again = await upload(url, PHOTO, { 'if-none-match': '*' });
  t.deepEqual([again.status, again.code], [412, 'PreconditionFailed']);
  t.is((await upload(url, PHOTO, {})).code, 'SignatureDoesNotMatch');
});

test('of simultaneous writes that must be the first exactly one wins', async (t) => {
  const s3 = await startS3(t);
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
  t.is((await blobs(s3)).length, 1);
});

test('the checksums are those of the published test vectors', (t) => {
  const hex = (algorithm: (typeof CHECKSUM_ALGORITHMS)[number]) =>
    Buffer.from(base64(algorithm, '123456789'), 'base64').toString('hex');
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
          checksum: base64(algorithm, Buffer.from(bytes)),
        }));
        const whole = checksumOfParts(algorithm, 'FULL_OBJECT', parts).value;
        t.is(whole, base64(algorithm, Buffer.concat(pieces)));
      },
    ),
  );
});

for (const algorithm of CHECKSUM_ALGORITHMS) {
  test(`${algorithm} is verified as header and as trailer, kept and given back`, async (t) => {
    const s3 = await startS3(t);
    const Bucket = s3.bucket;
    const property = `Checksum${algorithm}` as const;
    const value = base64(algorithm, PHOTO);

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
    t.is((await put(base64(algorithm, 'other'))).code, 'BadDigest');
    t.is((await put('')).code, 'InvalidRequest');
    const stored = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'trailer' }));
    t.is(await stored.Body?.transformToString(), PHOTO.toString());
    t.is(stored.ContentEncoding, undefined);
  });
}

test('the SDK streams a body of known length with any checksum algorithm', async (t) => {
  const s3 = await startS3(t);
  const body = randomBytes(300_000);
  const algorithms: ChecksumAlgorithm[] = ['CRC32', 'SHA1', 'SHA256'];
  for (const ChecksumAlgorithm of algorithms) {
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
    t.is(got[`Checksum${ChecksumAlgorithm}` as 'ChecksumCRC32'], base64(ChecksumAlgorithm as 'CRC32', body));
  }
});

test('a header that does not fit the body is refused and stores nothing', async (t) => {
  const s3 = await startS3(t);
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
      'x-amz-checksum-crc32': base64('CRC32', PHOTO),
      'x-amz-checksum-sha1': base64('SHA1', PHOTO),
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

/** The chunked upload of AWS's documentation: 66,560 times the letter a. */
const DOCUMENTED = {
  signing: {
    key: Buffer.from('dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378', 'hex'),
    seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    timestamp: '20130524T000000Z',
    scope: '20130524/us-east-1/s3/aws4_request',
  },
  trailers: [],
};
const CHUNKS: [number, string][] = [
  [65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
  [1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
  [0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
];
const documentedBody = (chunks = CHUNKS) =>
  chunks
    .map(
      ([size, signature]) => `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`,
    )
    .join('');

/** The body cut into pieces of the given sizes, taken in turns. */
function* cut(body: Buffer, sizes: readonly number[]) {
  for (let at = 0, i = 0; at < body.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield body.subarray(at, at + size);
    at += size;
  }
}

async function decode(
  body: string,
  framing: Parameters<typeof decodeAwsChunked>[1],
  sizes: readonly number[],
) {
  let bytes = 0;
  for await (const piece of decodeAwsChunked(
    Readable.from(cut(Buffer.from(body, 'latin1'), sizes)),
    framing,
  )) {
    bytes += piece.length;
  }
  return bytes;
}

test("the signed chunks of AWS's documentation verify however they arrive", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 50, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      async (sizes) => {
        t.is(await decode(documentedBody(), DOCUMENTED, sizes), 66_560);
      },
    ),
    { numRuns: 30 },
  );
  t.is(await decode(documentedBody(), DOCUMENTED, [1]), 66_560);
});

test('a chunk that is changed, moved, left out or unsigned breaks the chain', async (t) => {
  const [first = CHUNKS[0], second = CHUNKS[0], last = CHUNKS[0]] = CHUNKS;
  if (!first || !second || !last) throw new TypeError('three chunks');
  const changed = documentedBody().replace('aaaa', 'aaba');
  const bodies: [string, string][] = [
    ['changed', changed],
    ['left out', documentedBody([first, last])],
    ['moved', documentedBody([second, first, last])],
    ['ended early', documentedBody([last])],
    ['unsigned', documentedBody().replace(/;chunk-signature=\w+/, '')],
    ['cut off', documentedBody([first, second])],
    ['more at the end', `${documentedBody()}x`],
  ];
  for (const [what, body] of bodies) {
    await t.throwsAsync(decode(body, DOCUMENTED, [65_536]), { instanceOf: AwsError }, what);
  }
});

test('no mutilated framing gets through or hangs', async (t) => {
  const framing = { trailers: ['x-amz-checksum-crc32'] };
  const right = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n';
  t.is(await decode(right, framing, [3]), 5);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(right.length - 1),
      fc.string({ unit: 'binary-ascii', maxLength: 3 }),
      fc.nat(3),
      async (at, inserted, removed) => {
        const body = right.slice(0, at) + inserted + right.slice(at + removed);
        const outcome = await decode(body, framing, [4]).catch((error: unknown) => error);
        t.true(typeof outcome === 'number' || outcome instanceof AwsError, String(outcome));
      },
    ),
    { numRuns: 300 },
  );
});

test('an upload that breaks off leaves nothing behind', async (t) => {
  const s3 = await startS3(t);
  const body = 'x'.repeat(100_000);
  const request: WireRequest = { method: 'PUT', path: `/${s3.bucket}/broken`, body };
  const signed = await signByHeader(s3.url, request, { key: s3.accessKey });
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(s3.url).port), allowHalfOpen: true });
  const head = Object.entries(signed.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  socket.write(
    [`PUT ${request.path} HTTP/1.1`, ...head, `content-length: ${body.length}`, '', ''].join('\r\n'),
  );
  socket.write(body.slice(0, 50_000));
  socket.end();
  t.regex(await text(socket), /<Code>IncompleteBody</);
  while ((await blobs(s3)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(s3.created, []);
  await t.throwsAsync(s3.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: 'broken' })), {
    name: 'NotFound',
  });
});

test('300 MB pass through in both directions without being held in memory', async (t) => {
  const s3 = await startS3(t);
  const piece = Buffer.alloc(1_000_000, 1);
  const bytes = 300 * piece.length;
  const quiet = s3.createClient({
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  let peak = 0;
  const watch = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const before = process.memoryUsage.rss();
  const url = await getSignedUrl(quiet, new PutObjectCommand({ Bucket: s3.bucket, Key: 'large' }));
  await send300(url, piece, watch);

  const got = await quiet.send(new GetObjectCommand({ Bucket: s3.bucket, Key: 'large' }));
  let received = 0;
  const sink = new Writable({
    // A reader that is slower than the disk.
    write(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      watch();
      setImmediate(done);
    },
  });
  if (!(got.Body instanceof Readable)) throw new TypeError('no stream');
  await pipeline(got.Body, sink);
  t.is(received, bytes);
  t.true(peak - before < 150_000_000, `grew by ${Math.round((peak - before) / 1e6)} MB`);
});

async function send300(url: string, piece: Buffer, watch: () => void) {
  const outgoing = httpRequest(url, { method: 'PUT', headers: { 'content-length': 300 * piece.length } });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  await pipeline(function* () {
    for (let i = 0; i < 300; i++) {
      watch();
      yield piece;
    }
  }, outgoing);
  if ((await answered) !== 200) throw new Error('the upload was refused');
}
