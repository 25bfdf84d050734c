import type { ServerResponse } from 'node:http';
import type { Bucket } from '../graph/manifest.ts';
import { type XmlContent, xmlDocument, xmlElement } from '../xml.ts';
import { type Checksum, checksumElement, checksumHeader } from './checksums.ts';
import type { Version } from './object.ts';

const NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

export function sendXml(response: ServerResponse, root: string, content: XmlContent) {
  response.setHeader('content-type', 'application/xml');
  response.end(xmlDocument(xmlElement(root, content, NAMESPACE)));
}

export function sendEmpty(response: ServerResponse, status: number) {
  response.statusCode = status;
  response.end();
}

/** Buckets without versioning do not speak of versions. */
export function sendVersionId(
  response: ServerResponse,
  bucket: Bucket,
  { versionId }: Pick<Version, 'versionId'>,
) {
  if (bucket.versioned) response.setHeader('x-amz-version-id', versionId);
}

export function sendChecksum(response: ServerResponse, checksum: Checksum | undefined) {
  if (!checksum) return;
  response.setHeader(checksumHeader(checksum.algorithm), checksum.value);
  response.setHeader('x-amz-checksum-type', checksum.type);
}

export const checksumXml = (checksum: Checksum | undefined): Record<string, XmlContent> =>
  checksum ? { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type } : {};

export const quoted = (etag: string) => `"${etag}"`;
