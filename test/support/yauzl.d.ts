/** The part of yauzl 3.4 that the tests use; the package ships no types. */
declare module 'yauzl' {
  import type { Readable } from 'node:stream';

  export interface Entry {
    fileName: string;
    crc32: number;
    compressionMethod: number;
    externalFileAttributes: number;
    getLastModDate(options?: { timezone?: 'local' | 'UTC' }): Date;
  }
  export interface ZipFile {
    eachEntry(): AsyncIterable<Entry>;
    openReadStreamPromise(entry: Entry): Promise<Readable>;
  }
  export function fromBufferPromise(zip: Buffer, options: { lazyEntries: true }): Promise<ZipFile>;
}
