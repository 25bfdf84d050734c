import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  checksumHeader,
  isChecksum,
  readAlgorithm,
} from './checksums.ts';
import { invalidArgument, invalidRequest, s3Error } from './errors.ts';
import type { S3Request } from './request.ts';

export type DigestName = ChecksumAlgorithm | 'MD5';
export type Digests = ReadonlyMap<DigestName, Buffer>;

/** What a request says of its body. Only headers count: S3 does not look at a checksum in the query of a URL. */
export interface Integrity {
  algorithm?: ChecksumAlgorithm;
  /** base64; comes in the trailer when it is not here */
  checksum?: string;
  /** base64, of Content-MD5 */
  md5?: string;
  /** hex, of x-amz-content-sha256 */
  sha256?: string;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

const STREAMING = {
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
} as const;

/** How the body is framed as aws-chunked; undefined when it is not. */
export function readStreaming({ signed: { payloadHash } }: S3Request) {
  const mode = Object.entries(STREAMING).find(([name]) => name === payloadHash)?.[1];
  if (mode || payloadHash === 'UNSIGNED-PAYLOAD' || SHA256_HEX.test(payloadHash)) return mode;
  throw invalidArgument(
    'x-amz-content-sha256',
    payloadHash,
    `x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ${Object.keys(STREAMING).join(', ')}, or a valid sha256 value.`,
  );
}

/** The names that x-amz-trailer announces, lower case. */
export const readTrailerNames = (request: S3Request) =>
  (request.header('x-amz-trailer') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** The one algorithm of the x-amz-checksum-* header or trailer; undefined when the request carries none. */
export function declaredAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const trailers = readTrailerNames(request);
  const found = CHECKSUM_ALGORITHMS.filter((algorithm) => {
    const name = checksumHeader(algorithm);
    return request.header(name) !== undefined || trailers.includes(name);
  });
  if (found.length > 1) {
    throw invalidRequest(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const [algorithm] = found;
  const announced = request.header('x-amz-sdk-checksum-algorithm');
  if (announced !== undefined && readAlgorithm(announced) !== algorithm) {
    throw invalidRequest(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  return algorithm;
}

export function readIntegrity(request: S3Request): Integrity {
  const algorithm = declaredAlgorithm(request);
  const checksum = algorithm && request.header(checksumHeader(algorithm));
  if (algorithm && checksum !== undefined && !isChecksum(algorithm, checksum)) {
    throw invalidRequest(`Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
  const md5 = request.header('content-md5');
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
    throw s3Error('InvalidDigest', { 'Content-MD5': md5 });
  }
  const { payloadHash } = request.signed;
  return {
    ...(algorithm && { algorithm }),
    ...(checksum !== undefined && { checksum }),
    ...(md5 !== undefined && { md5 }),
    ...(SHA256_HEX.test(payloadHash) && { sha256: payloadHash }),
  };
}

/** The digests that it takes to verify. */
export function digestsFor({ algorithm, md5, sha256 }: Integrity) {
  const names = new Set<DigestName>();
  if (algorithm) names.add(algorithm);
  if (md5 !== undefined) names.add('MD5');
  if (sha256 !== undefined) names.add('SHA256');
  return names;
}

/** Throws unless the bytes, by their digests, are what the request and its trailer say. */
export function verifyIntegrity(
  { algorithm, checksum, md5, sha256 }: Integrity,
  digests: Digests,
  trailer: ReadonlyMap<string, string>,
) {
  const computed = digests.get('SHA256')?.toString('hex');
  if (sha256 !== undefined && computed !== sha256) {
    throw s3Error('XAmzContentSHA256Mismatch', {
      ClientComputedContentSHA256: sha256,
      S3ComputedContentSHA256: computed ?? '',
    });
  }
  if (md5 !== undefined && digests.get('MD5')?.toString('base64') !== md5) {
    const details = { ExpectedDigest: md5 };
    throw s3Error('BadDigest', details, 'The Content-MD5 you specified did not match what we received.');
  }
  if (!algorithm) return;
  const name = checksumHeader(algorithm);
  const given = checksum ?? trailer.get(name) ?? '';
  if (!isChecksum(algorithm, given)) {
    throw invalidRequest(`Value for ${name} trailing header is invalid.`);
  }
  if (digests.get(algorithm)?.toString('base64') !== given) {
    throw s3Error('BadDigest', {}, `The ${algorithm} you specified did not match the calculated checksum.`);
  }
}
