import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { checkReadConditions, readWriteCondition } from './conditions.ts';
import { readDescription, SYSTEM_HEADERS, sendEncryption } from './description.ts';
import { invalidRequest, s3Error } from './errors.ts';
import { declaredAlgorithm } from './integrity.ts';
import type { ObjectVersion, StoredObject } from './object.ts';
import { receivePayload } from './payload.ts';
import { type Range, readRange } from './range.ts';
import { quoted, sendChecksum, sendEmpty, sendVersionId } from './reply.ts';
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

/** Classes whose objects have to be restored before they can be read. */
const ARCHIVED = ['GLACIER', 'DEEP_ARCHIVE'];

export async function putObject(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const description = readDescription(request, bucket);
  const condition = readWriteCondition(request);
  condition(store.catalogue.find(bucket.name, request.key), false);

  // Since December 2024 S3 computes a CRC64NVME for whoever gives no checksum.
  const algorithm = declaredAlgorithm(request) ?? 'CRC64NVME';
  const { encryption } = description;
  const { bytes, digests, segment } = await writeBlob(store, (sink) =>
    receivePayload(request, sink, encryption.algorithm === 'AES256' ? [algorithm, 'MD5'] : [algorithm]),
  );
  const object: StoredObject = {
    ...description,
    bytes,
    etag: newEtag(encryption.algorithm, digests.get('MD5')),
    checksum: { algorithm, value: digests.get(algorithm)?.toString('base64') ?? '', type: 'FULL_OBJECT' },
    segments: [segment],
  };
  const version = keepOrRemove(store, object.segments, () =>
    commitObject(store, { request, bucket, object, condition, reason: 'Put' }),
  );
  response.setHeader('etag', quoted(object.etag));
  sendVersionId(response, bucket, version);
  sendChecksum(response, object.checksum);
  sendEncryption(response, encryption);
  sendEmpty(response, 200);
}

export function refuseArchived({ object: { storageClass } }: ObjectVersion) {
  if (ARCHIVED.includes(storageClass)) throw s3Error('InvalidObjectState', { StorageClass: storageClass });
}

/** The bytes of `?partNumber=`; of an object that came in one piece there is only part 1. */
function readPartRange(object: StoredObject, partNumber: string): Range {
  const parts = object.parts ?? [{ number: 1, bytes: object.bytes }];
  let start = 0;
  for (const { number, bytes } of parts) {
    if (number === Number(partNumber)) return { start, end: start + bytes };
    start += bytes;
  }
  throw s3Error('InvalidPartNumber', {
    PartNumberRequested: partNumber,
    ActualPartCount: String(parts.length),
  });
}

function chooseRange(request: S3Request, object: StoredObject): Range | undefined {
  const range = request.header('range');
  const partNumber = request.query.get('partNumber');
  if (partNumber === undefined) return readRange(range, object.bytes);
  if (range !== undefined)
    throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
  return readPartRange(object, partNumber);
}

/** The head of a GET or HEAD answer; returns the bytes to send. */
function sendHead(
  { request, response }: Exchange,
  bucket: Parameters<typeof sendVersionId>[1],
  version: ObjectVersion,
): Range {
  const { object } = version;
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('last-modified', new Date(version.lastModified).toUTCString());
  response.setHeader('etag', quoted(object.etag));
  sendVersionId(response, bucket, version);
  checkReadConditions(request, version);

  const range = chooseRange(request, object);
  const { start, end } = range ?? { start: 0, end: object.bytes };
  for (const [name, value] of Object.entries(object.headers)) response.setHeader(name, value);
  for (const name of SYSTEM_HEADERS) {
    const value = request.query.get(`response-${name}`);
    if (value !== undefined) response.setHeader(name, value);
  }
  if (object.storageClass !== 'STANDARD') response.setHeader('x-amz-storage-class', object.storageClass);
  if (object.tags.length > 0) response.setHeader('x-amz-tagging-count', object.tags.length);
  sendEncryption(response, object.encryption);
  const whole = start === 0 && end === object.bytes;
  if (whole && request.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    sendChecksum(response, object.checksum);
  }
  if (range) {
    response.statusCode = 206;
    if (end > start) response.setHeader('content-range', `bytes ${start}-${end - 1}/${object.bytes}`);
    if (object.parts && request.query.has('partNumber')) {
      response.setHeader('x-amz-mp-parts-count', object.parts.length);
    }
  }
  response.setHeader('content-length', end - start);
  return { start, end };
}

/** A delete marker is an answer of 404 (or 405 when it was asked for by its id) that says so in its headers. */
export function findReadable(store: Store, { request, response }: Exchange): ObjectVersion {
  const versionId = request.query.get('versionId');
  const version = store.catalogue.find(request.bucket, request.key, versionId);
  if (version && !version.object) {
    response.setHeader('x-amz-delete-marker', 'true');
    response.setHeader('x-amz-version-id', version.versionId);
  }
  return findObject(store, request.bucket, request.key, versionId);
}

export async function getObject(store: Store, exchange: Exchange) {
  const bucket = findBucket(store, exchange.request.bucket);
  const version = findReadable(store, exchange);
  const { segments } = version.object;
  const release = store.blobs.hold(segments);
  try {
    refuseArchived(version);
    const { start, end } = sendHead(exchange, bucket, version);
    await pipeline(store.blobs.read(segments, start, end), exchange.response);
  } finally {
    release();
  }
}

export async function headObject(store: Store, exchange: Exchange) {
  const bucket = findBucket(store, exchange.request.bucket);
  sendHead(exchange, bucket, findReadable(store, exchange));
  finish(exchange.response);
}

const finish = (response: ServerResponse) => void response.end();
