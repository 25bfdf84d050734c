import type { Checksum, ChecksumAlgorithm, ChecksumType } from './checksums.ts';

/** A stretch of an object's bytes: one file on disk. */
export interface Segment {
  blob: string;
  bytes: number;
}

/** A part of a multipart upload, as the finished object remembers it. */
export interface ObjectPart {
  number: number;
  bytes: number;
  checksum?: string;
}

export interface Encryption {
  algorithm: string;
  keyArn?: string;
  bucketKey?: boolean;
}

/** What the creator of an object says about it, before or without its bytes. */
export interface ObjectDescription {
  /** Content-Type and the like, and x-amz-meta-*, by lower-case name */
  headers: Record<string, string>;
  storageClass: string;
  encryption: Encryption;
  tags: Tag[];
}

export interface Tag {
  key: string;
  value: string;
}

export interface StoredObject extends ObjectDescription {
  bytes: number;
  /** without its quotes */
  etag: string;
  checksum?: Checksum;
  segments: Segment[];
  /** of an object that came as a multipart upload */
  parts?: ObjectPart[];
}

/** One version of a key. In a bucket without versioning there is only the version `null`. */
export interface Version {
  key: string;
  versionId: string;
  latest: boolean;
  /** ISO 8601, milliseconds */
  lastModified: string;
  /** undefined: a delete marker */
  object?: StoredObject;
}

/** A version that has bytes. */
export type ObjectVersion = Version & { object: StoredObject };

/** A multipart upload that has begun. */
export interface Upload {
  id: string;
  bucket: string;
  key: string;
  initiated: string;
  description: ObjectDescription;
  checksum: {
    algorithm: ChecksumAlgorithm;
    type: ChecksumType;
    /** asked for by the client, so that its parts have to carry it, rather than S3's own choice */
    declared: boolean;
  };
  /** Set once completed: Complete may be repeated, and answers the same. */
  completed?: { versionId: string; object: StoredObject; parts: string };
}

export interface UploadedPart extends Segment {
  number: number;
  etag: string;
  /** by the upload's algorithm */
  checksum: string;
  /** what the client gave for an upload that was created without an algorithm */
  given?: { algorithm: ChecksumAlgorithm; value: string };
  lastModified: string;
}

export const hasBytes = (version: Version | undefined): version is ObjectVersion =>
  version?.object !== undefined;
