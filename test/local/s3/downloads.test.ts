import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import test from 'ava';
import fc from 'fast-check';
import { openS3, refusal } from '../../support/s3-objects.ts';

test('any range answers the bytes that RFC 9110 says', async (t) => {
  const { put, client, Bucket, get } = await openS3(t);
  const body = randomBytes(1000);
  await put('r', body);
  await put('empty', '');
  const signed = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'r' }));
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

test('a reader finishes with the bytes it began with, whatever is written meanwhile', async (t) => {
  const { put, get, head, blobs } = await openS3(t, { bucket: { versioned: false } });
  const body = randomBytes(8 * 1024 ** 2);
  await put('r', body);
  const { Body } = await get('r');
  await put('r', 'new');
  t.true(body.equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0)));
  t.is((await head('r')).ContentLength, 3);
  while ((await blobs()).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('300 MB pass through in both directions without being held in memory', async (t) => {
  const s3 = await openS3(t);
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
