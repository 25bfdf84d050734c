import { z } from 'zod';
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  checksumElement,
  checksumHeader,
  checksumOfParts,
} from './checksums.ts';
import { readWriteCondition } from './conditions.ts';
import { sendEncryption } from './description.ts';
import { readXml } from './documents.ts';
import { invalidRequest, s3Error } from './errors.ts';
import { readIntegrity } from './integrity.ts';
import type { StoredObject, Upload, UploadedPart } from './object.ts';
import { findUpload } from './parts.ts';
import { checksumXml, quoted, sendVersionId, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { commitObject, etagOfParts, findBucket, type Store } from './store.ts';

const SMALLEST_PART = 5 * 1_048_576;

/** Loose, for the checksum elements: a part has the one of its algorithm. */
const CompletedPart = z.looseObject({ PartNumber: z.string().regex(/^\d+$/), ETag: z.string() });
const CompleteDocument = z.object({
  CompleteMultipartUpload: z.object({ Part: z.array(CompletedPart).min(1).max(10_000) }),
});
type CompletedParts = z.infer<typeof CompleteDocument>['CompleteMultipartUpload']['Part'];

/** Whether the client means this very part: by its ETag, and by the checksum that it gave with it. */
function isSamePart(named: CompletedParts[number], part: UploadedPart, algorithm: ChecksumAlgorithm) {
  const given = new Map([[algorithm, part.checksum]]);
  if (part.given) given.set(part.given.algorithm, part.given.value);
  return (
    named.ETag.replace(/^"|"$/g, '') === part.etag &&
    (!part.given || named[checksumElement(part.given.algorithm)] !== undefined) &&
    CHECKSUM_ALGORITHMS.every((name) => {
      const value = named[checksumElement(name)];
      return value === undefined || value === given.get(name);
    })
  );
}

/** The uploaded parts that the client names, each proven to be the one that it means. */
function chooseParts(store: Store, { id, checksum }: Upload, named: CompletedParts) {
  const uploaded = new Map(store.catalogue.parts(id).map((part) => [part.number, part]));
  const { algorithm, type, declared } = checksum;
  const inOrder = named.every(
    (item, index) => index === 0 || Number(item.PartNumber) > Number(named[index - 1]?.PartNumber),
  );
  if (!inOrder) throw s3Error('InvalidPartOrder', { UploadId: id });
  return named.map((item, index): UploadedPart => {
    const number = Number(item.PartNumber);
    const part = uploaded.get(number);
    if (!part || !isSamePart(item, part, algorithm)) {
      throw s3Error('InvalidPart', { UploadId: id, PartNumber: String(number), ETag: item.ETag });
    }
    if (declared && type === 'COMPOSITE' && item[checksumElement(algorithm)] === undefined) {
      throw invalidRequest(
        `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`,
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
  // Here x-amz-checksum-* speaks of the object, not of the document.
  const { algorithm: _, checksum: __, ...ofDocument } = readIntegrity(request);
  const document = await readXml(request, CompleteDocument, ofDocument);
  const { Part: named } = document.CompleteMultipartUpload;
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
