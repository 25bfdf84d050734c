import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { UploadType } from '../statemachines/contracts.ts';
import type { LocalFile } from './client.ts';

const run = promisify(execFile);

const CONTENT_TYPES: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.heic': 'image/heic',
  '.mp4': 'video/mp4',
  '.mov': 'video/quicktime',
};

const FRAME = ['stream=width,height', 'stream_side_data=rotation', 'stream_tags=rotate'].join(':');

/** Whether the upright picture is higher than wide; a file that cannot be read counts as horizontal. */
async function isVertical(file: string, contentType: string): Promise<boolean> {
  if (contentType.startsWith('image/')) {
    const { autoOrient } = await sharp(file)
      .metadata()
      .catch(() => ({ autoOrient: { width: 1, height: 0 } }));
    return autoOrient.height > autoOrient.width;
  }
  const probe = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', FRAME, '-of', 'json', file];
  const { stdout } = await run('ffprobe', probe).catch(() => ({ stdout: '{}' }));
  const stream = JSON.parse(stdout).streams?.[0] ?? {};
  const rotation = stream.side_data_list?.find((data: { rotation?: number }) => data.rotation)?.rotation ?? 0;
  const turned = Math.abs(rotation) % 180 === 90;
  return turned ? stream.width > stream.height : stream.height > stream.width;
}

/** The photos and videos of a folder in the order of their names, each with its type and sequence. */
export async function readFolder(folder: string): Promise<{ files: LocalFile[]; left: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
  const sequences = new Map<UploadType, number>();
  const files: LocalFile[] = [];
  const left: string[] = [];
  for (const name of names) {
    const contentType = CONTENT_TYPES[path.extname(name).toLowerCase()];
    if (!contentType) {
      left.push(name);
      continue;
    }
    const file = path.join(folder, name);
    const kind = contentType.startsWith('image/') ? 'PHOTO' : 'VIDEO';
    const assetType: UploadType = `${kind}_${(await isVertical(file, contentType)) ? 'VERTICAL' : 'HORIZONTAL'}`;
    const sequence = (sequences.get(assetType) ?? 0) + 1;
    sequences.set(assetType, sequence);
    files.push({
      path: file,
      clientId: `file-${String(files.length + 1).padStart(2, '0')}`,
      assetType,
      contentType,
      sequence,
      title: name,
    });
  }
  return { files, left };
}
