/** What bench/bundle.ts compares; run as `node WORKER WAY FOLDER`, prints CPU milliseconds and peak MiB as JSON. */
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import { bundle } from '../lambdas/media/bundle.ts';

/** what a socket delivers at a time */
const CHUNK = 64 * 2 ** 10;

const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });
const open = (file: string) => createReadStream(file, { highWaterMark: CHUNK });

const ways: Record<string, (files: string[]) => Promise<unknown>> = {
  read: async (files) => {
    for (const file of files) await pipeline(open(file), nowhere());
  },
  bundle: (files) =>
    bundle(
      files.map((file) => ({
        name: path.basename(file),
        open: async () => ({ body: open(file), bytes: statSync(file).size, modified: new Date(0) }),
      })),
      nowhere(),
    ),
  deflate: async (files) => {
    const archive = new ZipArchive();
    const delivered = pipeline(archive, nowhere());
    for (const file of files) archive.append(open(file), { name: path.basename(file) });
    await archive.finalize();
    await delivered;
  },
};

async function run(way: string, folder: string) {
  const files = readdirSync(folder).map((name) => path.join(folder, name));
  const before = process.cpuUsage();
  await ways[way]?.(files);
  const { user, system } = process.cpuUsage(before);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  console.log(JSON.stringify({ cpu: (user + system) / 1000, peak: Math.round(Number(peak) / 1024) }));
}

const [, , way = '', folder = ''] = process.argv;
await run(way, folder);
