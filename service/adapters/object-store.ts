import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { contentDisposition } from './content-disposition.ts';
import type { Credentials, TemporaryCredentials } from './temporary-credentials.ts';

/** What HeadObject says of an object. */
export interface StoredObject {
  bytes: number;
  /** without quotes */
  etag: string;
  /** 64 lower-case hex digits; null where the object was stored without one */
  checksumSha256: string | null;
  /** in a Glacier class and not restored: it cannot be read now */
  archived: boolean;
}

/** One PUT that S3 will accept: exactly this key, type, length and content, tagged `stage=raw`. */
export interface Upload {
  key: string;
  contentType: string;
  bytes: number;
  /** 64 lower-case hex digits */
  checksumSha256: string;
  /** PROJECT_*: signed with the role that may only put below `raw/project/` */
  project: boolean;
  ttlSeconds: number;
}

export interface Download {
  key: string;
  /** For `response-content-disposition`: any Unicode but control characters, quotes, slashes and backslashes. */
  filename: string;
  ttlSeconds: number;
}

/** The media bucket, as far as the service uses it. */
export interface ObjectStore {
  /** null when there is no such object */
  head(key: string): Promise<StoredObject | null>;
  /** `headers` are those the client must send as they are. */
  presignPut(upload: Upload): Promise<{ url: string; headers: Record<string, string> }>;
  presignGet(download: Download): Promise<string>;
}

const ARCHIVE_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];
const RESTORED = /ongoing-request="false"/;

/** Every header of an upload; all are signed and none may move into the query, where S3 ignores it. */
const SIGNED_HEADERS = new Set([
  'host',
  'content-type',
  'content-length',
  'x-amz-checksum-sha256',
  'x-amz-tagging',
]);

const toHex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');
const toBase64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

export interface S3ObjectStoreOptions {
  bucket: string;
  /** credentials of the role that may only put below `raw/project/` */
  projectCredentials: TemporaryCredentials;
  clientConfig?: S3ClientConfig;
}

/** The media bucket, over the AWS SDK. `reachable` rejects when the bucket does not answer. */
export function s3ObjectStore(options: S3ObjectStoreOptions) {
  const { bucket, projectCredentials, clientConfig } = options;
  // WHEN_REQUIRED: by default the presigner adds the CRC32 of an empty body (aws-sdk-js-v3 #6994)
  const client = (credentials?: Credentials) =>
    new S3Client({
      ...clientConfig,
      ...(credentials && { credentials }),
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
  const s3 = client();
  let projectSigner: { credentials: Credentials; client: S3Client } | undefined;

  async function projectClient(ttlSeconds: number) {
    const credentials = await projectCredentials(ttlSeconds);
    if (projectSigner?.credentials !== credentials)
      projectSigner = { credentials, client: client(credentials) };
    return projectSigner.client;
  }

  return {
    async head(key) {
      try {
        const object = await s3.send(
          new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }),
        );
        const { ChecksumSHA256: checksum, StorageClass: storageClass = 'STANDARD' } = object;
        return {
          bytes: object.ContentLength ?? 0,
          etag: (object.ETag ?? '').replaceAll('"', ''),
          // a multipart object has a checksum of checksums (`…-3`), which is not that of its bytes
          checksumSha256: checksum && !checksum.includes('-') ? toHex(checksum) : null,
          archived: ARCHIVE_CLASSES.includes(storageClass) && !RESTORED.test(object.Restore ?? ''),
        };
      } catch (error) {
        if (error instanceof NotFound) return null;
        throw error;
      }
    },

    async presignPut({ key, contentType, bytes, checksumSha256, project, ttlSeconds }) {
      const headers = {
        'Content-Type': contentType,
        'x-amz-checksum-sha256': toBase64(checksumSha256),
        'x-amz-tagging': 'stage=raw',
      };
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        ContentType: headers['Content-Type'],
        ContentLength: bytes,
        ChecksumSHA256: headers['x-amz-checksum-sha256'],
        Tagging: headers['x-amz-tagging'],
      });
      const url = await getSignedUrl(project ? await projectClient(ttlSeconds) : s3, command, {
        expiresIn: ttlSeconds,
        signableHeaders: SIGNED_HEADERS,
        unhoistableHeaders: SIGNED_HEADERS,
      });
      // Content-Length is signed as well, but every HTTP client sends it by itself and browsers forbid setting it
      return { url, headers };
    },

    presignGet({ key, filename, ttlSeconds }) {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ResponseContentDisposition: contentDisposition(filename),
      });
      return getSignedUrl(s3, command, { expiresIn: ttlSeconds });
    },

    async reachable(abortSignal: AbortSignal) {
      await s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal });
    },
  } satisfies ObjectStore & { reachable(abortSignal: AbortSignal): Promise<void> };
}
