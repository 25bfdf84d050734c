/**
 * The bundle of a large listing, 60 photos and 2 videos (774 MB): CPU of writing it beside that of merely reading the
 * same bytes, and peak memory. Ratios of medians, in turn: `node bench/bundle.ts`.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  createReadStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipArchive } from 'archiver';
import { bundle } from '../lambdas/media/bundle.ts';

const ROUNDS = 3;
const PHOTO_BYTES = 6e6;
const VIDEO_BYTES = 207e6;
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

/** One way in a process of its own: CPU milliseconds, and peak memory in MiB (proc(5) VmHWM). */
function measure(way: string, folder: string): { cpu: number; peak: number } {
  return JSON.parse(
    execFileSync(process.execPath, [import.meta.filename, way, folder], { encoding: 'utf8' }),
  );
}

async function run(way: string, folder: string) {
  const files = readdirSync(folder).map((name) => path.join(folder, name));
  const before = process.cpuUsage();
  await ways[way]?.(files);
  const { user, system } = process.cpuUsage(before);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  console.log(JSON.stringify({ cpu: (user + system) / 1000, peak: Math.round(Number(peak) / 1024) }));
}

const median = (values: number[]) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function main() {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-bundle-'));
  try {
    const random = (bytes: number) => randomFillSync(Buffer.allocUnsafe(bytes));
    for (let n = 0; n < 60; n++) writeFileSync(path.join(folder, `photo-${n}.jpg`), random(PHOTO_BYTES));
    for (let n = 0; n < 2; n++) writeFileSync(path.join(folder, `video-${n}.mp4`), random(VIDEO_BYTES));
    const found: Record<string, { cpu: number; peak: number }[]> = { read: [], bundle: [], deflate: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [way, measured] of Object.entries(found)) {
        if (way !== 'deflate' || round === 0) measured.push(measure(way, folder));
      }
    }
    const cpu = (way: string) => median((found[way] ?? []).map((one) => one.cpu));
    console.log(`CPU of the bundle ÷ reading its bytes: ${(cpu('bundle') / cpu('read')).toFixed(2)}`);
    console.log(`CPU of the bundle ÷ the same deflated: ${(cpu('bundle') / cpu('deflate')).toFixed(2)}`);
    console.log(`peak memory: ${Math.max(...(found.bundle ?? []).map((one) => one.peak))} MiB`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [way, folder] = process.argv.slice(2);
if (way && folder) await run(way, folder);
else main();
