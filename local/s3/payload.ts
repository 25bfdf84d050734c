import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeAwsChunked } from './aws-chunked.ts';
import { createDigest, type Digest } from './checksums.ts';
import { invalidArgument, s3Error } from './errors.ts';
import {
  type DigestName,
  type Digests,
  digestsFor,
  type Integrity,
  readIntegrity,
  readStreaming,
  readTrailerNames,
  verifyIntegrity,
} from './integrity.ts';
import type { S3Request } from './request.ts';

/** What arrived, and is what the request said of it. */
export interface Received {
  bytes: number;
  digests: Digests;
}

const LARGEST_PUT = 5 * 1024 ** 3;

/** Bytes of the content, without the framing of aws-chunked. */
function readLength(request: S3Request) {
  const name = readStreaming(request) ? 'x-amz-decoded-content-length' : 'content-length';
  const length = request.header(name);
  if (length === undefined) throw s3Error('MissingContentLength');
  if (!/^\d+$/.test(length)) throw invalidArgument(name, length, `${name} must be a number`);
  if (Number(length) > LARGEST_PUT) {
    throw s3Error('EntityTooLarge', { ProposedSize: length, MaxSizeAllowed: String(LARGEST_PUT) });
  }
  return Number(length);
}

/** Passes the bytes on while the digests run, refuses more or fewer than `expected`, and fills in the trailer. */
async function* measure(
  source: AsyncGenerator<Buffer, Map<string, string> | undefined>,
  expected: number,
  digests: readonly Digest[],
  trailer: Map<string, string>,
) {
  let bytes = 0;
  while (bytes <= expected) {
    const { value, done } = await source.next();
    if (done) {
      for (const [name, text] of value ?? []) trailer.set(name, text);
      break;
    }
    bytes += value.length;
    for (const digest of digests) digest.update(value);
    yield value;
  }
  if (bytes !== expected) {
    throw s3Error('IncompleteBody', {
      NumberBytesExpected: String(expected),
      NumberBytesProvided: String(bytes),
    });
  }
}

/** The body in pieces. An error on the way must not destroy the request: its answer goes over the same connection. */
async function* pieces(request: IncomingMessage): AsyncGenerator<Buffer, undefined> {
  yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // no encoding is set: Buffers
  return undefined;
}

function readContent(request: S3Request) {
  const raw = pieces(request.signed.request);
  const streaming = readStreaming(request);
  if (!streaming) return raw;
  return decodeAwsChunked(raw, {
    trailers: streaming.trailer ? readTrailerNames(request) : [],
    ...(streaming.signed && { signing: request.signed.chunks }),
  });
}

/**
 * Streams the body into `sink` and verifies all that the request says of it: length, x-amz-content-sha256, Content-MD5,
 * x-amz-checksum-* as header or trailer, chunk signatures. Throws after the fact: what is in the sink is to be thrown
 * away then.
 */
export async function receivePayload(
  request: S3Request,
  sink: Writable,
  wanted: readonly DigestName[] = [],
  integrity: Integrity = readIntegrity(request),
): Promise<Received> {
  const bytes = readLength(request);
  const names = new Set([...wanted, ...digestsFor(integrity)]);
  const running = new Map([...names].map((name) => [name, createDigest(name)]));
  const trailer = new Map<string, string>();
  await pipeline(measure(readContent(request), bytes, [...running.values()], trailer), sink);
  const digests = new Map([...running].map(([name, digest]) => [name, digest.digest()]));
  verifyIntegrity(integrity, digests, trailer);
  return { bytes, digests };
}

/** The whole body as text, verified; for the XML documents, which are small. */
export async function receiveDocument(request: S3Request, maximumBytes: number, integrity?: Integrity) {
  if (readLength(request) > maximumBytes) throw s3Error('MalformedXML');
  const collected: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      collected.push(chunk);
      done();
    },
  });
  await receivePayload(request, sink, [], integrity);
  return Buffer.concat(collected).toString('utf8');
}
