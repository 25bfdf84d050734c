import { type Size, type UploadType, VARIANT_WIDTHS } from './contracts.ts';

/** Folder of an asset type below `raw/` and `processed/`. */
export const SEGMENTS: Record<UploadType, string> = {
  PHOTO_VERTICAL: 'photo/vertical',
  PHOTO_HORIZONTAL: 'photo/horizontal',
  VIDEO_VERTICAL: 'video/vertical',
  VIDEO_HORIZONTAL: 'video/horizontal',
  PROJECT_DOC: 'project/doc',
  PROJECT_RENDER: 'project/render',
};

const REFERENCE_LENGTH = 48;
const FILENAME_LENGTH = 96;
const EXTENSION_LENGTH = 8;

const EXTENSIONS: Record<string, string> = {
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/heic': '.heic',
  'video/mp4': '.mp4',
  'video/quicktime': '.mov',
  'application/pdf': '.pdf',
};

/** `[A-Za-z0-9_-]`, at most 48 characters; empty when nothing usable is left. */
export const cleanReference = (reference: string) =>
  reference
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, REFERENCE_LENGTH)
    .replace(/-+$/, '');

/** `[A-Za-z0-9._-]`, at most 96 characters, extension kept (or given by the content type). */
export function cleanFilename(filename: string, contentType: string) {
  const clean = filename.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/\.{2,}/g, '.');
  const match = /^(.*?)(\.[A-Za-z0-9]{1,8})?$/.exec(clean.replace(/[-.]+$/, ''));
  const extension = (match?.[2] ?? EXTENSIONS[contentType] ?? '.bin').slice(0, EXTENSION_LENGTH + 1);
  const stem = (match?.[1] ?? '').replace(/^[-.]+|[-.]+$/g, '') || 'file';
  return stem.slice(0, FILENAME_LENGTH - extension.length) + extension;
}

/** `horizontal-01` style, for an asset whose client id leaves nothing usable. */
export const sequenceReference = (type: UploadType, sequence: number) =>
  `${SEGMENTS[type].split('/')[1]}-${String(sequence).padStart(2, '0')}`;

export interface RawObject {
  listingIdentityId: number;
  type: UploadType;
  /** already clean; the caller sees to it that no two originals of a listing share a stem, whatever the case */
  reference: string;
  filename: string;
  contentType: string;
}

/** Where an original lives: `{listingIdentityId}/raw/{segment}/{reference}-{filename}`. */
export const rawKey = (object: RawObject) =>
  `${object.listingIdentityId}/raw/${SEGMENTS[object.type]}/${object.reference}-${cleanFilename(object.filename, object.contentType)}`;

/** The parts of a raw key. Throws on a key that is not one. */
export function parseRawKey(key: string) {
  const match = /^(\d+)\/raw\/([a-z]+\/[a-z]+)\/([^/]+)$/.exec(key);
  const [, listing, segment, filename] = match ?? [];
  if (!listing || !segment || !filename) throw new Error(`not the key of an original: ${key}`);
  return { listingIdentityId: Number(listing), segment, filename, stem: filename.replace(/\.[^.]*$/, '') };
}

const processed = (raw: string, size: Size | 'original', name: string) => {
  const { listingIdentityId, segment } = parseRawKey(raw);
  return `${listingIdentityId}/processed/${segment}/${size}/${name}`;
};

/** A still of an original (or of a video's poster frame): a JPEG, whatever the original was. */
export const variantKey = (raw: string, size: Size) => processed(raw, size, `${parseRawKey(raw).stem}.jpg`);

/** size → key of the four stills. */
export const variantKeys = (raw: string) =>
  Object.fromEntries(
    (Object.keys(VARIANT_WIDTHS) as Size[]).map((size) => [size, variantKey(raw, size)]),
  ) as Record<Size, string>;

/** A document's copy. */
export const copyKey = (raw: string) => processed(raw, 'original', parseRawKey(raw).filename);

/** MediaConvert's destination folder for a video, as a key prefix ending in `/`. */
export const videoPrefix = (raw: string) => processed(raw, 'original', '');

/** MediaConvert names a rendition `{input base name}{NameModifier}.mp4`. */
export const videoKeys = (raw: string) => ({
  original_1080p: `${videoPrefix(raw)}${parseRawKey(raw).stem}-1080p.mp4`,
  original_720p: `${videoPrefix(raw)}${parseRawKey(raw).stem}-720p.mp4`,
});

/** Captured frames, best first: second 1, and second 0 for a clip shorter than that. */
export const posterKeys = (raw: string) =>
  ['0000001', '0000000'].map((frame) => `${videoPrefix(raw)}${parseRawKey(raw).stem}-poster.${frame}.jpg`);

/** The one bundle of a listing, overwritten by each successful finalization. */
export const bundleKey = (listingIdentityId: number) =>
  `${listingIdentityId}/processed/zip/listing-media.zip`;

/** Name inside the bundle: `photo/horizontal/horizontal-01-IMG_2907.jpg`. */
export const bundleEntry = (raw: string) => {
  const { segment, filename } = parseRawKey(raw);
  return `${segment}/${filename}`;
};
