import type { ServerResponse } from 'node:http';
import { readQuery, splitTarget, uriDecode } from '../canonical-request.ts';
import type { SignedRequest } from '../door.ts';
import type { Need } from '../iam/need.ts';
import { s3Error } from './errors.ts';

/** A signed request as S3 reads it. */
export interface S3Request {
  signed: SignedRequest;
  method: string;
  /** empty for the service itself */
  bucket: string;
  /** empty for the bucket itself */
  key: string;
  query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
}

export interface Exchange {
  request: S3Request;
  response: ServerResponse;
  /** throws AccessDenied for what the sender may not do */
  require: (...needs: Need[]) => Promise<void>;
}

const LONGEST_KEY = 1024;

/** Bucket and key of a path-style target. Not by way of URL, which would resolve the dots in a key. */
export function readPath(target: string | undefined) {
  const path = uriDecode(splitTarget(target).path);
  const slash = path.indexOf('/', 1);
  return slash < 0
    ? { bucket: path.slice(1), key: '' }
    : { bucket: path.slice(1, slash), key: path.slice(slash + 1) };
}

export function readRequest(signed: SignedRequest): S3Request {
  const { bucket, key } = readPath(signed.request.url);
  if (Buffer.byteLength(key) > LONGEST_KEY) {
    throw s3Error('KeyTooLongError', {
      Size: String(Buffer.byteLength(key)),
      MaxSizeAllowed: String(LONGEST_KEY),
    });
  }
  return {
    signed,
    method: signed.request.method ?? '',
    bucket,
    key,
    query: new Map(readQuery(splitTarget(signed.request.url).query)),
    header(name) {
      const value = signed.request.headers[name];
      return Array.isArray(value) ? value.join(',') : value;
    },
  };
}
