import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { uriDecode } from '../canonical-request.ts';
import type { Bucket } from '../graph/manifest.ts';
import { type ChecksumAlgorithm, createDigest, readAlgorithm } from './checksums.ts';
import { checkReadConditions, readWriteCondition } from './conditions.ts';
import {
  readEncryption,
  readObjectHeaders,
  readStorageClass,
  readTaggingHeader,
  refuseUnsupported,
  sendEncryption,
} from './description.ts';
import { invalidArgument, invalidRequest } from './errors.ts';
import type { DigestName } from './integrity.ts';
import type { ObjectDescription, ObjectVersion, StoredObject } from './object.ts';
import { refuseArchived } from './objects.ts';
import type { Range } from './range.ts';
import { checksumXml, quoted, sendVersionId, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import {
  commitObject,
  findBucket,
  findObject,
  keepOrRemove,
  newEtag,
  type Store,
  writeBlob,
} from './store.ts';

export interface CopySource {
  bucket: Bucket;
  version: ObjectVersion;
  /** to be called when the source has been read */
  release: () => void;
}

/** The object of x-amz-copy-source (`bucket/key?versionId=id`, URL-encoded), fit to be read and held until released. */
export function openCopySource(store: Store, request: S3Request): CopySource {
  const header = request.header('x-amz-copy-source') ?? '';
  const match = /^\/?([^/]+)\/(.+?)(?:\?versionId=(.+))?$/s.exec(header);
  if (!match) {
    throw invalidArgument('x-amz-copy-source', header, 'Invalid copy source object key');
  }
  const [, bucketName = '', key = '', versionId] = match;
  const bucket = findBucket(store, uriDecode(bucketName));
  const version = findObject(store, bucket.name, uriDecode(key), versionId && uriDecode(versionId));
  refuseArchived(version);
  checkReadConditions(request, version, 'x-amz-copy-source-');
  return { bucket, version, release: store.blobs.hold(version.object.segments) };
}

/** Copies bytes of an object into `sink` while the digests run. */
export async function copyBytes(
  store: Store,
  { version: { object } }: CopySource,
  { start, end }: Range,
  sink: Writable,
  algorithms: readonly DigestName[],
) {
  const digests = new Map(algorithms.map((name) => [name, createDigest(name)]));
  async function* digested() {
    for await (const piece of store.blobs.read(object.segments, start, end)) {
      for (const digest of digests.values()) digest.update(piece);
      yield piece;
    }
  }
  await pipeline(digested(), sink);
  return {
    bytes: end - start,
    digests: new Map([...digests].map(([name, digest]) => [name, digest.digest()])),
  };
}

function readDirective(request: S3Request, name: string) {
  const directive = request.header(name) ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    throw invalidArgument(
      name,
      directive,
      `Unknown ${name.includes('tagging') ? 'tagging' : 'metadata'} directive.`,
    );
  }
  return directive;
}

function describeCopy(request: S3Request, bucket: Bucket, { object }: ObjectVersion): ObjectDescription {
  refuseUnsupported(request);
  const keepsHeaders = readDirective(request, 'x-amz-metadata-directive') === 'COPY';
  const keepsTags = readDirective(request, 'x-amz-tagging-directive') === 'COPY';
  return {
    headers: keepsHeaders ? object.headers : readObjectHeaders(request),
    tags: keepsTags ? object.tags : readTaggingHeader(request),
    storageClass: readStorageClass(request),
    encryption: readEncryption(request, bucket),
  };
}

function refuseIdleCopy(request: S3Request, source: CopySource, description: ObjectDescription) {
  const { bucket, version } = source;
  const changes =
    bucket.name !== request.bucket ||
    version.key !== request.key ||
    !version.latest ||
    readDirective(request, 'x-amz-metadata-directive') === 'REPLACE' ||
    request.header('x-amz-server-side-encryption') !== undefined ||
    description.storageClass !== version.object.storageClass;
  if (!changes) {
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
}

/** Whether bytes, checksum and entity tag of the copy are those of the source, so that a second name for its file will do. */
function isSameContent(
  { object }: ObjectVersion,
  algorithm: ChecksumAlgorithm,
  { encryption }: ObjectDescription,
) {
  const sameEtag =
    encryption.algorithm !== 'AES256' || (object.encryption.algorithm === 'AES256' && !object.parts);
  const { checksum, segments } = object;
  return (
    sameEtag && segments.length === 1 && checksum?.algorithm === algorithm && checksum.type === 'FULL_OBJECT'
  );
}

async function copyContent(
  store: Store,
  source: CopySource,
  algorithm: ChecksumAlgorithm,
  description: ObjectDescription,
): Promise<StoredObject> {
  const { object } = source.version;
  const { encryption } = description;
  const [segment] = object.segments;
  if (segment && isSameContent(source.version, algorithm, description)) {
    const blob = await store.blobs.duplicate(segment.blob);
    const etag = newEtag(encryption.algorithm, Buffer.from(object.etag, 'hex'));
    const { parts: _, ...content } = object;
    return { ...content, ...description, etag, segments: [{ ...segment, blob }] };
  }
  const written = await writeBlob(store, (sink) =>
    copyBytes(store, source, { start: 0, end: object.bytes }, sink, [algorithm, 'MD5']),
  );
  const value = written.digests.get(algorithm)?.toString('base64') ?? '';
  return {
    ...description,
    bytes: written.bytes,
    etag: newEtag(encryption.algorithm, written.digests.get('MD5')),
    checksum: { algorithm, value, type: 'FULL_OBJECT' },
    segments: [written.segment],
  };
}

export async function copyObject(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const condition = readWriteCondition(request);
  const source = openCopySource(store, request);
  try {
    condition(store.catalogue.find(bucket.name, request.key), false);
    const description = describeCopy(request, bucket, source.version);
    refuseIdleCopy(request, source, description);
    const asked = readAlgorithm(request.header('x-amz-checksum-algorithm') ?? '');
    const algorithm = asked ?? source.version.object.checksum?.algorithm ?? 'CRC64NVME';
    const object = await copyContent(store, source, algorithm, description);
    const version = keepOrRemove(store, object.segments, () =>
      commitObject(store, { request, bucket, object, condition, reason: 'Copy' }),
    );
    sendVersionId(response, bucket, version);
    if (source.bucket.versioned) {
      response.setHeader('x-amz-copy-source-version-id', source.version.versionId);
    }
    sendEncryption(response, object.encryption);
    sendXml(response, 'CopyObjectResult', {
      ETag: quoted(object.etag),
      LastModified: version.lastModified,
      ...checksumXml(object.checksum),
    });
  } finally {
    source.release();
  }
}
