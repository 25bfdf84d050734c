/**
 * The stills of camera photos: CPU of the pipeline beside that of other ways to make the same files, and its peak
 * memory. Ratios of medians, measured in turn in one warm process: `node bench/thumbnails.ts`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import sharp from 'sharp';
import { stills } from '../lambdas/media/image.ts';
import { photoJpeg } from '../local/samples.ts';
import { VARIANT_WIDTHS } from '../statemachines/contracts.ts';

const ROUNDS = 7;
const WIDTHS = Object.values(VARIANT_WIDTHS);
const jpeg = { quality: 85, progressive: true } as const;

/** The usual code: one pipeline a size, each with its own decode. */
const fourPipelines = (original: Buffer) =>
  Promise.all(WIDTHS.map((width) => sharp(original).autoOrient().resize({ width }).jpeg(jpeg).toBuffer()));

/** The predecessor's algorithm in libvips: decode all pixels, then Lanczos from all of them for each size. */
async function fullDecode(original: Buffer) {
  const { data, info } = await sharp(original).autoOrient().raw().toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  for (const width of WIDTHS) await sharp(data, { raw }).resize({ width }).jpeg(jpeg).toBuffer();
}

/** No still at all: every pixel decoded once. */
const onlyDecode = (original: Buffer) => sharp(original).raw().toBuffer();

const each = async (photos: Buffer[], way: (photo: Buffer) => Promise<unknown>) => {
  for (const photo of photos) await way(photo);
};

async function cpuMilliseconds(work: () => Promise<unknown>) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const median = (values: number[]) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Median CPU milliseconds a photo of each way, measured in turn. */
async function compare(ways: Record<string, (photo: Buffer) => Promise<unknown>>, photos: Buffer[]) {
  const found: Record<string, number[]> = {};
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const spent = await cpuMilliseconds(() => each(photos, way));
      if (round >= 0) found[name] = [...(found[name] ?? []), spent / photos.length]; // the first round warms up
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, median(values)]));
}

/** Peak resident memory of this process, MiB, after 24 photos of a folder, four at a time as in the function. */
async function memory(folder: string) {
  const limit = pLimit(4);
  const files = readdirSync(folder).map((name) => path.join(folder, name));
  const work = async (index: number) =>
    stills(await readFile(files[index % files.length] ?? ''), 'photo.jpg');
  await Promise.all(Array.from({ length: 24 }, (_, index) => limit(work, index)));
  // ru_maxrss would begin with the parent's memory; proc(5) VmHWM begins at exec
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  console.log(Math.round(Number(peak) / 1024));
}

async function main() {
  const ours = (photo: Buffer) => stills(photo, 'photo.jpg');
  const photos = await Promise.all(
    [1, 2, 3].map((seed) => photoJpeg({ width: 4928, height: 3264, seed, orientation: seed === 2 ? 6 : 1 })),
  );
  const { ours: own = Number.NaN, ...others } = await compare(
    { ours, fourPipelines, fullDecode, onlyDecode },
    photos,
  );
  for (const [name, value] of Object.entries(others)) {
    console.log(`CPU of four stills of 16 MP ÷ ${name}: ${(own / value).toFixed(2)}`);
  }

  const p3 = await Promise.all(
    photos.map((photo) => sharp(photo).keepExif().withIccProfile('p3').jpeg({ quality: 90 }).toBuffer()),
  );
  const plain = await Promise.all(
    p3.map((photo) => sharp(photo, { ignoreIcc: true }).keepExif().jpeg({ quality: 90 }).toBuffer()),
  );
  const profiled = await compare({ p3: () => each(p3, ours), plain: () => each(plain, ours) }, [
    Buffer.alloc(0),
  ]);
  console.log(
    `the same with a Display P3 profile ÷ without: ${((profiled.p3 ?? 0) / (profiled.plain ?? 1)).toFixed(2)}`,
  );

  const folder = mkdtempSync(path.join(tmpdir(), 'bench-thumbnails-'));
  try {
    for (const seed of [1, 2, 3, 4]) {
      await writeFile(path.join(folder, `${seed}.jpg`), await photoJpeg({ width: 6000, height: 4000, seed }));
    }
    const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
    const peak = execFileSync(process.execPath, [import.meta.filename, folder], { env, encoding: 'utf8' });
    console.log(`peak memory, four photos of 24 MP at a time: ${peak.trim()} MiB`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [folder] = process.argv.slice(2);
await (folder ? memory(folder) : main());
