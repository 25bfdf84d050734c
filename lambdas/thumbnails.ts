import pLimit from 'p-limit';
import type { z } from 'zod';
import { type Asset, type Size, Thumbnails } from '../statemachines/contracts.ts';
import { copyKey, posterKeys, variantKeys, videoKeys } from '../statemachines/object-keys.ts';
import { fileName, ImageTooLarge, PermanentError, VideoThumbnailFailed } from './errors.ts';
import { stills } from './media/image.ts';
import { videoFacts } from './media/video.ts';
import { mediaObjects, type Objects } from './objects.ts';
import { task } from './task.ts';

type Input = z.output<typeof Thumbnails.input>;
type Output = z.input<typeof Thumbnails.output>;

/** Bound of what one process holds: four camera photos of 24 MP stay below 320 MiB. */
const IN_FLIGHT = 4;
const MAXIMUM_BYTES = 256 * 2 ** 20;
/** A retry replaces a still under its own key, so browsers may keep one no longer than its URL lives. */
const JPEG = { contentType: 'image/jpeg', cacheControl: 'private, max-age=3600' };

/** Makes the four stills of the picture under `key` and stores them as those of `asset`. */
async function storeStills(objects: Objects, key: string, asset: Asset) {
  const name = fileName(asset.key);
  const original = await objects.read(
    key,
    MAXIMUM_BYTES,
    () => new ImageTooLarge(`${name} has more than 256 MiB. Please export it smaller and upload it again.`),
  );
  const { width, height, files } = await stills(original, name);
  const keys = variantKeys(asset.key);
  await Promise.all((Object.keys(keys) as Size[]).map((size) => objects.put(keys[size], files[size], JPEG)));
  return { keys, width, height };
}

async function document(objects: Objects, { asset }: Input): Promise<Output> {
  const key = copyKey(asset.key);
  await objects.copy(asset.key, key);
  return { rawKey: asset.key, variants: { original: key } };
}

async function photo(objects: Objects, { asset }: Input): Promise<Output> {
  const { keys, width, height } = await storeStills(objects, asset.key, asset);
  return { rawKey: asset.key, variants: keys, width, height };
}

async function video(objects: Objects, { asset, transcode }: Input): Promise<Output> {
  const failed = (what: string) =>
    new VideoThumbnailFailed(`${what} of ${fileName(asset.key)} could not be made. Please try again.`);
  const renditions = videoKeys(asset.key);
  const frames = posterKeys(asset.key);
  const [hd, sd, ...found] = await Promise.all(
    [...Object.values(renditions), ...frames].map((key) => objects.head(key)),
  );
  if (!hd || !sd) throw failed('A converted version');
  const frame = frames.find((_, index) => found[index]);
  if (!frame) throw failed('The preview image');

  const { keys } = await storeStills(objects, frame, asset).catch((error: unknown) => {
    throw error instanceof PermanentError ? failed('The preview image') : error;
  });
  return {
    rawKey: asset.key,
    variants: { ...keys, ...renditions },
    ...videoFacts(transcode?.outputDetails ?? []),
  };
}

/**
 * Makes what is derived from one original and stores it under deterministic keys, all or nothing reported: stills of a
 * photo or of a video's poster frame, the copy of a document.
 */
export function thumbnails(objects: Objects) {
  const limit = pLimit(IN_FLIGHT);
  return (input: Input): Promise<Output> => {
    if (input.asset.type === 'PROJECT_DOC') return document(objects, input);
    return limit(input.asset.type.startsWith('VIDEO') ? video : photo, objects, input);
  };
}

export const handler = task('thumbnails', Thumbnails, (environment) =>
  thumbnails(mediaObjects(environment.MEDIA_BUCKET)),
);
