import { AwsError } from '../aws-error.ts';

export const badRequest = (message: string) => new AwsError('BadRequestException', 400, message);
export const notFound = (message: string) => new AwsError('NotFoundException', 404, message);
export const conflict = (message: string) => new AwsError('ConflictException', 409, message);

/** Why a job ended with ERROR: MediaConvert's error code (user guide, "Error codes") and a sentence. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly errorCode: number;

  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

const CANNOT_OPEN = 1010;
const CANNOT_DECODE = 1076;
const INPUT_FORBIDDEN = 1401;
const INPUT_NOT_FOUND = 1404;
const SERVICE = 1999;
const OUTPUT_FORBIDDEN = 3403;
const OUTPUT_NOT_FOUND = 3404;

const status = (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What S3 said about the input. */
export function inputError(uri: string, error: unknown) {
  const code = { 403: INPUT_FORBIDDEN, 404: INPUT_NOT_FOUND }[status(error) ?? 0] ?? SERVICE;
  return new JobError(code, `Unable to open input file [${uri}]: [${words(error)}]`);
}

/** What S3 said about an output. */
export function outputError(uri: string, error: unknown) {
  const code = { 403: OUTPUT_FORBIDDEN, 404: OUTPUT_NOT_FOUND }[status(error) ?? 0] ?? SERVICE;
  return new JobError(code, `Unable to write to output file [${uri}]: [${words(error)}]`);
}

/** What ffprobe said about the input. */
export const probeError = (uri: string, detail: string) =>
  new JobError(CANNOT_OPEN, `Unable to open input file [${uri}]: [Failed probe/open: [${detail}]]`);

/** What ffmpeg said about the input. */
export const decodeError = (detail: string) =>
  new JobError(CANNOT_DECODE, `Encountered an error while decoding the input: [${detail}]`);

export const timeLimitError = (minutes: number) =>
  new JobError(SERVICE, `The job took longer than ${minutes} minutes.`);
