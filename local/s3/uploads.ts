import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  CHECKSUM_ALGORITHMS,
  checksumElement,
  checksumHeader,
  checksumOfParts,
  checksumTypes,
  readAlgorithm,
} from './checksums.ts';
import { readWriteCondition } from './conditions.ts';
import { readDescription, sendEncryption } from './description.ts';
import { readXml } from './documents.ts';
import { invalidArgument, invalidRequest, s3Error } from './errors.ts';
import type { StoredObject, Upload, UploadedPart } from './object.ts';
import { findOpenUpload, findUpload } from './parts.ts';
import { checksumXml, quoted, sendEmpty, sendVersionId, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { commitObject, etagOfParts, findBucket, type Store } from './store.ts';

const SMALLEST_PART = 5 * 1_048_576;

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

const CompletedPart = z.object({
  PartNumber: z.string().regex(/^\d+$/),
  ETag: z.string(),
  ...Object.fromEntries(CHECKSUM_ALGORITHMS.map((name) => [checksumElement(name), z.string().optional()])),
});
const CompleteDocument = z.object({
  CompleteMultipartUpload: z.object({ Part: z.array(z.looseObject(CompletedPart.shape)).min(1).max(10_000) }),
});
type CompletedParts = z.infer<typeof CompleteDocument>['CompleteMultipartUpload']['Part'];

/** The uploaded parts that the client names, each proven to be the one that it means. */
function chooseParts(store: Store, { id, checksum }: Upload, named: CompletedParts) {
  const uploaded = new Map(store.catalogue.parts(id).map((part) => [part.number, part]));
  const element = checksumElement(checksum.algorithm);
  return named.map((item, index): UploadedPart => {
    const number = Number(item.PartNumber);
    if (index > 0 && number <= Number(named[index - 1]?.PartNumber))
      throw s3Error('InvalidPartOrder', { UploadId: id });
    const part = uploaded.get(number);
    const given = item[element];
    const same = part && item.ETag.replace(/^"|"$/g, '') === part.etag;
    if (!same || (given !== undefined && given !== part.checksum)) {
      throw s3Error('InvalidPart', { UploadId: id, PartNumber: String(number), ETag: item.ETag });
    }
    if (given === undefined && checksum.declared && checksum.type === 'COMPOSITE') {
      throw invalidRequest(
        `The upload was created using a ${checksum.algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`,
      );
    }
    if (part.bytes < SMALLEST_PART && index < named.length - 1) {
      throw s3Error('EntityTooSmall', {
        ProposedSize: String(part.bytes),
        MinSizeAllowed: String(SMALLEST_PART),
        PartNumber: String(number),
        ETag: part.etag,
      });
    }
    return part;
  });
}

function assemble({ description, checksum }: Upload, parts: readonly UploadedPart[]): StoredObject {
  return {
    ...description,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    etag: etagOfParts(parts.map(({ etag }) => etag)),
    checksum: checksumOfParts(checksum.algorithm, checksum.type, parts),
    segments: parts.map(({ blob, bytes }) => ({ blob, bytes })),
    parts: parts.map((part) => ({ number: part.number, bytes: part.bytes, checksum: part.checksum })),
  };
}

/** What the client says of the whole object. */
function checkWhole(request: S3Request, { bytes, checksum }: StoredObject) {
  const size = request.header('x-amz-mp-object-size');
  if (size !== undefined && Number(size) !== bytes) {
    throw invalidRequest('The provided x-amz-mp-object-size header does not match the size of the object.');
  }
  const type = request.header('x-amz-checksum-type');
  if (type !== undefined && type !== checksum?.type) {
    throw invalidRequest(
      `The upload was created using the ${checksum?.type} checksum mode. The complete request must use the same checksum mode.`,
    );
  }
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const given = request.header(checksumHeader(algorithm));
    if (given === undefined) continue;
    const [whole] = checksum?.value.split('-') ?? [];
    if (algorithm !== checksum?.algorithm || (given !== checksum.value && given !== whole)) {
      throw s3Error(
        'BadDigest',
        {},
        `The ${algorithm.toLowerCase()} you specified did not match the calculated checksum.`,
      );
    }
  }
}

export async function completeMultipartUpload(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const condition = readWriteCondition(request);
  findUpload(store, request);
  const { Part: named } = (await readXml(request, CompleteDocument)).CompleteMultipartUpload;
  const signature = JSON.stringify(named.map(({ PartNumber, ETag }) => [PartNumber, ETag.replace(/"/g, '')]));

  // From here on without a pause, so that of two requests for one upload the second finds it completed.
  const upload = findUpload(store, request);
  if (upload.completed && upload.completed.parts !== signature) {
    throw s3Error('NoSuchUpload', { UploadId: upload.id });
  }
  const { versionId, object } = upload.completed ?? complete();
  sendVersionId(response, bucket, { versionId });
  sendEncryption(response, object.encryption);
  sendXml(response, 'CompleteMultipartUploadResult', {
    Location: `/${bucket.name}/${request.key}`,
    Bucket: bucket.name,
    Key: request.key,
    ETag: quoted(object.etag),
    ...checksumXml(object.checksum),
  });

  function complete() {
    condition(store.catalogue.find(bucket.name, request.key), false);
    const parts = chooseParts(store, upload, named);
    const assembled = assemble(upload, parts);
    checkWhole(request, assembled);
    const used = new Set(parts.map(({ blob }) => blob));
    const unused = store.catalogue.parts(upload.id).filter(({ blob }) => !used.has(blob));
    const version = commitObject(store, {
      request,
      bucket,
      object: assembled,
      condition,
      reason: 'CompleteMultipartUpload',
      also: (versionId) =>
        store.catalogue.finishUpload(upload, { versionId, object: assembled, parts: signature }),
    });
    store.blobs.remove(unused.map(({ blob }) => blob));
    return version;
  }
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
