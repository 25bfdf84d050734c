import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';

export interface ZipEntry {
  name: string;
  content: Buffer;
  /** CRC-32 that the central directory states; equal to the content's, or reading throws */
  declaredCrc: number;
  /** 0 is stored, 8 deflated */
  compressionMethod: number;
  modified: Date;
  /** file type and permissions, as Unix has them; 0 where the writer stated none */
  mode: number;
}

/** Entries of an archive, read by a reader that shares no code with the writer. */
export async function entries(zip: Buffer): Promise<ZipEntry[]> {
  const file = await fromBufferPromise(zip, { lazyEntries: true });
  const found: ZipEntry[] = [];
  for await (const entry of file.eachEntry()) {
    const content = await buffer(await file.openReadStreamPromise(entry));
    if (crc32(content) !== entry.crc32) throw new Error(`${entry.fileName}: wrong CRC`);
    found.push({
      name: entry.fileName,
      content,
      declaredCrc: entry.crc32,
      compressionMethod: entry.compressionMethod,
      modified: entry.getLastModDate({ timezone: 'UTC' }),
      mode: entry.externalFileAttributes >>> 16,
    });
  }
  return found;
}
