import type { XmlContent } from '../xml.ts';
import { checksumElement } from './checksums.ts';
import { invalidArgument } from './errors.ts';
import type { StoredObject } from './object.ts';
import { findReadable } from './objects.ts';
import { checksumXml, sendVersionId, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { findBucket, type Store } from './store.ts';

function partsXml({ parts, checksum }: StoredObject, request: S3Request): XmlContent {
  if (!parts) return undefined;
  const marker = Number(request.header('x-amz-part-number-marker') ?? 0);
  const limit = Math.min(Number(request.header('x-amz-max-parts') ?? 1000), 1000);
  const after = parts.filter(({ number }) => number > marker);
  const page = after.slice(0, limit);
  return {
    PartsCount: parts.length,
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: limit,
    IsTruncated: after.length > page.length,
    // S3 lists the parts only where their checksums are kept one by one.
    Part:
      checksum?.type === 'COMPOSITE'
        ? page.map((part) => ({
            PartNumber: part.number,
            Size: part.bytes,
            [checksumElement(checksum.algorithm)]: part.checksum,
          }))
        : undefined,
  };
}

export async function getObjectAttributes(store: Store, exchange: Exchange) {
  const { request, response } = exchange;
  const bucket = findBucket(store, request.bucket);
  const version = findReadable(store, exchange);
  const { object } = version;
  const members: Record<string, XmlContent> = {
    ETag: object.etag,
    Checksum: checksumXml(object.checksum),
    ObjectParts: partsXml(object, request),
    StorageClass: object.storageClass,
    ObjectSize: object.bytes,
  };
  const names = (request.header('x-amz-object-attributes') ?? '').split(',').map((name) => name.trim());
  if (!names.every((name) => Object.hasOwn(members, name))) {
    throw invalidArgument('x-amz-object-attributes', names.join(','), 'Invalid attribute name specified.');
  }
  response.setHeader('last-modified', new Date(version.lastModified).toUTCString());
  sendVersionId(response, bucket, version);
  sendXml(
    response,
    'GetObjectAttributesResponse',
    Object.fromEntries(Object.entries(members).filter(([name]) => names.includes(name))),
  );
}
