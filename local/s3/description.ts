import type { ServerResponse } from 'node:http';
import { readQuery } from '../canonical-request.ts';
import type { Bucket } from '../graph/manifest.ts';
import { invalidArgument, s3Error } from './errors.ts';
import type { Encryption, ObjectDescription, Tag } from './object.ts';
import type { S3Request } from './request.ts';

/** Headers that are kept with an object; a GET may ask for others with `response-{header}`. */
export const SYSTEM_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
];
const STORAGE_CLASSES = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
  'GLACIER',
  'DEEP_ARCHIVE',
];
/** They promise what is not here: better refused than taken and forgotten. */
const UNSUPPORTED_HEADERS = [
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-server-side-encryption-context',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-legal-hold',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
];
const MOST_METADATA_BYTES = 2048;
const MOST_TAGS = 10;

/** Tag rules of S3: at most ten, distinct keys of 1..128 and values of up to 256 characters. */
export function checkTags(tags: Tag[]): Tag[] {
  if (tags.length > MOST_TAGS) throw s3Error('BadRequest', {}, 'Object tags cannot be greater than 10');
  if (new Set(tags.map(({ key }) => key)).size < tags.length) {
    throw s3Error('InvalidTag', {}, 'Cannot provide multiple Tags with the same key');
  }
  for (const { key, value } of tags) {
    if (key.length < 1 || key.length > 128 || /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/u.test(key)) {
      throw s3Error('InvalidTag', { TagKey: key }, 'The TagKey you have provided is invalid');
    }
    if (value.length > 256 || /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/u.test(value)) {
      throw s3Error('InvalidTag', { TagKey: key }, 'The TagValue you have provided is invalid');
    }
  }
  return tags;
}

/** x-amz-tagging is a query string. */
export const readTaggingHeader = (request: S3Request) =>
  checkTags(readQuery(request.header('x-amz-tagging') ?? '').map(([key, value]) => ({ key, value })));

export function readStorageClass(request: S3Request) {
  const storageClass = request.header('x-amz-storage-class') ?? 'STANDARD';
  if (!STORAGE_CLASSES.includes(storageClass)) throw s3Error('InvalidStorageClass');
  return storageClass;
}

/** What the request asks for, or else the bucket's default encryption. */
export function readEncryption(request: S3Request, bucket: Bucket): Encryption {
  const { kmsKeyArn } = bucket;
  const standard = kmsKeyArn
    ? { algorithm: 'aws:kms', keyArn: kmsKeyArn, bucketKey: true }
    : { algorithm: 'AES256' };
  const algorithm = request.header('x-amz-server-side-encryption');
  if (algorithm === undefined) return standard;
  if (algorithm === 'AES256') return { algorithm };
  if (algorithm !== 'aws:kms') {
    throw invalidArgument(
      'x-amz-server-side-encryption',
      algorithm,
      'The encryption method specified is not supported',
    );
  }
  const keyArn = request.header('x-amz-server-side-encryption-aws-kms-key-id') ?? kmsKeyArn;
  const asked = request.header('x-amz-server-side-encryption-bucket-key-enabled');
  const bucketKey = asked === undefined ? standard.bucketKey : asked === 'true';
  return {
    algorithm,
    ...(keyArn !== undefined && { keyArn }),
    ...(bucketKey !== undefined && { bucketKey }),
  };
}

export function readObjectHeaders({ signed: { request } }: S3Request) {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    const kept = SYSTEM_HEADERS.includes(name) || name.startsWith('x-amz-meta-');
    if (kept && value !== undefined) headers[name] = String(value);
  }
  // aws-chunked is the framing of the request, not an encoding of the object.
  const encodings = (headers['content-encoding'] ?? '').split(',').map((encoding) => encoding.trim());
  const encoding = encodings.filter((name) => name !== '' && name !== 'aws-chunked').join(',');
  if (encoding) headers['content-encoding'] = encoding;
  else delete headers['content-encoding'];

  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  const size = metadata.reduce(
    (sum, [name, value]) => sum + name.length - 'x-amz-meta-'.length + value.length,
    0,
  );
  if (size > MOST_METADATA_BYTES) throw s3Error('MetadataTooLarge', { Size: String(size) });
  return { 'content-type': 'binary/octet-stream', ...headers };
}

export function refuseUnsupported(request: S3Request) {
  for (const name of UNSUPPORTED_HEADERS) {
    if (request.header(name) !== undefined) throw s3Error('NotImplemented', { Header: name });
  }
  const acl = request.header('x-amz-acl');
  if (acl !== undefined && acl !== 'bucket-owner-full-control')
    throw s3Error('AccessControlListNotSupported');
}

export function readDescription(request: S3Request, bucket: Bucket): ObjectDescription {
  refuseUnsupported(request);
  return {
    headers: readObjectHeaders(request),
    storageClass: readStorageClass(request),
    encryption: readEncryption(request, bucket),
    tags: readTaggingHeader(request),
  };
}

export function sendEncryption(response: ServerResponse, { algorithm, keyArn, bucketKey }: Encryption) {
  response.setHeader('x-amz-server-side-encryption', algorithm);
  if (keyArn !== undefined) response.setHeader('x-amz-server-side-encryption-aws-kms-key-id', keyArn);
  if (bucketKey) response.setHeader('x-amz-server-side-encryption-bucket-key-enabled', 'true');
}
