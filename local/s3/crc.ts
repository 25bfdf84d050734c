import { crc32 } from 'node:zlib';

/** Reflected polynomial and width in bits; every CRC of S3 begins with all ones and ends by inverting. */
interface CrcParameters {
  polynomial: bigint;
  width: 32n | 64n;
}

export const CRC32: CrcParameters = { polynomial: 0xedb88320n, width: 32n };
export const CRC32C: CrcParameters = { polynomial: 0x82f63b78n, width: 32n };
export const CRC64NVME: CrcParameters = { polynomial: 0x9a6c9329ac4bc9b5n, width: 64n };

export type CrcUpdate = (bytes: Buffer, crc: bigint) => bigint;

const LOW = 0xffff_ffffn;

/** Eight tables of 256 entries, flattened and cut into 32-bit halves: entry k·256+b is the CRC of byte b and k zeros. */
function buildTables({ polynomial }: CrcParameters) {
  const entries: bigint[] = [];
  for (let byte = 0n; byte < 256n; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    entries.push(crc);
  }
  for (let i = 256; i < 2048; i++) {
    const shorter = entries[i - 256] ?? 0n;
    entries.push((shorter >> 8n) ^ (entries[Number(shorter & 0xffn)] ?? 0n));
  }
  return {
    low: Uint32Array.from(entries, (entry) => Number(entry & LOW)),
    high: Uint32Array.from(entries, (entry) => Number(entry >> 32n)),
  };
}

/** Slicing-by-8 over two 32-bit halves, because JavaScript has no fast 64-bit integer. */
function slicingBy8(parameters: CrcParameters): CrcUpdate {
  const { low, high } = buildTables(parameters);
  const at = (table: Uint32Array, index: number) => table[index] ?? 0;
  const mask = (1n << parameters.width) - 1n;
  return (bytes, crc) => {
    const start = crc ^ mask;
    let lo = Number(start & LOW);
    let hi = Number(start >> 32n);
    let i = 0;
    for (; i + 8 <= bytes.length; i += 8) {
      const a = lo ^ bytes.readInt32LE(i);
      const b = hi ^ bytes.readInt32LE(i + 4);
      const i7 = 1792 + (a & 255);
      const i6 = 1536 + ((a >>> 8) & 255);
      const i5 = 1280 + ((a >>> 16) & 255);
      const i4 = 1024 + (a >>> 24);
      const i3 = 768 + (b & 255);
      const i2 = 512 + ((b >>> 8) & 255);
      const i1 = 256 + ((b >>> 16) & 255);
      const i0 = b >>> 24;
      lo =
        at(low, i7) ^
        at(low, i6) ^
        at(low, i5) ^
        at(low, i4) ^
        at(low, i3) ^
        at(low, i2) ^
        at(low, i1) ^
        at(low, i0);
      hi =
        at(high, i7) ^
        at(high, i6) ^
        at(high, i5) ^
        at(high, i4) ^
        at(high, i3) ^
        at(high, i2) ^
        at(high, i1) ^
        at(high, i0);
    }
    for (; i < bytes.length; i++) {
      const entry = (lo ^ (bytes[i] ?? 0)) & 255;
      lo = ((lo >>> 8) | (hi << 24)) ^ at(low, entry);
      hi = (hi >>> 8) ^ at(high, entry);
    }
    return ((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)) ^ mask;
  };
}

/** The update function of a CRC. Building the tables takes about a millisecond. */
export const crcUpdate = (parameters: CrcParameters): CrcUpdate =>
  parameters === CRC32 ? (bytes, crc) => BigInt(crc32(bytes, Number(crc))) : slicingBy8(parameters);

/** Product of two polynomials modulo the CRC's, in its reflected notation: the highest bit is x⁰. */
function multiply(a: bigint, b: bigint, { polynomial, width }: CrcParameters) {
  let product = 0n;
  let factor = b;
  for (let bit = 1n << (width - 1n); bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
  }
  return product;
}

/** The CRC of two stretches one after the other, from the CRC of each and the length in bytes of the second. */
export function combineCrc(first: bigint, second: bigint, secondBytes: number, parameters: CrcParameters) {
  const one = 1n << (parameters.width - 1n);
  let shift = one;
  let power = one >> 8n;
  for (let n = secondBytes; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) shift = multiply(shift, power, parameters);
    power = multiply(power, power, parameters);
  }
  return multiply(first, shift, parameters) ^ second;
}
