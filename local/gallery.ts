import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import pLimit from 'p-limit';
import sharp from 'sharp';
import type { Downloads, GalleryItem } from './client.ts';

const run = promisify(execFile);

export interface SavedItem {
  item: GalleryItem;
  type: string;
  /** size → what the delivered JPEG really is */
  stills: Record<string, { file: string; width: number; height: number }>;
}

export interface SavedGallery {
  page: string;
  bundle: string;
  /** what `unzip -t` says of the bundle, entry by entry */
  bundleReport: string;
  items: SavedItem[];
}

async function fetchTo(url: string, file: string) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`download refused: ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
}

const escapeHtml = (text: string) => text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (items: SavedItem[]) => `<!doctype html>
<meta charset="utf-8"><title>Listing gallery</title>
<style>body{font:15px system-ui;margin:2rem;background:#fafafa;color:#222}main{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;background:#fff;padding:.5rem;box-shadow:0 1px 4px #0003}figcaption{max-width:400px;color:#555}</style>
<h1>Listing gallery</h1><main>${items
  .map(({ item, stills }) => {
    const sizes = Object.entries(stills).map(
      ([size, still]) => `<a href="${escapeHtml(still.file)}">${size} ${still.width}×${still.height}</a>`,
    );
    return `<figure><img src="${escapeHtml(stills.small?.file ?? '')}" alt="">
      <figcaption>${escapeHtml(item.title ?? item.label)}<br>${sizes.join(' · ')}</figcaption></figure>`;
  })
  .join('\n')}</main>`;

/**
 * Downloads every still and the bundle into `folder`, decodes the stills, tests the bundle with `unzip -t`, and
 * writes a page that shows them. Throws when a download is refused, a still is no JPEG, or the bundle is damaged.
 */
export async function saveGallery(downloads: Downloads, folder: string): Promise<SavedGallery> {
  await mkdir(folder, { recursive: true });
  const limit = pLimit(4);
  const items = await Promise.all(
    downloads.downloads.flatMap((group) =>
      'items' in group
        ? group.items.map(async (item) => {
            const stills = await Promise.all(
              Object.entries(item.sizes).map(([size, url]) =>
                limit(async () => {
                  const file = `${group.type.toLowerCase()}-${item.sequence}-${size}.jpg`;
                  await fetchTo(url, path.join(folder, file));
                  const { width, height, format } = await sharp(path.join(folder, file)).metadata();
                  if (format !== 'jpeg') throw new Error(`${file} is ${format}, not JPEG`);
                  return [size, { file, width, height }] as const;
                }),
              ),
            );
            return { item, type: group.type, stills: Object.fromEntries(stills) };
          })
        : [],
    ),
  );
  const zip = downloads.downloads.find((group) => 'url' in group);
  if (!zip) throw new Error('the gallery has no bundle');
  const bundle = path.join(folder, 'listing-media.zip');
  await fetchTo(zip.url, bundle);
  const { stdout } = await run('unzip', ['-t', bundle]);
  const index = path.join(folder, 'index.html');
  await writeFile(index, page(items));
  return { page: index, bundle, bundleReport: stdout, items };
}
