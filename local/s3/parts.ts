import { checksumElement, checksumHeader } from './checksums.ts';
import { copyBytes, openCopySource } from './copies.ts';
import { sendEncryption } from './description.ts';
import { invalidArgument, invalidRequest, s3Error } from './errors.ts';
import { type Digests, declaredAlgorithm } from './integrity.ts';
import type { Segment, Upload, UploadedPart } from './object.ts';
import { receivePayload } from './payload.ts';
import { readCopyRange } from './range.ts';
import { quoted, sendEmpty, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { findBucket, keepOrRemove, newEtag, type Store, writeBlob } from './store.ts';

const MOST_PARTS = 10_000;

/** The upload of `?uploadId=`, for this very key. */
export function findUpload(store: Store, request: S3Request): Upload {
  findBucket(store, request.bucket);
  const upload = store.catalogue.upload(request.query.get('uploadId') ?? '');
  if (!upload || upload.bucket !== request.bucket || upload.key !== request.key) {
    throw s3Error('NoSuchUpload', { UploadId: request.query.get('uploadId') ?? '' });
  }
  return upload;
}

export function findOpenUpload(store: Store, request: S3Request): Upload {
  const upload = findUpload(store, request);
  if (upload.completed) throw s3Error('NoSuchUpload', { UploadId: upload.id });
  return upload;
}

function readPartNumber({ query }: S3Request) {
  const text = query.get('partNumber') ?? '';
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MOST_PARTS) {
    throw invalidArgument(
      'partNumber',
      text,
      `Part number must be an integer between 1 and ${MOST_PARTS}, inclusive`,
    );
  }
  return number;
}

/**
 * A part has to come with the kind of checksum that its upload was created with; to one created without, it may come
 * with any (apache/hadoop#7882 has seen S3 take them).
 */
function checkPartChecksum({ checksum }: Upload, request: S3Request) {
  const given = declaredAlgorithm(request);
  const missing = given === undefined && checksum.type === 'COMPOSITE';
  const other = given !== undefined && given !== checksum.algorithm;
  if (!checksum.declared || (!missing && !other)) return;
  throw invalidRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${checksum.algorithm.toLowerCase()}, actual checksum Type: ${given?.toLowerCase() ?? 'null'}`,
  );
}

/** Keeps the part, in place of an earlier one of its number, unless the upload has ended meanwhile. */
function keepPart(
  store: Store,
  request: S3Request,
  { digests, segment }: { digests: Digests; segment: Segment },
): UploadedPart {
  return keepOrRemove(store, [segment], () => {
    const upload = findOpenUpload(store, request);
    const algorithm = upload.checksum.declared ? undefined : declaredAlgorithm(request);
    const part: UploadedPart = {
      ...segment,
      number: readPartNumber(request),
      etag: newEtag(upload.description.encryption.algorithm, digests.get('MD5')),
      checksum: digests.get(upload.checksum.algorithm)?.toString('base64') ?? '',
      ...(algorithm && { given: { algorithm, value: digests.get(algorithm)?.toString('base64') ?? '' } }),
      lastModified: store.now().toISOString(),
    };
    const replaced = store.catalogue.parts(upload.id).find(({ number }) => number === part.number);
    store.catalogue.savePart(upload.id, part);
    if (replaced) store.blobs.remove([replaced.blob]);
    return part;
  });
}

export async function uploadPart(store: Store, { request, response }: Exchange) {
  const upload = findOpenUpload(store, request);
  readPartNumber(request);
  checkPartChecksum(upload, request);
  const received = await writeBlob(store, (sink) =>
    receivePayload(request, sink, [upload.checksum.algorithm, 'MD5']),
  );
  const part = keepPart(store, request, received);
  response.setHeader('etag', quoted(part.etag));
  const { algorithm, value } = part.given ?? { algorithm: upload.checksum.algorithm, value: part.checksum };
  response.setHeader(checksumHeader(algorithm), value);
  sendEncryption(response, upload.description.encryption);
  sendEmpty(response, 200);
}

export async function uploadPartCopy(store: Store, { request, response }: Exchange) {
  const upload = findOpenUpload(store, request);
  readPartNumber(request);
  const source = openCopySource(store, request);
  try {
    const range = readCopyRange(request.header('x-amz-copy-source-range'), source.version.object.bytes);
    const written = await writeBlob(store, (sink) =>
      copyBytes(store, source, range, sink, [upload.checksum.algorithm, 'MD5']),
    );
    const part = keepPart(store, request, written);
    if (source.bucket.versioned) {
      response.setHeader('x-amz-copy-source-version-id', source.version.versionId);
    }
    sendEncryption(response, upload.description.encryption);
    sendXml(response, 'CopyPartResult', {
      ETag: quoted(part.etag),
      LastModified: part.lastModified,
      [checksumElement(upload.checksum.algorithm)]: part.checksum,
    });
  } finally {
    source.release();
  }
}

export async function listParts(store: Store, { request, response }: Exchange) {
  const upload = findOpenUpload(store, request);
  const marker = Number(request.query.get('part-number-marker') ?? 0);
  const limit = Math.min(Number(request.query.get('max-parts') ?? 1000), 1000);
  const after = store.catalogue.parts(upload.id).filter(({ number }) => number > marker);
  const page = after.slice(0, limit);
  sendXml(response, 'ListPartsResult', {
    Bucket: upload.bucket,
    Key: upload.key,
    UploadId: upload.id,
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: limit,
    IsTruncated: after.length > page.length,
    StorageClass: upload.description.storageClass,
    ChecksumAlgorithm: upload.checksum.algorithm,
    ChecksumType: upload.checksum.type,
    Part: page.map((part) => ({
      PartNumber: part.number,
      LastModified: part.lastModified,
      ETag: quoted(part.etag),
      Size: part.bytes,
      [checksumElement(upload.checksum.algorithm)]: part.checksum,
    })),
  });
}
