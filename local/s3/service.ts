import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsError } from '../aws-error.ts';
import type { AwsService, SignedRequest } from '../door.ts';
import type { Bucket } from '../graph/manifest.ts';
import type { Need } from '../iam/need.ts';
import { missingNeed } from '../iam/s3-needs.ts';
import { getObjectAttributes } from './attributes.ts';
import { getBucketCors, getBucketLocation, getBucketVersioning, headBucket, listBuckets } from './buckets.ts';
import { completeMultipartUpload } from './completion.ts';
import { copyObject } from './copies.ts';
import { createCrossOrigin } from './cors.ts';
import { deleteObject, deleteObjects } from './deletions.ts';
import { s3Error } from './errors.ts';
import { listObjectsV2, listObjectVersions } from './listings.ts';
import { getObject, headObject, putObject } from './objects.ts';
import { listParts, uploadPart, uploadPartCopy } from './parts.ts';
import { type Exchange, readRequest } from './request.ts';
import { type Operation, operationOf } from './routes.ts';
import { type ObjectCreated, openStore, type Store } from './store.ts';
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './tagging.ts';
import { abortMultipartUpload, createMultipartUpload, listMultipartUploads } from './uploads.ts';

export interface S3Options {
  buckets: readonly Bucket[];
  /** where objects are kept; those of an earlier start are found again */
  directory: string;
  /** us-east-1 unless given */
  region?: string;
  /** Throws AccessDenied for what the sender may not do, where only S3 can tell what that is. */
  require?: (signed: SignedRequest, needs: Need[]) => Promise<void>;
  onObjectCreated?: (event: ObjectCreated) => void;
  now?: () => Date;
}

export interface S3 {
  service: AwsService;
  /** for the front door: CORS headers and preflights by the buckets' declared rules */
  crossOrigin: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): void;
}

const HANDLERS: Record<Operation, (store: Store, exchange: Exchange) => Promise<void>> = {
  ListBuckets: listBuckets,
  HeadBucket: headBucket,
  GetBucketCors: getBucketCors,
  GetBucketLocation: getBucketLocation,
  GetBucketVersioning: getBucketVersioning,
  ListObjectsV2: listObjectsV2,
  ListObjectVersions: listObjectVersions,
  ListMultipartUploads: listMultipartUploads,
  DeleteObjects: deleteObjects,
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  GetObjectAttributes: getObjectAttributes,
  GetObjectTagging: getObjectTagging,
  PutObjectTagging: putObjectTagging,
  DeleteObjectTagging: deleteObjectTagging,
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
};

/** Amazon S3 on disk: the declared buckets, path-style, everything streamed, every signature and checksum verified. */
export function createS3(options: S3Options): S3 {
  const { region = 'us-east-1', now = () => new Date(), onObjectCreated = () => {} } = options;
  const { require = async () => {} } = options;
  const buckets = new Map(options.buckets.map((bucket) => [bucket.name, bucket]));
  const store = openStore(options.directory, { buckets, region, now, created: onObjectCreated });
  return {
    async service(signed, response) {
      const request = readRequest(signed);
      const operation = operationOf(request);
      if (!operation) throw s3Error('NotImplemented', {}, 'The local S3 does not have this operation.');
      try {
        await HANDLERS[operation](store, {
          request,
          response,
          require: (...needs) => require(signed, needs),
        });
      } catch (error) {
        // who may not list the bucket is not told whether the object is there
        if (error instanceof AwsError && error.code === 'NoSuchKey') {
          await require(signed, [missingNeed(request.bucket, request.key)]);
        }
        throw error;
      }
    },
    crossOrigin: createCrossOrigin(buckets),
    close: () => store.catalogue.close(),
  };
}
