import { fileTypeFromBuffer } from 'file-type';
import { imageSize } from 'image-size';
import type { UploadType } from '../../statemachines/contracts.ts';

/** What an original of each type may be, by its own bytes (IANA media types). */
const STILLS = ['image/jpeg', 'image/png', 'image/heic', 'image/heif'];
const CLIPS = ['video/mp4', 'video/quicktime', 'video/x-m4v'];
const ALLOWED: Record<UploadType, readonly string[]> = {
  PHOTO_VERTICAL: STILLS,
  PHOTO_HORIZONTAL: STILLS,
  PROJECT_RENDER: STILLS,
  VIDEO_VERTICAL: CLIPS,
  VIDEO_HORIZONTAL: CLIPS,
  PROJECT_DOC: ['application/pdf'],
};

/** Names of one thing: HEIC is a HEIF, and an MP4 is a QuickTime container by another brand. */
const FAMILIES = [['image/heic', 'image/heif'], CLIPS];
const SAYS_NOTHING = ['', 'application/octet-stream', 'binary/octet-stream'];

export const MAXIMUM_PIXELS = 100_000_000;

/** Media type by magic bytes; undefined for what has none (text, HTML, SVG, noise). Never throws. */
export async function sniff(start: Uint8Array): Promise<string | undefined> {
  try {
    return (await fileTypeFromBuffer(start))?.mime;
  } catch {
    return undefined;
  }
}

/** May an original of this type be one of these files? */
export const allowed = (type: UploadType, mediaType: string | undefined) =>
  mediaType !== undefined && ALLOWED[type].includes(mediaType);

/** What to tell a person who uploaded something else. */
export const expected = (type: UploadType) =>
  type === 'PROJECT_DOC' ? 'PDF' : type.startsWith('VIDEO') ? 'MP4 or MOV video' : 'JPEG, PNG or HEIC image';

/** Does the content type that was declared at upload agree with the bytes? */
export function agrees(declared: string, mediaType: string): boolean {
  const type = declared.split(';')[0]?.trim().toLowerCase() ?? '';
  if (SAYS_NOTHING.includes(type) || type === mediaType) return true;
  return FAMILIES.some((family) => family.includes(type) && family.includes(mediaType));
}

/** Pixels of a JPEG, PNG or HEIC by its header alone; undefined when the header is not within `start`. Never throws. */
export function pixels(start: Uint8Array): number | undefined {
  try {
    const { width, height } = imageSize(start);
    return width > 0 && height > 0 ? width * height : undefined;
  } catch {
    return undefined;
  }
}
