import { z } from 'zod';
import { type CaughtState, ErrorCode } from '../statemachines/contracts.ts';

/**
 * A failure that no repetition mends. Its `name` is what the state machines catch without retrying, its message a
 * sentence for the photographer: what is wrong and what to do. Everything else that a task throws is weather.
 */
export class PermanentError extends Error {}

export class ValidationError extends PermanentError {
  override readonly name = 'VALIDATION_ERROR';
}
export class UnsupportedContent extends PermanentError {
  override readonly name = 'UNSUPPORTED_CONTENT';
}
export class ImageTooLarge extends PermanentError {
  override readonly name = 'IMAGE_TOO_LARGE';
}
export class RawArchived extends PermanentError {
  override readonly name = 'RAW_ARCHIVED';
}
export class ThumbnailProcessingFailed extends PermanentError {
  override readonly name = 'THUMBNAIL_PROCESSING_FAILED';
}
export class VideoThumbnailFailed extends PermanentError {
  override readonly name = 'VIDEO_THUMBNAIL_FAILED';
}
/** The service has said that it will never accept this callback. */
export class CallbackRefused extends PermanentError {
  override readonly name = 'CALLBACK_REFUSED';
}

/** File name of an object, for sentences. */
export const fileName = (key: string) => key.slice(key.lastIndexOf('/') + 1);

export const notFound = (key: string) =>
  new ValidationError(`${fileName(key)} is not in the storage. Please upload it again.`);

export const archived = (key: string) =>
  new RawArchived(
    `${fileName(key)} is in the archive. Please ask for it to be restored, or upload it again.`,
  );

export const imageTooLarge = (name: string, megapixels: number) =>
  new ImageTooLarge(
    `${name} has ${Math.ceil(megapixels)} megapixels; at most 100 are possible. Please export it smaller and upload it again.`,
  );

/** Sentences for what a machine caught from elsewhere: timeouts, crashes, MediaConvert. */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  VALIDATION_ERROR: 'The files could not be checked. Please try again.',
  THUMBNAIL_PROCESSING_FAILED:
    'The preview images could not be made. Please try again, or upload the file anew.',
  VIDEO_TRANSCODE_FAILED:
    'The video could not be converted. Please export it as MP4 (H.264) and upload it again.',
  VIDEO_THUMBNAIL_FAILED: 'No preview image could be taken from the video. Please try again.',
  BUNDLE_FAILED: 'The archive of the originals could not be made. Please try again.',
};

const MESSAGE_LENGTH = 500;
const Cause = z.object({ errorMessage: z.string().min(1) });

/** One line without addresses: neither a stack nor a signed URL leaves the machine. */
const presentable = (message: string) =>
  (message.split('\n')[0] ?? '').replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '…').slice(0, MESSAGE_LENGTH);

function ownSentence(cause: string | undefined) {
  try {
    return presentable(Cause.parse(JSON.parse(cause ?? '')).errorMessage);
  } catch {
    return undefined; // not the error of one of our functions
  }
}

/**
 * Code and sentence of what a machine caught. A contract code that was thrown wins over `otherwise`, and brings its own
 * sentence; the words of anything else (a timeout, a crash) are not for a photographer.
 */
export function explain(caught: z.infer<typeof CaughtState>, otherwise: ErrorCode) {
  const own = ErrorCode.safeParse(caught.Error);
  const code = own.success ? own.data : otherwise;
  const message =
    (own.success && ownSentence(caught.Cause)) || SENTENCES[code] || 'The work failed. Please try again.';
  return { code, message };
}
