import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Watchdog } from '../watchdog.ts';
import { decodeError, inputError, outputError, probeError } from './errors.ts';
import { ffmpeg, fitInto, mapsTones, outputFile, transcodeArguments, upright } from './ffmpeg.ts';
import { type Probe, probe } from './probe.ts';
import type { JobSettings, Output, OutputGroup } from './settings.ts';

/** How much of the promised running time must come out before a clip counts as whole. */
const WHOLE = 0.9;
const WHOLE_SLACK_SECONDS = 0.5;

/** As in the API: milliseconds and pixels. */
export interface OutputDetail {
  DurationInMs: number;
  VideoDetails: { WidthInPx: number; HeightInPx: number };
}

export interface Rendition {
  detail: OutputDetail;
  /** where it went: one `s3://` URI, or one a captured frame */
  files: string[];
}

export interface Transcode {
  settings: JobSettings;
  /** client with the credentials of the job's role */
  s3: S3Client;
  /** scratch space; the job's files are removed in any case */
  directory: string;
  signal: AbortSignal;
  onPercent: (percent: number) => void;
  watchdog?: Pick<Watchdog, 'watch' | 'forget'> | undefined;
}

const locate = (uri: string) => {
  const [, Bucket = '', Key = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(uri) ?? [];
  return { Bucket, Key };
};

async function download(uri: string, file: string, { s3, signal }: Transcode) {
  try {
    const { Body } = await s3.send(new GetObjectCommand(locate(uri)), { abortSignal: signal });
    if (!(Body instanceof Readable)) throw new Error('no body');
    await pipeline(Body, createWriteStream(file), { signal });
  } catch (error) {
    throw inputError(uri, error);
  }
}

async function inspect(uri: string, file: string, signal: AbortSignal): Promise<Probe> {
  try {
    return await probe(file, signal);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const detail = stderr || (error instanceof Error ? error.message : String(error));
    throw probeError(uri, detail.replaceAll(file, 'input').trim());
  }
}

/** Decodes the clip once into every output; returns the running time that came out, in seconds. */
async function encode(folder: string, source: Probe, outputs: Output[], job: Transcode): Promise<number> {
  const { signal, onPercent, settings, watchdog } = job;
  const toneMap = source.highDynamicRange && (await mapsTones());
  const rotate = settings.Inputs[0].VideoSelector.Rotate;
  let seconds = 0;
  const onProgress = (done: number) => {
    seconds = done;
    if (source.duration) onPercent(Math.min(99, Math.floor((done / source.duration) * 100)));
  };
  try {
    await ffmpeg(transcodeArguments('input', source, rotate, outputs, { toneMap }), {
      directory: folder,
      signal,
      onProgress,
      watchdog,
    });
    const film = outputs.findIndex((output) => output.VideoDescription.CodecSettings.Codec === 'H_264');
    if (film >= 0) seconds = (await probe(path.join(folder, `${film}.mp4`), signal)).duration;
  } catch (error) {
    signal.throwIfAborted();
    throw decodeError(error instanceof Error ? error.message : String(error));
  }
  if (seconds < source.duration * WHOLE - WHOLE_SLACK_SECONDS) {
    throw decodeError(`the clip promises ${source.duration} s and ends after ${seconds} s`);
  }
  return seconds;
}

async function upload(file: string, uri: string, group: OutputGroup, { s3, signal }: Transcode) {
  const encryption = group.OutputGroupSettings.FileGroupSettings.DestinationSettings?.S3Settings?.Encryption;
  const keyed = encryption?.EncryptionType === 'SERVER_SIDE_ENCRYPTION_KMS';
  const sending = new Upload({
    client: s3,
    params: {
      ...locate(uri),
      Body: createReadStream(file),
      ContentType: file.endsWith('.jpg') ? 'image/jpeg' : 'video/mp4',
      ...(keyed ? { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: encryption.KmsKeyArn } : {}),
    },
  });
  const abort = () => void sending.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await sending.done();
  } catch (error) {
    throw outputError(uri, error);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Files that an output left in the folder: `0.mp4`, or `2.0000000.jpg` and on. */
async function filesOf(output: Output, index: number, folder: string) {
  const name = outputFile(output, index);
  if (!name.includes('%')) return [name];
  const frames = (await readdir(folder)).filter(
    (file) => file.startsWith(`${index}.`) && file.endsWith('.jpg'),
  );
  if (!frames.length) throw decodeError('no picture could be captured');
  return frames.sort();
}

/** Names as MediaConvert gives them: `{destination or base name of the input}{NameModifier}[.0000000].{extension}`. */
function outputUri(input: string, group: OutputGroup, output: Output, file: string) {
  const { Destination } = group.OutputGroupSettings.FileGroupSettings;
  const stem = Destination.endsWith('/') ? path.posix.basename(input).replace(/\.[^.]*$/, '') : '';
  return Destination + stem + output.NameModifier + file.slice(file.indexOf('.'));
}

/**
 * Downloads the input, makes every output from one decode, uploads them. Renditions by group, in the settings' order.
 * Throws a `JobError`, or the signal's reason.
 */
export async function transcode(job: Transcode): Promise<Rendition[][]> {
  const { settings, directory, signal } = job;
  const { FileInput, VideoSelector } = settings.Inputs[0];
  await mkdir(directory, { recursive: true });
  const folder = await mkdtemp(path.join(directory, 'job-'));
  try {
    await download(FileInput, path.join(folder, 'input'), job);
    const source = await inspect(FileInput, path.join(folder, 'input'), signal);
    const outputs = settings.OutputGroups.flatMap((group) => group.Outputs);
    const seconds = await encode(folder, source, outputs, job);

    const send = async (group: OutputGroup, output: Output): Promise<Rendition> => {
      const { width, height } = fitInto(upright(source, VideoSelector.Rotate), output.VideoDescription);
      const names = await filesOf(output, outputs.indexOf(output), folder);
      const files = names.map((name) => outputUri(FileInput, group, output, name));
      for (const [i, uri] of files.entries()) await upload(path.join(folder, `${names[i]}`), uri, group, job);
      return {
        detail: {
          DurationInMs: Math.round(seconds * 1000),
          VideoDetails: { WidthInPx: width, HeightInPx: height },
        },
        files,
      };
    };
    return await Promise.all(
      settings.OutputGroups.map((group) => Promise.all(group.Outputs.map((output) => send(group, output)))),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
