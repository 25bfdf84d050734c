import pLimit from 'p-limit';
import {
  type Asset,
  type AssetError,
  ErrorCode,
  type MachineInput,
  Validate,
} from '../statemachines/contracts.ts';
import { videoPrefix } from '../statemachines/object-keys.ts';
import {
  archived,
  fileName,
  imageTooLarge,
  notFound,
  PermanentError,
  UnsupportedContent,
  ValidationError,
} from './errors.ts';
import { agrees, allowed, expected, MAXIMUM_PIXELS, pixels, sniff } from './media/sniff.ts';
import { type Description, mediaObjects, type Objects } from './objects.ts';
import { task } from './task.ts';

const IN_FLIGHT = 8;
/** How much of a file is read to find an image's size: a JPEG may carry megabytes of EXIF and profiles before it. */
const START_BYTES = [64 * 2 ** 10, 2 ** 20, 4 * 2 ** 20] as const;

function checkPromise(asset: Asset, object: Description) {
  const name = fileName(asset.key);
  if (object.bytes === 0) throw new ValidationError(`${name} is empty. Please upload it again.`);
  if (asset.bytes !== undefined && asset.bytes !== object.bytes) {
    throw new ValidationError(
      `${name} has ${object.bytes} bytes instead of ${asset.bytes}. Please upload it again.`,
    );
  }
  if (asset.checksumSha256 && object.checksumSha256 && asset.checksumSha256 !== object.checksumSha256) {
    throw new ValidationError(`${name} is not the file that was announced. Please upload it again.`);
  }
  if (object.archived) throw archived(asset.key);
}

async function checkContent(asset: Asset, object: Description, objects: Objects) {
  const name = fileName(asset.key);
  let start = await objects.readStart(asset.key, START_BYTES[0], object.etag);
  const mediaType = await sniff(start);
  if (!mediaType || !allowed(asset.type, mediaType)) {
    const seen = mediaType ? `is ${mediaType}` : 'is of an unknown kind';
    throw new UnsupportedContent(
      `${name} ${seen}, not a ${expected(asset.type)}. Please export it as one and upload that.`,
    );
  }
  if (!agrees(object.contentType, mediaType)) {
    throw new UnsupportedContent(
      `${name} was uploaded as ${object.contentType} but is ${mediaType}. Please upload it under its own type.`,
    );
  }
  if (!mediaType.startsWith('image/')) return;

  let found = pixels(start);
  for (const bytes of START_BYTES.slice(1)) {
    if (found !== undefined || start.length === object.bytes) break;
    start = await objects.readStart(asset.key, bytes, object.etag);
    found = pixels(start);
  }
  // a HEIC may describe its picture at the end of the file: there, the decoder's own limit holds
  if (found === undefined && mediaType !== 'image/heic' && mediaType !== 'image/heif') {
    throw new UnsupportedContent(
      `${name} is damaged: its size cannot be read. Please export it again and upload it.`,
    );
  }
  if (found !== undefined && found > MAXIMUM_PIXELS) throw imageTooLarge(name, found / 1e6);
}

async function check(asset: Asset, objects: Objects): Promise<AssetError | undefined> {
  try {
    const object = await objects.head(asset.key);
    if (!object) throw notFound(asset.key);
    checkPromise(asset, object);
    await checkContent(asset, object, objects);
    return undefined;
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return { sourceKey: asset.key, errorCode: ErrorCode.parse(error.name), errorMessage: error.message };
  }
}

/**
 * Looks at every original and sorts it by what has to be done: existence, promised length and checksum, magic bytes,
 * declared type, pixels. What is wrong with one becomes its error; S3's weather is thrown.
 */
export const validate =
  (objects: Objects) =>
  async ({ assets }: MachineInput) => {
    const limit = pLimit(IN_FLIGHT);
    const verdicts = await limit.map(assets, (asset) => check(asset, objects));
    const good = assets.filter((_, index) => !verdicts[index]);
    const isVideo = (asset: Asset) => asset.type.startsWith('VIDEO');
    return {
      images: good.filter((asset) => !isVideo(asset)),
      videos: good.filter(isVideo).map((asset) => ({
        ...asset,
        input: `s3://${objects.bucket}/${asset.key}`,
        destination: `s3://${objects.bucket}/${videoPrefix(asset.key)}`,
      })),
      errors: verdicts.filter((verdict) => verdict !== undefined),
    };
  };

export const handler = task('validate', Validate, (environment) =>
  validate(mediaObjects(environment.MEDIA_BUCKET)),
);
