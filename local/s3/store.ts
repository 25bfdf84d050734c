import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Bucket } from '../graph/manifest.ts';
import { type Blobs, createBlobs } from './blobs.ts';
import { type Catalogue, openCatalogue } from './catalogue.ts';
import type { WriteCondition } from './conditions.ts';
import { s3Error } from './errors.ts';
import { hasBytes, type ObjectVersion, type Segment, type StoredObject, type Version } from './object.ts';
import type { S3Request } from './request.ts';

/** What S3 tells about a new object (event `s3:ObjectCreated:*`). */
export interface ObjectCreated {
  reason: 'Put' | 'Copy' | 'CompleteMultipartUpload';
  bucket: string;
  key: string;
  versionId: string;
  bytes: number;
  etag: string;
}

export interface Store {
  buckets: ReadonlyMap<string, Bucket>;
  catalogue: Catalogue;
  blobs: Blobs;
  region: string;
  now: () => Date;
  created: (event: ObjectCreated) => void;
}

/** For how long a completed multipart upload may be completed again, in milliseconds. */
const REPEATABLE = 86_400_000;

/** Opens the store below `directory`, and removes what a crash has left half-written there. */
export function openStore(
  directory: string,
  options: Pick<Store, 'buckets' | 'region' | 'now' | 'created'>,
): Store {
  mkdirSync(directory, { recursive: true });
  const catalogue = openCatalogue(join(directory, 'catalogue.sqlite'));
  const blobs = createBlobs(join(directory, 'blobs'));
  catalogue.forgetCompleted(new Date(options.now().getTime() - REPEATABLE).toISOString());
  blobs.sweep(catalogue.blobs());
  return { ...options, catalogue, blobs };
}

export function findBucket(store: Store, name: string) {
  const bucket = store.buckets.get(name);
  if (!bucket) throw s3Error('NoSuchBucket', { BucketName: name });
  return bucket;
}

/** The object that a read means. */
export function findObject(store: Store, bucket: string, key: string, versionId?: string): ObjectVersion {
  const version = store.catalogue.find(bucket, key, versionId);
  if (hasBytes(version)) return version;
  if (version && versionId !== undefined) throw s3Error('MethodNotAllowed', { ResourceType: 'DeleteMarker' });
  if (versionId !== undefined) throw s3Error('NoSuchVersion', { Key: key, VersionId: versionId });
  throw s3Error('NoSuchKey', { Key: key });
}

/**
 * An entity tag for new bytes. That of an object under aws:kms is not the MD5 of its content, and differs at every
 * write: nobody shall come to rely on it here.
 */
export const newEtag = (algorithm: string, md5: Buffer | undefined) =>
  (algorithm === 'AES256' && md5 ? md5 : randomBytes(16)).toString('hex');

/** `md5(etag of each part)-N`. */
export function etagOfParts(etags: readonly string[]) {
  const hash = createHash('md5');
  for (const etag of etags) hash.update(Buffer.from(etag, 'hex'));
  return `${hash.digest('hex')}-${etags.length}`;
}

/** Version ids are opaque; without versioning there is only `null`. */
export const newVersionId = (bucket: Bucket) =>
  bucket.versioned ? randomBytes(24).toString('base64url') : 'null';

export const blobsOf = (version: Version | undefined) =>
  (version?.object?.segments ?? []).map(({ blob }) => blob);

/** Makes the object the latest version of its key, if the condition still holds, in one step. */
export function commitObject(
  store: Store,
  {
    request,
    bucket,
    object,
    condition,
    reason,
    also,
  }: {
    request: S3Request;
    bucket: Bucket;
    object: StoredObject;
    condition: WriteCondition;
    reason: ObjectCreated['reason'];
    /** what has to change together with it */
    also?: (versionId: string) => void;
  },
) {
  const { catalogue } = store;
  const { key } = request;
  const version = { key, versionId: newVersionId(bucket), lastModified: store.now().toISOString(), object };
  const replaced = catalogue.transaction(() => {
    condition(catalogue.find(bucket.name, key), true);
    also?.(version.versionId);
    return catalogue.add(bucket.name, version);
  });
  store.blobs.remove(blobsOf(replaced));
  store.created({
    reason,
    bucket: bucket.name,
    key,
    versionId: version.versionId,
    bytes: object.bytes,
    etag: object.etag,
  });
  return version;
}

/** Writes a new blob, and removes it again if `write` fails: then nothing has been stored. */
export async function writeBlob<T extends { bytes: number }>(
  store: Store,
  write: (sink: Writable) => Promise<T>,
): Promise<T & { segment: Segment }> {
  const { id, sink } = store.blobs.create();
  try {
    const written = await write(sink);
    return { ...written, segment: { blob: id, bytes: written.bytes } };
  } catch (error) {
    sink.destroy();
    // The file may still be about to be opened, and would come back after its removal.
    if (!sink.closed) await new Promise<void>((resolve) => void sink.once('close', resolve));
    store.blobs.remove([id]);
    throw error;
  }
}

/** Removes the blobs again if the step that should have made them part of an object fails. */
export function keepOrRemove<T>(store: Store, segments: readonly Segment[], step: () => T): T {
  try {
    return step();
  } catch (error) {
    store.blobs.remove(segments.map(({ blob }) => blob));
    throw error;
  }
}
