import { crc32 as native } from 'node:zlib';

/**
 * Stands in the zip bundle for the package `crc-32`, of which archiver uses `buf`: the CRC-32 of the bytes after those of
 * `crc`, signed. Node's own is three times as fast, and a checksum is a third of what a stored entry costs.
 */
// biome-ignore lint/style/noDefaultExport: the shape of the package that it replaces
export default { buf: (bytes: Uint8Array, crc = 0) => native(bytes, crc >>> 0) | 0 };
