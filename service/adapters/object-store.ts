import {
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { contentDisposition } from './content-disposition.ts';
import type { TemporaryCredentials } from './temporary-credentials.ts';

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

const ARCHIVED_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];
const RESTORED = /ongoing-request="false"/;

/** Every header of an upload; all are signed and none may move into the query, where S3 ignores it. */
const SIGNED_HEADERS = ['content-type', 'content-length', 'x-amz-checksum-sha256', 'x-amz-tagging'];

const toHex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');
const toBase64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

export interface S3ObjectStoreOptions {
  bucket: string;
  s3: S3Client;
  /** Made again for signing: without the SDK's own checksum of an empty body. */
  clientConfig?: S3ClientConfig;
  /** credentials of the role that may only put below `raw/project/`, good for at least that many seconds */
  projectCredentials: TemporaryCredentials;
}

/** The media bucket, over the AWS SDK. */
export function s3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const { bucket, s3, clientConfig = {}, projectCredentials } = options;
  // by default the presigner adds the CRC32 of an empty body (aws-sdk-js-v3 #6994)
  const signing = { ...clientConfig, requestChecksumCalculation: 'WHEN_REQUIRED' as const };
  const signer = new S3Client(signing);

  return {
    async head(key) {
      try {
        const object = await s3.send(
          new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }),
        );
        return {
          bytes: object.ContentLength ?? 0,
          etag: (object.ETag ?? '').replaceAll('"', ''),
          // a multipart object carries a checksum of checksums (`…-3`), which is not that of its bytes
          checksumSha256:
            object.ChecksumSHA256 && !object.ChecksumSHA256.includes('-')
              ? toHex(object.ChecksumSHA256)
              : null,
          archived:
            ARCHIVED_CLASSES.includes(object.StorageClass ?? '') && !RESTORED.test(object.Restore ?? ''),
        };
      } catch (error) {
        if (error instanceof NotFound) return null;
        throw error;
      }
    },

    async presignPut({ key, contentType, bytes, checksumSha256, project, ttlSeconds }) {
      const client = project
        ? new S3Client({ ...signing, credentials: await projectCredentials(ttlSeconds) })
        : signer;
      const checksum = toBase64(checksumSha256);
      const tagging = 'stage=raw';
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        ContentType: contentType,
        ContentLength: bytes,
        ChecksumSHA256: checksum,
        Tagging: tagging,
      });
      const url = await getSignedUrl(client, command, {
        expiresIn: ttlSeconds,
        signableHeaders: new Set(['host', ...SIGNED_HEADERS]),
        unhoistableHeaders: new Set(SIGNED_HEADERS),
      });
      // Content-Length is signed too; every HTTP client sends it by itself and browsers forbid setting it
      return {
        url,
        headers: {
          'Content-Type': contentType,
          'x-amz-checksum-sha256': checksum,
          'x-amz-tagging': tagging,
        },
      };
    },

    presignGet({ key, filename, ttlSeconds }) {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ResponseContentDisposition: contentDisposition(filename),
      });
      return getSignedUrl(signer, command, { expiresIn: ttlSeconds });
    },
  };
}
