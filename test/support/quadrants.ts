import sharp, { type Sharp } from 'sharp';

/** Corner colours of the upright picture, clockwise from the top left: red, green, white, blue. */
export type Corner = 'red' | 'green' | 'white' | 'blue';

const COLOURS: Record<Corner, readonly [number, number, number]> = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
  white: [255, 255, 255],
};

/** Corners of the upright picture for each EXIF orientation (TIFF 6.0, tag 274) of red green / blue white as stored. */
export const UPRIGHT: Record<number, [Corner, Corner, Corner, Corner]> = {
  1: ['red', 'green', 'blue', 'white'],
  2: ['green', 'red', 'white', 'blue'],
  3: ['white', 'blue', 'green', 'red'],
  4: ['blue', 'white', 'red', 'green'],
  5: ['red', 'blue', 'green', 'white'],
  6: ['blue', 'red', 'white', 'green'],
  7: ['white', 'green', 'blue', 'red'],
  8: ['green', 'white', 'red', 'blue'],
};

/** A picture of four quadrants, red green / blue white, as an uncompressed pipeline. */
export function quadrants(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const corner = y < height / 2 ? (x < width / 2 ? 'red' : 'green') : x < width / 2 ? 'blue' : 'white';
      pixels.set(COLOURS[corner], (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** A JPEG of them whose EXIF orientation tag is set, without a colour profile. */
export async function orientedJpeg(width: number, height: number, orientation: number): Promise<Buffer> {
  const jpeg = await quadrants(width, height)
    .withExif({ IFD0: { Make: 'Test' } })
    .jpeg({ quality: 95 })
    .toBuffer();
  const entry = jpeg.indexOf(Buffer.from([0x12, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00]));
  if (entry < 0) throw new Error('no orientation tag');
  jpeg[entry + 8] = orientation;
  return jpeg;
}

/** RGB at the middle of each quadrant: top left, top right, bottom left, bottom right. */
export async function quadrantColours(image: Buffer): Promise<[number, number, number][]> {
  const { data, info } = await sharp(image).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): [number, number, number] => {
    const offset = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
    const pixel = [0, 1, 2].map((channel) => data[offset + (info.channels < 3 ? 0 : channel)] ?? -1);
    return [pixel[0] ?? -1, pixel[1] ?? -1, pixel[2] ?? -1];
  };
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
}

/** The four corners by name; each channel within `tolerance` of the pure colour. */
export async function corners(image: Buffer, tolerance = 24): Promise<(Corner | string)[]> {
  return (await quadrantColours(image)).map((colour) => {
    const near = (Object.entries(COLOURS) as [Corner, readonly number[]][]).find(([, pure]) =>
      pure.every((value, channel) => Math.abs(value - (colour[channel] ?? -999)) <= tolerance),
    );
    return near?.[0] ?? `rgb(${colour})`;
  });
}
