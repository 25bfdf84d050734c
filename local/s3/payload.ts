import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeAwsChunked } from './aws-chunked.ts';
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  checksumHeader,
  createDigest,
  type Digest,
  isChecksum,
  readAlgorithm,
} from './checksums.ts';
import { invalidArgument, invalidRequest, s3Error } from './errors.ts';
import type { S3Request } from './request.ts';

/** What the bytes turned out to be, and that they are what the request said of them. */
export interface Received {
  bytes: number;
  digests: ReadonlyMap<ChecksumAlgorithm | 'MD5', Buffer>;
}

/** What the request says of its body. Only headers count: S3 does not look at a checksum in the query of a URL. */
interface Declared {
  algorithm?: ChecksumAlgorithm;
  /** base64; comes in the trailer when it is not here */
  checksum?: string;
  /** base64 */
  md5?: string;
  bytes: number;
}

const LARGEST_PUT = 5 * 1024 ** 3;
const STREAMING = {
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
} as const;

function readStreaming({ signed: { payloadHash } }: S3Request) {
  const mode = Object.entries(STREAMING).find(([name]) => name === payloadHash)?.[1];
  if (mode || payloadHash === 'UNSIGNED-PAYLOAD' || /^[0-9a-f]{64}$/.test(payloadHash)) return mode;
  throw invalidArgument(
    'x-amz-content-sha256',
    payloadHash,
    `x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ${Object.keys(STREAMING).join(', ')}, or a valid sha256 value.`,
  );
}

/** The one algorithm of the x-amz-checksum-* header or trailer; undefined when the request carries none. */
export function declaredAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const trailers = readTrailerNames(request);
  const found = CHECKSUM_ALGORITHMS.filter(
    (algorithm) =>
      request.header(checksumHeader(algorithm)) !== undefined || trailers.includes(checksumHeader(algorithm)),
  );
  if (found.length > 1)
    throw invalidRequest(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  const [algorithm] = found;
  const announced = request.header('x-amz-sdk-checksum-algorithm');
  if (announced !== undefined && readAlgorithm(announced) !== algorithm) {
    throw invalidRequest(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  return algorithm;
}

const readTrailerNames = (request: S3Request) =>
  (request.header('x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

function readLength(request: S3Request, streaming: boolean) {
  const name = streaming ? 'x-amz-decoded-content-length' : 'content-length';
  const length = request.header(name);
  if (length === undefined) throw s3Error('MissingContentLength');
  if (!/^\d+$/.test(length)) throw invalidArgument(name, length, `${name} must be a number`);
  if (Number(length) > LARGEST_PUT) {
    throw s3Error('EntityTooLarge', { ProposedSize: length, MaxSizeAllowed: String(LARGEST_PUT) });
  }
  return Number(length);
}

function readDeclared(request: S3Request, streaming: boolean): Declared {
  const bytes = readLength(request, streaming);
  const algorithm = declaredAlgorithm(request);
  const checksum = algorithm && request.header(checksumHeader(algorithm));
  if (algorithm && checksum !== undefined && !isChecksum(algorithm, checksum)) {
    throw invalidRequest(`Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
  const md5 = request.header('content-md5');
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
    throw s3Error('InvalidDigest', { 'Content-MD5': md5 });
  }
  return {
    bytes,
    ...(algorithm && { algorithm }),
    ...(checksum !== undefined && { checksum }),
    ...(md5 !== undefined && { md5 }),
  };
}

/** Passes the bytes on while the digests run, and refuses more or fewer than were declared. */
async function* measure(
  source: AsyncGenerator<Buffer, Map<string, string> | undefined>,
  expectedBytes: number,
  digests: readonly Digest[],
  trailer: Map<string, string>,
) {
  let bytes = 0;
  for (;;) {
    const { value, done } = await source.next();
    if (done) {
      for (const [name, text] of value ?? []) trailer.set(name, text);
      break;
    }
    bytes += value.length;
    if (bytes > expectedBytes) break;
    for (const digest of digests) digest.update(value);
    yield value;
  }
  if (bytes !== expectedBytes) {
    throw s3Error('IncompleteBody', {
      NumberBytesExpected: String(expectedBytes),
      NumberBytesProvided: String(bytes),
    });
  }
}

/** The body in pieces. An error on the way must not destroy the request: its answer goes over the same connection. */
async function* pieces(request: IncomingMessage): AsyncGenerator<Buffer, undefined> {
  yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // no encoding is set: Buffers
  return undefined;
}

/**
 * Streams the body into `sink` and verifies all that the request says of it: length, x-amz-content-sha256, Content-MD5,
 * x-amz-checksum-* as header or trailer, chunk signatures. Throws after the fact: the sink is to be thrown away then.
 */
export async function receivePayload(
  request: S3Request,
  sink: Writable,
  wanted: Iterable<ChecksumAlgorithm | 'MD5'> = [],
): Promise<Received> {
  const { payloadHash, chunks, request: message } = request.signed;
  const streaming = readStreaming(request);
  const declared = readDeclared(request, streaming !== undefined);
  const hashed = /^[0-9a-f]{64}$/.test(payloadHash);

  const names = new Set(wanted);
  if (declared.algorithm) names.add(declared.algorithm);
  if (declared.md5 !== undefined) names.add('MD5');
  if (hashed) names.add('SHA256');
  const digests = new Map([...names].map((name) => [name, createDigest(name)]));

  const trailer = new Map<string, string>();
  const framing = {
    trailers: streaming?.trailer ? readTrailerNames(request) : [],
    ...(streaming?.signed && { signing: chunks }),
  };
  const raw = pieces(message);
  const content = streaming ? decodeAwsChunked(raw, framing) : raw;
  await pipeline(measure(content, declared.bytes, [...digests.values()], trailer), sink);

  const results = new Map([...digests].map(([name, digest]) => [name, digest.digest()]));
  if (hashed && results.get('SHA256')?.toString('hex') !== payloadHash) {
    throw s3Error('XAmzContentSHA256Mismatch', {
      ClientComputedContentSHA256: payloadHash,
      S3ComputedContentSHA256: results.get('SHA256')?.toString('hex') ?? '',
    });
  }
  if (declared.md5 !== undefined && results.get('MD5')?.toString('base64') !== declared.md5) {
    throw s3Error(
      'BadDigest',
      { ExpectedDigest: declared.md5 },
      'The Content-MD5 you specified did not match what we received.',
    );
  }
  if (declared.algorithm) {
    const { algorithm } = declared;
    const given = declared.checksum ?? trailer.get(checksumHeader(algorithm)) ?? '';
    if (!isChecksum(algorithm, given))
      throw invalidRequest(`Value for ${checksumHeader(algorithm)} trailing header is invalid.`);
    if (results.get(algorithm)?.toString('base64') !== given) {
      throw s3Error('BadDigest', {}, `The ${algorithm} you specified did not match the calculated checksum.`);
    }
  }
  return { bytes: declared.bytes, digests: results };
}

/** The whole body, verified; for the XML documents, which are small. */
export async function receiveDocument(request: S3Request, maximumBytes: number) {
  if (readLength(request, readStreaming(request) !== undefined) > maximumBytes) throw s3Error('MalformedXML');
  const collected: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      collected.push(chunk);
      done();
    },
  });
  await receivePayload(request, sink);
  return Buffer.concat(collected).toString('utf8');
}
