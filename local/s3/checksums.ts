import { createHash } from 'node:crypto';
import { CRC32, CRC32C, CRC64NVME, type CrcUpdate, combineCrc, crcUpdate } from './crc.ts';

export const CHECKSUM_ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Of all bytes, or of the checksums of a multipart upload's parts. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  /** base64; a composite one ends in `-` and the number of parts */
  value: string;
  type: ChecksumType;
}

/** A running checksum. */
export interface Digest {
  update(bytes: Buffer): void;
  digest(): Buffer;
}

const CRCS = { CRC32, CRC32C, CRC64NVME };
const LENGTHS: Record<ChecksumAlgorithm, number> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

const isCrc = (algorithm: ChecksumAlgorithm): algorithm is keyof typeof CRCS => algorithm in CRCS;

const crcUpdates = new Map<keyof typeof CRCS, CrcUpdate>();

function crcDigest(algorithm: keyof typeof CRCS): Digest {
  const parameters = CRCS[algorithm];
  const update = crcUpdates.get(algorithm) ?? crcUpdate(parameters);
  crcUpdates.set(algorithm, update);
  let crc = 0n;
  return {
    update(bytes) {
      crc = update(bytes, crc);
    },
    digest: () => crcBytes(crc, LENGTHS[algorithm]),
  };
}

const crcBytes = (crc: bigint, bytes: number) =>
  Buffer.from(crc.toString(16).padStart(bytes * 2, '0'), 'hex');

export const createDigest = (algorithm: ChecksumAlgorithm | 'MD5'): Digest =>
  algorithm !== 'MD5' && isCrc(algorithm) ? crcDigest(algorithm) : createHash(algorithm.toLowerCase());

export const checksumHeader = (algorithm: ChecksumAlgorithm) => `x-amz-checksum-${algorithm.toLowerCase()}`;

/** The element of S3's XML, such as `ChecksumSHA256`. */
export const checksumElement = (algorithm: ChecksumAlgorithm) => `Checksum${algorithm}`;

export const readAlgorithm = (name: string) =>
  CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === name.toUpperCase());

/** Whether the text is base64 of as many bytes as the algorithm gives. */
export function isChecksum(algorithm: ChecksumAlgorithm, value: string) {
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === LENGTHS[algorithm] && bytes.toString('base64') === value;
}

/** Which types a multipart upload may ask for ("Checking object integrity in Amazon S3"), the usual one first. */
export function checksumTypes(algorithm: ChecksumAlgorithm): ChecksumType[] {
  if (algorithm === 'CRC64NVME') return ['FULL_OBJECT'];
  return isCrc(algorithm) ? ['COMPOSITE', 'FULL_OBJECT'] : ['COMPOSITE'];
}

/** The checksum of a whole object from those of its parts. */
export function checksumOfParts(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly { checksum: string; bytes: number }[],
): Checksum {
  if (type === 'FULL_OBJECT' && isCrc(algorithm)) {
    const toNumber = (base64: string) => BigInt(`0x${Buffer.from(base64, 'base64').toString('hex')}`);
    const crc = parts.reduce(
      (sum, part) => combineCrc(sum, toNumber(part.checksum), part.bytes, CRCS[algorithm]),
      0n,
    );
    return { algorithm, type, value: crcBytes(crc, LENGTHS[algorithm]).toString('base64') };
  }
  const digest = createDigest(algorithm);
  for (const part of parts) digest.update(Buffer.from(part.checksum, 'base64'));
  return { algorithm, type, value: `${digest.digest().toString('base64')}-${parts.length}` };
}
