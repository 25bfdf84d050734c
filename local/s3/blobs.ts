import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Segment } from './object.ts';

/** The bytes of objects as files, each written once under a random name and never changed. */
export interface Blobs {
  create(): { id: string; sink: Writable };
  /** A second name for the same bytes, so that each may be removed without the other. */
  duplicate(id: string): Promise<string>;
  /** Bytes `start` up to but not including `end` of the segments one after the other. */
  read(segments: readonly Segment[], start: number, end: number): AsyncGenerator<Buffer>;
  /** Keeps the segments readable, even when they are removed meanwhile, until the returned function is called. */
  hold(segments: readonly Segment[]): () => void;
  remove(ids: Iterable<string>): void;
  /** Removes what no object refers to: the rest of uploads that a crash has cut off. */
  sweep(known: ReadonlySet<string>): void;
}

const READ_BYTES = 262_144;

export function createBlobs(directory: string): Blobs {
  mkdirSync(directory, { recursive: true });
  const path = (id: string) => join(directory, id);
  const holders = new Map<string, number>();
  const doomed = new Set<string>();

  function unlink(id: string) {
    if (holders.has(id)) doomed.add(id);
    else rmSync(path(id), { force: true });
  }

  function release(id: string) {
    const left = (holders.get(id) ?? 1) - 1;
    if (left > 0) {
      holders.set(id, left);
      return;
    }
    holders.delete(id);
    if (doomed.delete(id)) unlink(id);
  }

  return {
    create() {
      const id = randomUUID();
      return { id, sink: createWriteStream(path(id), { flags: 'wx', highWaterMark: READ_BYTES }) };
    },

    async duplicate(id) {
      const copy = randomUUID();
      await link(path(id), path(copy));
      return copy;
    },

    async *read(segments, start, end) {
      let offset = 0;
      for (const { blob, bytes } of segments) {
        const from = Math.max(start - offset, 0);
        const to = Math.min(end - offset, bytes);
        offset += bytes;
        if (from >= to) continue;
        yield* createReadStream(path(blob), { start: from, end: to - 1, highWaterMark: READ_BYTES });
      }
    },

    hold(segments) {
      const ids = segments.map(({ blob }) => blob);
      for (const id of ids) holders.set(id, (holders.get(id) ?? 0) + 1);
      return () => {
        for (const id of ids.splice(0)) release(id);
      };
    },

    remove(ids) {
      for (const id of ids) unlink(id);
    },

    sweep(known) {
      for (const id of readdirSync(directory)) if (!known.has(id)) unlinkSync(path(id));
    },
  };
}
