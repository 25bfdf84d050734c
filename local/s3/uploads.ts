import { randomBytes } from 'node:crypto';
import { checksumTypes, readAlgorithm } from './checksums.ts';
import { readDescription, sendEncryption } from './description.ts';
import { invalidArgument, invalidRequest } from './errors.ts';
import type { Upload } from './object.ts';
import { findOpenUpload } from './parts.ts';
import { sendEmpty, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { findBucket, type Store } from './store.ts';

function readUploadChecksum(request: S3Request): Upload['checksum'] {
  const name = request.header('x-amz-checksum-algorithm');
  const asked = request.header('x-amz-checksum-type');
  if (name === undefined) {
    if (asked !== undefined) {
      throw invalidRequest(
        'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
      );
    }
    return { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', declared: false };
  }
  const algorithm = readAlgorithm(name);
  if (!algorithm) {
    throw invalidRequest(
      'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
    );
  }
  const types = checksumTypes(algorithm);
  const type = asked === undefined ? types[0] : types.find((each) => each === asked);
  if (!type) {
    throw invalidRequest(
      `The ${asked} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  }
  return { algorithm, type, declared: true };
}

export async function createMultipartUpload(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const upload: Upload = {
    id: randomBytes(48).toString('base64url'),
    bucket: bucket.name,
    key: request.key,
    initiated: store.now().toISOString(),
    description: readDescription(request, bucket),
    checksum: readUploadChecksum(request),
  };
  store.catalogue.beginUpload(upload);
  sendEncryption(response, upload.description.encryption);
  if (upload.checksum.declared) {
    response.setHeader('x-amz-checksum-algorithm', upload.checksum.algorithm);
    response.setHeader('x-amz-checksum-type', upload.checksum.type);
  }
  sendXml(response, 'InitiateMultipartUploadResult', {
    Bucket: bucket.name,
    Key: request.key,
    UploadId: upload.id,
  });
}

export async function abortMultipartUpload(store: Store, { request, response }: Exchange) {
  const upload = findOpenUpload(store, request);
  const parts = store.catalogue.parts(upload.id);
  store.catalogue.transaction(() => store.catalogue.dropUpload(upload.id));
  store.blobs.remove(parts.map(({ blob }) => blob));
  sendEmpty(response, 204);
}

export async function listMultipartUploads(store: Store, { request, response }: Exchange) {
  const { name } = findBucket(store, request.bucket);
  const prefix = request.query.get('prefix') ?? '';
  const marker = request.query.get('key-marker') ?? '';
  const limit = Number(request.query.get('max-uploads') ?? 1000);
  if (!(limit >= 1 && limit <= 1000))
    throw invalidArgument('max-uploads', String(limit), 'max-uploads must be 1 to 1000');
  const open: Upload[] = [];
  for (const upload of store.catalogue.uploads(name, prefix, marker)) {
    if (!upload.key.startsWith(prefix) || open.length > limit) break;
    if (!upload.completed) open.push(upload);
  }
  const page = open.slice(0, limit);
  const last = page.at(-1);
  sendXml(response, 'ListMultipartUploadsResult', {
    Bucket: name,
    Prefix: prefix,
    KeyMarker: marker,
    MaxUploads: limit,
    IsTruncated: open.length > limit,
    NextKeyMarker: open.length > limit ? last?.key : undefined,
    NextUploadIdMarker: open.length > limit ? last?.id : undefined,
    Upload: page.map((upload) => ({
      Key: upload.key,
      UploadId: upload.id,
      StorageClass: upload.description.storageClass,
      Initiated: upload.initiated,
      ChecksumAlgorithm: upload.checksum.algorithm,
      ChecksumType: upload.checksum.type,
    })),
  });
}
