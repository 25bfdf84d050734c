import { once } from 'node:events';
import { type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';

/** One original, opened when its turn is near. */
export interface Source {
  /** path inside the archive */
  name: string;
  open(): Promise<{ body: Readable; bytes: number; modified: Date }>;
}

/** How much of the next original is read while the one before it is written. */
const PREFETCH_BYTES = 4 * 2 ** 20;

/** Names that differ whatever a file system thinks of case: a later double becomes `name-2.jpg`. */
export function uniqueNames(names: string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const [, stem = name, extension = ''] = /^(.*?)(\.[^./]*)?$/.exec(name) ?? [];
    let unique = name;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${stem}-${n}${extension}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Opens an original and reads ahead. `failure` hears of a body that breaks or is not as long as was said, and ends it. */
async function readAhead({ name, open }: Source, failure: AbortController) {
  const { body, bytes, modified } = await open();
  let seen = 0;
  const content = new Transform({
    readableHighWaterMark: PREFETCH_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      done(null, chunk);
    },
    flush: (done) => done(seen === bytes ? null : new Error(`${name} ended after ${seen} of ${bytes} bytes`)),
  });
  pipeline(body, content, { signal: failure.signal }).catch((error) => failure.abort(error));
  return { name, bytes, modified, content };
}

/**
 * Streams originals, stored and in order, into one ZIP (ZIP64 only where a size needs it). Holds a few MiB, whatever
 * the sizes; while one original is written, the next is already being read. Rejects with the first failure of a source
 * or of the destination, with every stream destroyed.
 */
export async function bundle(
  sources: Source[],
  destination: Writable,
): Promise<{ zipBytes: number; unzippedBytes: number }> {
  // the archive neither hears a source fail nor the destination: all failures meet here
  const failure = new AbortController();
  const fail = (error: unknown) => failure.abort(error);
  const archive = new ZipArchive({ store: true });
  const delivered = pipeline(archive, destination);
  delivered.catch(fail);
  const come = (source: Source | undefined) => {
    const coming = source && readAhead(source, failure);
    coming?.catch(fail);
    return coming;
  };

  let coming = come(sources[0]);
  try {
    let unzippedBytes = 0;
    for (const next of [...sources.slice(1), undefined]) {
      const current = await coming;
      if (!current) break;
      coming = come(next);
      const written = once(archive, 'entry', { signal: failure.signal });
      archive.append(current.content, { name: current.name, date: current.modified });
      await written;
      unzippedBytes += current.bytes;
    }
    await Promise.all([archive.finalize(), delivered]);
    return { zipBytes: archive.pointer(), unzippedBytes };
  } catch (error) {
    fail(error); // changes nothing when it is only the echo of an earlier failure
    archive.destroy(failure.signal.reason);
    destination.destroy(failure.signal.reason);
    throw failure.signal.reason;
  }
}
