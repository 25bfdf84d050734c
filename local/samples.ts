import { execFile } from 'node:child_process';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp, { type JpegOptions, type Sharp } from 'sharp';

const run = promisify(execFile);

/** EXIF orientation tag: 1 is upright, 6 a phone held upright, 2, 4, 5 and 7 are mirrored. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export interface Photo {
  /** pixels of the upright picture */
  width: number;
  height: number;
  orientation?: Orientation;
  /** distinguishes one picture from the next: sky, walls and label */
  seed?: number;
  label?: string;
  /** writes a position into the EXIF block, as a phone does */
  gps?: boolean;
}

/** A house under a sky, on a lawn, with its label: asymmetric, so that a wrong rotation shows. */
function scene({ width, height, seed = 1, label = '' }: Photo) {
  const hue = (seed * 47) % 360;
  const text = label.replace(/[<>&"']/g, ' ');
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 1200 900" preserveAspectRatio="none">
    <defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="hsl(${(200 + hue / 6) % 360},70%,45%)"/><stop offset="1" stop-color="hsl(${(30 + hue / 9) % 360},80%,85%)"/>
    </linearGradient></defs>
    <rect width="1200" height="900" fill="url(#sky)"/>
    <circle cx="${180 + (hue % 300)}" cy="150" r="70" fill="#fff3c4"/>
    <rect y="640" width="1200" height="260" fill="hsl(${95 + (hue % 40)},45%,38%)"/>
    <polygon points="300,420 620,200 940,420" fill="hsl(${hue},45%,32%)"/>
    <rect x="350" y="420" width="540" height="300" fill="hsl(${(hue + 30) % 360},35%,86%)"/>
    <rect x="560" y="540" width="110" height="180" fill="hsl(${(hue + 180) % 360},40%,30%)"/>
    <rect x="410" y="480" width="100" height="100" fill="#cfe8ff" stroke="#fff" stroke-width="10"/>
    <rect x="730" y="480" width="100" height="100" fill="#cfe8ff" stroke="#fff" stroke-width="10"/>
    <text x="600" y="830" font-family="sans-serif" font-size="64" text-anchor="middle" fill="#fff">${text}</text>
  </svg>`);
}

/** Sensor noise, so that a photo has the bytes of a photo. */
async function noise(width: number, height: number, seed: number) {
  const side = Math.min(512, width, height);
  const pixels = Buffer.alloc(side * side);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < pixels.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    pixels[i] = 118 + (state % 20);
  }
  const tile = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
    .png()
    .toBuffer();
  return { input: tile, tile: true, blend: 'soft-light' as const, left: 0, top: 0, width, height };
}

/** The pixels as a camera with this orientation tag would store them. */
async function stored(upright: Sharp, orientation: Orientation): Promise<Sharp> {
  const turned = async (degrees: number) =>
    sharp(await upright.rotate(degrees).png({ compressionLevel: 0 }).toBuffer(), { limitInputPixels: false });
  switch (orientation) {
    case 1:
      return upright;
    case 2:
      return upright.flop();
    case 3:
      return turned(180);
    case 4:
      return upright.flip();
    case 5:
      return (await turned(90)).flop();
    case 6:
      return turned(270);
    case 7:
      return (await turned(90)).flip();
    case 8:
      return turned(90);
  }
}

/** The upright picture as a sharp pipeline of 8-bit sRGB pixels. */
export async function picture(photo: Photo): Promise<Sharp> {
  const composed = await sharp(scene(photo), { limitInputPixels: false })
    .flatten({ background: '#fff' })
    .composite([await noise(photo.width, photo.height, photo.seed ?? 1)])
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = composed.info;
  return sharp(composed.data, { raw: { width, height, channels }, limitInputPixels: false });
}

/** A camera JPEG: EXIF orientation, camera name and, where asked, a position. */
export async function photoJpeg(photo: Photo, options: JpegOptions = {}): Promise<Buffer> {
  const orientation = photo.orientation ?? 1;
  const pipeline = await stored(await picture(photo), orientation);
  const gps = {
    GPSLatitudeRef: 'S',
    GPSLatitude: '23/1 33/1 2/1',
    GPSLongitudeRef: 'W',
    GPSLongitude: '46/1 38/1 2/1',
  };
  const jpeg = await pipeline
    .jpeg({ quality: 90, ...options })
    .withExif({ IFD0: { Make: 'Sample', Model: 'Camera' }, ...(photo.gps ? { IFD3: gps } : {}) })
    .toBuffer();
  return tagged(jpeg, orientation);
}

/** Sets the orientation tag (EXIF 0x0112, a SHORT), which sharp writes as 1 unless it adds a colour profile too. */
function tagged(jpeg: Buffer, orientation: Orientation): Buffer {
  const entry = jpeg.indexOf(Buffer.from([0x12, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00]));
  if (entry < 0) throw new Error('the JPEG has no little-endian orientation tag');
  jpeg[entry + 8] = orientation;
  return jpeg;
}

/** A PNG with a transparent corner. */
export async function photoPng(photo: Photo): Promise<Buffer> {
  return (await picture(photo)).ensureAlpha(0.9).png({ compressionLevel: 3 }).toBuffer();
}

export interface Clip {
  /** pixels of the upright picture */
  width: number;
  height: number;
  seconds: number;
  /** degrees that a player has to turn the stored picture clockwise */
  rotation?: 0 | 90 | 180 | 270;
  sound?: boolean;
  seed?: number;
  label?: string;
}

/** Writes an H.264 clip (container by the file's ending): a slow zoom over a house, with a tone. Needs ffmpeg. */
export async function clip(file: string, options: Clip): Promise<void> {
  const { width, height, seconds, rotation = 0, sound = true, seed = 1, label = 'Tour' } = options;
  const still = `${file}.still.jpg`;
  const plain = rotation ? `${file}.stored${path.extname(file)}` : file;
  const turn = { 0: 'null', 90: 'transpose=2', 180: 'hflip,vflip', 270: 'transpose=1' }[rotation];
  await writeFile(still, await photoJpeg({ width: width * 2, height: height * 2, seed, label }));
  try {
    await run('ffmpeg', [
      ...['-nostdin', '-y', '-loglevel', 'error'],
      ...['-loop', '1', '-framerate', '30', '-t', String(seconds), '-i', still],
      ...(sound ? ['-f', 'lavfi', '-t', String(seconds), '-i', 'sine=frequency=330:sample_rate=48000'] : []),
      '-vf',
      `zoompan=z='1+0.002*on':d=1:s=${width}x${height}:fps=30,${turn},format=yuv420p`,
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-t', String(seconds)],
      ...(sound ? ['-c:a', 'aac', '-b:a', '128k', '-shortest'] : []),
      plain,
    ]);
    if (rotation) {
      // only a stream copy keeps the tag, as a display matrix; its sense is counter-clockwise
      const tag = `rotate=${360 - rotation}`;
      const quiet = ['-nostdin', '-y', '-loglevel', 'error'];
      await run('ffmpeg', [...quiet, '-i', plain, '-c', 'copy', '-metadata:s:v:0', tag, file]);
      await rm(plain, { force: true });
    }
  } finally {
    await rm(still, { force: true });
  }
}

async function once(file: string, make: (file: string) => Promise<void>) {
  if (await stat(file).catch(() => undefined)) return;
  const partial = path.join(path.dirname(file), `.partial-${path.basename(file)}`);
  await make(partial);
  await rename(partial, file);
}

/** Makes the sample listing below `directory` (kept for the next run). Returns its folder. */
export async function sampleListing(directory: string): Promise<string> {
  const folder = path.join(directory, 'listing');
  await mkdir(folder, { recursive: true });
  const jpeg = (name: string, photo: Photo) =>
    once(path.join(folder, name), async (file) => writeFile(file, await photoJpeg(photo)));
  await jpeg('01-front.jpg', { width: 4000, height: 3000, seed: 1, label: 'Front', gps: true });
  await jpeg('02-garden.jpg', { width: 4000, height: 3000, orientation: 3, seed: 2, label: 'Garden' });
  await jpeg('03-hall.jpg', { width: 3000, height: 4000, orientation: 6, seed: 3, label: 'Hall', gps: true });
  await jpeg('04-stairs.jpg', { width: 3000, height: 4000, orientation: 8, seed: 4, label: 'Stairs' });
  await jpeg('05-kitchen.jpg', { width: 6000, height: 4000, seed: 5, label: 'Kitchen' });
  await once(path.join(folder, '06-floor-plan.png'), async (file) =>
    writeFile(file, await photoPng({ width: 2400, height: 1800, seed: 6, label: 'Floor plan' })),
  );
  await once(path.join(folder, '07-tour.mp4'), (file) =>
    clip(file, { width: 1920, height: 1080, seconds: 4, seed: 7, label: 'Tour' }),
  );
  await once(path.join(folder, '08-balcony.mov'), (file) =>
    clip(file, { width: 1080, height: 1920, seconds: 4, rotation: 90, seed: 8, label: 'Balcony' }),
  );
  return folder;
}

/** A JPEG that stops in the middle, as a card that was pulled out too early leaves it. */
export async function brokenPhoto(photo: Photo): Promise<Buffer> {
  const whole = await photoJpeg(photo);
  return whole.subarray(0, Math.floor(whole.length / 3));
}
