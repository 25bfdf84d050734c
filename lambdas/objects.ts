import type { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { archived, notFound } from './errors.ts';

/** An object as HeadObject describes it. */
export interface Description {
  bytes: number;
  contentType: string;
  etag: string;
  /** SHA-256 that S3 has verified over the whole object, hex; absent when it was stored without */
  checksumSha256: string | undefined;
  archived: boolean;
}

export interface OpenObject {
  body: Readable;
  bytes: number;
  modified: Date;
}

export type Objects = ReturnType<typeof mediaObjects>;

const PART_BYTES = 8 * 2 ** 20;
const PARTS_IN_FLIGHT = 2;

/**
 * The S3 client of the media functions.
 *
 * Responses: S3's default CRC-64 would be computed again in JavaScript (+2.5 s/GB); lengths are checked here and what
 * an image or archive holds has its own check. Requests: every body is a buffer and so its SHA-256 is part of the
 * signature, which S3 verifies; a second checksum adds nothing.
 */
export const s3Client = (overrides: S3ClientConfig = {}) =>
  new S3Client({
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 3_000, socketTimeout: 20_000 },
    ...overrides,
  });

/** Archived and not restored: its bytes cannot be read now. */
const unreadable = (head: { StorageClass?: string; ArchiveStatus?: string; Restore?: string }) =>
  (head.StorageClass === 'GLACIER' || head.StorageClass === 'DEEP_ARCHIVE' || Boolean(head.ArchiveStatus)) &&
  !head.Restore?.includes('ongoing-request="false"');

/** S3's error about one object, as a person is told of it; anything else is weather and stays what it is. */
function told(error: unknown, key: string) {
  if (!(error instanceof Error)) return error;
  if (error.name === 'NoSuchKey') return notFound(key);
  return ['InvalidObjectState', 'ObjectNotInActiveTierError'].includes(error.name) ? archived(key) : error;
}

/** What the functions do with the media bucket. A missing or archived original is a permanent error that names it. */
export function mediaObjects(bucket: string, client: S3Client = s3Client()) {
  async function open(key: string, range?: { bytes: number; etag: string }): Promise<OpenObject> {
    try {
      const object = await client.send(
        new GetObjectCommand({
          Bucket: bucket,
          Key: key,
          ...(range && { Range: `bytes=0-${range.bytes - 1}`, IfMatch: range.etag }),
        }),
      );
      return {
        // the SDK's body is a Readable in Node; its type also speaks for browsers
        body: object.Body as Readable,
        bytes: object.ContentLength ?? 0,
        modified: object.LastModified ?? new Date(0),
      };
    } catch (error) {
      throw told(error, key);
    }
  }

  return {
    bucket,
    open,

    /** Undefined when there is no such object. */
    async head(key: string): Promise<Description | undefined> {
      try {
        const head = await client.send(
          new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }),
        );
        const whole = head.ChecksumType !== 'COMPOSITE' && head.ChecksumSHA256;
        return {
          bytes: head.ContentLength ?? 0,
          contentType: head.ContentType ?? '',
          etag: head.ETag ?? '',
          checksumSha256: whole ? Buffer.from(whole, 'base64').toString('hex') : undefined,
          archived: unreadable(head),
        };
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },

    /** The first `bytes` of the version that `etag` names. */
    async readStart(key: string, bytes: number, etag: string): Promise<Buffer> {
      return collect(await open(key, { bytes, etag }));
    },

    /** The whole object. `tooLarge` is thrown, before a byte is read, when it has more than `maximumBytes`. */
    async read(key: string, maximumBytes: number, tooLarge: () => Error): Promise<Buffer> {
      const object = await open(key);
      if (object.bytes > maximumBytes) {
        object.body.destroy();
        throw tooLarge();
      }
      return collect(object);
    },

    async put(key: string, body: Buffer, headers: { contentType: string; cacheControl: string }) {
      await client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: body,
          ContentType: headers.contentType,
          CacheControl: headers.cacheControl,
        }),
      );
    },

    /** Server-side copy with content type and metadata; not the tags, by which the lifecycle finds originals. */
    async copy(from: string, to: string) {
      try {
        await client.send(
          new CopyObjectCommand({
            Bucket: bucket,
            Key: to,
            CopySource: `${bucket}/${from.split('/').map(encodeURIComponent).join('/')}`,
            TaggingDirective: 'REPLACE',
          }),
        );
      } catch (error) {
        throw told(error, from);
      }
    },

    /** Uploads a stream in parts, `PARTS_IN_FLIGHT` buffers of it at a time. A stream that fails leaves no parts behind. */
    async upload(key: string, body: Readable, contentType: string) {
      await new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: body, ContentType: contentType },
        partSize: PART_BYTES,
        queueSize: PARTS_IN_FLIGHT,
      }).done();
    },
  };
}

/** All bytes of an open object; a body that ends early or goes on too long is weather. */
async function collect({ body, bytes }: OpenObject): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (filled + chunk.length > bytes) throw new Error('an object is longer than S3 said');
    filled += chunk.copy(buffer, filled);
  }
  if (filled < bytes) throw new Error(`an object ended after ${filled} of ${bytes} bytes`);
  return buffer;
}
