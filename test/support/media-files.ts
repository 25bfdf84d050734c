import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LocalFile } from '../../local/client.ts';
import { photoJpeg } from '../../local/samples.ts';

const CONTENT_TYPES: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.mov': 'video/quicktime',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
};

/** Real files below a folder, each with what a manifest says of it. */
export function mediaFiles(folder: string) {
  /** One file of these bytes, or of what is written to its path: by default the first horizontal photo. */
  async function file(
    name: string,
    bytes: Buffer | ((file: string) => Promise<void>),
    about: Partial<LocalFile> = {},
  ): Promise<LocalFile> {
    await mkdir(folder, { recursive: true });
    const where = path.join(folder, `${randomUUID()}-${name}`);
    if (typeof bytes === 'function') await bytes(where);
    else await writeFile(where, bytes);
    return {
      path: where,
      clientId: name.replace(/\W/g, '-'),
      assetType: 'PHOTO_HORIZONTAL',
      contentType: CONTENT_TYPES[path.extname(name)] ?? 'application/octet-stream',
      sequence: 1,
      ...about,
    };
  }

  /** `photo-1.jpg` and so on, each another picture. */
  const photos = (count: number, size = { width: 800, height: 600 }) =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const sequence = index + 1;
        const bytes = await photoJpeg({ ...size, seed: sequence, label: `Photo ${sequence}` });
        return file(`photo-${sequence}.jpg`, bytes, { sequence });
      }),
    );

  return { file, photos };
}
