/** Makes photos of 12 and 24 MP and three videos: `node bench/make-batch.ts FOLDER [PHOTOS]`. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { clip, photoJpeg } from '../local/samples.ts';

const [, , folder = '', photos = '60'] = process.argv;
if (!folder) throw new Error('usage: node bench/make-batch.ts FOLDER [PHOTOS]');
await mkdir(folder, { recursive: true });

const shapes = [
  { width: 4000, height: 3000 },
  { width: 6000, height: 4000 },
  { width: 3000, height: 4000, orientation: 6 },
] as const;
const limit = pLimit(2);
await Promise.all(
  Array.from({ length: Number(photos) }, (_, i) =>
    limit(async () => {
      const shape = shapes[i % shapes.length] ?? shapes[0];
      const jpeg = await photoJpeg({ ...shape, seed: i + 1, label: `Photo ${i + 1}` }, { quality: 95 });
      await writeFile(path.join(folder, `${String(i + 1).padStart(2, '0')}.jpg`), jpeg);
    }),
  ),
);
await clip(path.join(folder, 'v1.mp4'), { width: 1920, height: 1080, seconds: 6 });
await clip(path.join(folder, 'v2.mov'), { width: 1080, height: 1920, seconds: 6, rotation: 90 });
await clip(path.join(folder, 'v3.mp4'), { width: 1280, height: 720, seconds: 6 });
