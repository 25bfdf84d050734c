import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { type Size, VARIANT_WIDTHS } from '../../statemachines/contracts.ts';
import { imageTooLarge, PermanentError, ThumbnailProcessingFailed, UnsupportedContent } from '../errors.ts';
import { decodeHeic } from './heic.ts';
import { MAXIMUM_PIXELS } from './sniff.ts';

// one image is one thread's work: images side by side use the cores, and every cached tile is memory
sharp.concurrency(1);
sharp.cache(false);

const INPUT = { failOn: 'error', limitInputPixels: MAXIMUM_PIXELS } as const;
const WHITE = '#ffffff';

export interface Stills {
  /** pixels of the upright original */
  width: number;
  height: number;
  /** progressive sRGB JPEGs without metadata */
  files: Record<Size, Buffer>;
}

interface Box {
  width: number;
  height: number;
}

/** Decoded 8-bit pixels. */
interface Pixels {
  data: Buffer;
  info: Box & { channels: 1 | 2 | 3 | 4 };
}

const fromPixels = ({ data, info }: Pixels) =>
  sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });

/** A still's exact size: given width, height by aspect (truncated, as the predecessor did), never enlarged. */
function box(upright: Box, maximumWidth: number): Box {
  const width = Math.min(maximumWidth, upright.width);
  return { width, height: Math.max(1, Math.trunc((upright.height * width) / upright.width)) };
}

/** To an exact size; the shrinking decoder's fast mode costs up to 3 dB on odd sides and a pixel of height. */
const resized = (image: Sharp, { width, height }: Box) =>
  image.resize({ width, height, fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false });

const pixelsOf = (image: Sharp): Promise<Pixels> =>
  image.flatten({ background: WHITE }).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });

/**
 * JPEG with an RGB profile (every recent phone: Display P3): libvips would convert all pixels of the original before it
 * shrinks them. Shrinking first and converting one megapixel gives the same picture at half the work.
 */
async function shrinkThenConvert(original: Buffer, size: Box): Promise<Pixels> {
  const shrunk = resized(sharp(original, { ...INPUT, ignoreIcc: true }).autoOrient(), size);
  return pixelsOf(sharp(await shrunk.keepIccProfile().tiff({ compression: 'none' }).toBuffer()));
}

/** PNG (level 0) with a colour profile: sharp cannot be told the profile of raw pixels. PNG 3rd edition, 11.3.2.3 iCCP. */
function withProfile(png: Buffer, profile: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from('iCCPprofile\0\0'), deflateSync(profile, { level: 1 })]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), chunk.length - 4);
  const afterHeader = 33; // signature and IHDR
  return Buffer.concat([png.subarray(0, afterHeader), chunk, png.subarray(afterHeader)]);
}

async function shrinkHeic(original: Buffer, profile: Buffer | undefined, name: string) {
  const decoded = await decodeHeic(original, name);
  const { width, height } = decoded.info;
  const shrunk = resized(fromPixels(decoded), box({ width, height }, VARIANT_WIDTHS.large)).flatten({
    background: WHITE,
  });
  if (!profile) return { upright: { width, height }, first: await pixelsOf(shrunk) };
  const png = withProfile(await shrunk.png({ compressionLevel: 0 }).toBuffer(), profile);
  return { upright: { width, height }, first: await pixelsOf(sharp(png)) };
}

async function header(original: Buffer, name: string): Promise<Metadata> {
  const metadata = await sharp(original, { ...INPUT, limitInputPixels: false }).metadata();
  const megapixels = (metadata.width * metadata.height) / 1e6;
  if (megapixels > MAXIMUM_PIXELS / 1e6) throw imageTooLarge(name, megapixels);
  if (!['jpeg', 'png', 'heif'].includes(metadata.format)) {
    throw new UnsupportedContent(
      `${name} is a ${metadata.format}, not a JPEG, PNG or HEIC. Please export it as one and upload that.`,
    );
  }
  return metadata;
}

async function shrink(original: Buffer, name: string): Promise<{ upright: Box; first: Pixels }> {
  const metadata = await header(original, name);
  if (metadata.format === 'heif') return shrinkHeic(original, metadata.icc, name);
  const upright = metadata.autoOrient;
  const size = box(upright, VARIANT_WIDTHS.large);
  const profiled = metadata.format === 'jpeg' && metadata.space === 'srgb' && metadata.icc;
  const first = profiled
    ? await shrinkThenConvert(original, size)
    : await pixelsOf(resized(sharp(original, INPUT).autoOrient(), size));
  return { upright, first };
}

/**
 * The four stills of a JPEG, PNG or HEIC: one decode to the largest, then each from the one above it, which costs less
 * than half of four decodes and looks better than from the original (bench/thumbnails.ts). `name` is for sentences.
 * Throws UNSUPPORTED_CONTENT, IMAGE_TOO_LARGE, or THUMBNAIL_PROCESSING_FAILED for a file that is damaged.
 */
export async function stills(original: Buffer, name: string): Promise<Stills> {
  const { upright, first } = await shrink(original, name).catch((error: unknown) => {
    throw asPermanent(error, name);
  });
  const encoded: Promise<[Size, Buffer]>[] = [];
  let pixels = first;
  for (const size of ['large', 'medium', 'small', 'thumbnail'] as const) {
    const target = box(upright, VARIANT_WIDTHS[size]);
    if (target.width !== pixels.info.width || target.height !== pixels.info.height) {
      pixels = await resized(fromPixels(pixels), target).raw().toBuffer({ resolveWithObject: true });
    }
    const jpeg = fromPixels(pixels).jpeg({ quality: 85, progressive: true, chromaSubsampling: '4:2:0' });
    encoded.push(jpeg.toBuffer().then((data) => [size, data]));
  }
  return { ...upright, files: Object.fromEntries(await Promise.all(encoded)) as Record<Size, Buffer> };
}

/** What a decoder says about a file, it says about that file: decoding again would end the same. */
function asPermanent(error: unknown, name: string) {
  if (error instanceof PermanentError) return error;
  if (error instanceof Error && error.message.includes('unsupported image format')) {
    return new UnsupportedContent(
      `${name} is not a JPEG, PNG or HEIC image. Please export it as one and upload that.`,
    );
  }
  return new ThumbnailProcessingFailed(
    `${name} is damaged and cannot be read. Please export it again and upload it.`,
    { cause: error },
  );
}
