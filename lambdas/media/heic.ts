import pLimit from 'p-limit';
import { imageTooLarge } from '../errors.ts';
import { MAXIMUM_PIXELS } from './sniff.ts';

/** libheif's WebAssembly memory grows with every picture that is open in it. */
const oneAtATime = pLimit(1);

/**
 * Upright RGBA pixels of a HEIC's first picture, in the file's own colours: sharp's libvips is built without an HEVC
 * decoder. libheif applies the rotation of the container (`irot`, `imir`); the EXIF tag that repeats it must be ignored.
 */
export const decodeHeic = (original: Buffer, name: string) =>
  oneAtATime(async () => {
    const { default: heic } = await import('heic-decode');
    const pictures = await heic.all({ buffer: original });
    try {
      const picture = pictures[0];
      if (!picture) throw new Error('no picture in the file');
      const pixels = picture.width * picture.height;
      if (pixels > MAXIMUM_PIXELS) throw imageTooLarge(name, pixels / 1e6);
      const { data, width, height } = await picture.decode();
      return {
        data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        info: { width, height, channels: 4 as const },
      };
    } finally {
      pictures.dispose();
    }
  });
