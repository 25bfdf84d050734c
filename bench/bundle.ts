/**
 * The bundle of a large listing, 60 photos and 2 videos (774 MB): CPU of writing it beside that of merely reading the
 * same bytes, and peak memory. Ratios of medians, in turn: `node bench/bundle.ts`.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { bundling } from '../lambdas/build.ts';

const ROUNDS = 3;
const PHOTO_BYTES = 6e6;
const VIDEO_BYTES = 207e6;
/** One way in a process of its own: CPU milliseconds, and peak memory in MiB (proc(5) VmHWM). */
function measure(worker: string, way: string, folder: string): { cpu: number; peak: number } {
  return JSON.parse(execFileSync(process.execPath, [worker, way, folder], { encoding: 'utf8' }));
}

const median = (values: number[]) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function main() {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-bundle-'));
  const built = mkdtempSync(path.join(tmpdir(), 'bench-built-'));
  const worker = path.join(built, 'worker.mjs');
  try {
    // built as the function is
    await build({
      ...bundling,
      entryPoints: [path.join(import.meta.dirname, 'bundle-ways.ts')],
      outfile: worker,
    });
    const random = (bytes: number) => randomFillSync(Buffer.allocUnsafe(bytes));
    for (let n = 0; n < 60; n++) writeFileSync(path.join(folder, `photo-${n}.jpg`), random(PHOTO_BYTES));
    for (let n = 0; n < 2; n++) writeFileSync(path.join(folder, `video-${n}.mp4`), random(VIDEO_BYTES));
    const found: Record<string, { cpu: number; peak: number }[]> = { read: [], bundle: [], deflate: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [way, measured] of Object.entries(found)) {
        if (way !== 'deflate' || round === 0) measured.push(measure(worker, way, folder));
      }
    }
    const cpu = (way: string) => median((found[way] ?? []).map((one) => one.cpu));
    console.log(`CPU of the bundle ÷ reading its bytes: ${(cpu('bundle') / cpu('read')).toFixed(2)}`);
    console.log(`CPU of the bundle ÷ the same deflated: ${(cpu('bundle') / cpu('deflate')).toFixed(2)}`);
    console.log(`peak memory: ${Math.max(...(found.bundle ?? []).map((one) => one.peak))} MiB`);
  } finally {
    rmSync(folder, { recursive: true });
    rmSync(built, { recursive: true });
  }
}

await main();
