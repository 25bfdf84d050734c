import { z } from 'zod';
import { AwsError } from '../aws-error.ts';
import type { Bucket } from '../graph/manifest.ts';
import { deletionNeed } from '../iam/s3-needs.ts';
import { readWriteCondition } from './conditions.ts';
import { readXml } from './documents.ts';
import { invalidRequest } from './errors.ts';
import { declaredAlgorithm } from './integrity.ts';
import type { Version } from './object.ts';
import { sendEmpty, sendXml } from './reply.ts';
import type { Exchange } from './request.ts';
import { blobsOf, findBucket, newVersionId, type Store } from './store.ts';

interface Deleted {
  /** whose files may go once the deletion is certain */
  removed?: Version;
  /** the version that is gone, or the delete marker that is there instead */
  versionId?: string;
  deleteMarker: boolean;
}

/** Removes a version for good, or without an id hides the key behind a delete marker where the bucket is versioned. */
function deleteVersion(store: Store, bucket: Bucket, key: string, versionId: string | undefined): Deleted {
  const { catalogue } = store;
  if (versionId === undefined && bucket.versioned) {
    const marker = { key, versionId: newVersionId(bucket), lastModified: store.now().toISOString() };
    catalogue.add(bucket.name, marker);
    return { versionId: marker.versionId, deleteMarker: true };
  }
  const removed = catalogue.remove(bucket.name, key, versionId ?? 'null');
  return {
    deleteMarker: removed !== undefined && !removed.object,
    ...(removed && { removed }),
    ...(versionId !== undefined && { versionId }),
  };
}

export async function deleteObject(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const condition = readWriteCondition(request);
  const deleted = store.catalogue.transaction(() => {
    condition(store.catalogue.find(bucket.name, request.key), false);
    return deleteVersion(store, bucket, request.key, request.query.get('versionId'));
  });
  store.blobs.remove(blobsOf(deleted.removed));
  if (deleted.versionId !== undefined) response.setHeader('x-amz-version-id', deleted.versionId);
  if (deleted.deleteMarker) response.setHeader('x-amz-delete-marker', 'true');
  sendEmpty(response, 204);
}

const DeleteDocument = z.object({
  Delete: z.object({
    Quiet: z.string().optional(),
    Object: z
      .array(z.object({ Key: z.string().min(1), VersionId: z.string().optional() }))
      .min(1)
      .max(1000),
  }),
});

type Refused = {
  Key: string;
  VersionId?: string | undefined;
  Code: string;
  Message: string;
};

export async function deleteObjects(store: Store, { request, response, require }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  if (request.header('content-md5') === undefined && !declaredAlgorithm(request)) {
    throw invalidRequest('Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
  }
  const { Delete } = await readXml(request, DeleteDocument);
  const allowed: typeof Delete.Object = [];
  const refused: Refused[] = [];
  for (const object of Delete.Object) {
    try {
      await require(deletionNeed(bucket.name, object.Key, object.VersionId));
      allowed.push(object);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      refused.push({ ...object, Code: error.code, Message: error.message });
    }
  }
  const deleted = store.catalogue.transaction(() =>
    allowed.map(({ Key, VersionId }) => ({
      Key,
      VersionId,
      ...deleteVersion(store, bucket, Key, VersionId),
    })),
  );
  store.blobs.remove(deleted.flatMap(({ removed }) => blobsOf(removed)));
  const results = deleted.map(({ Key, VersionId, versionId, deleteMarker }) => ({
    Key,
    VersionId,
    DeleteMarker: deleteMarker || undefined,
    DeleteMarkerVersionId: deleteMarker ? versionId : undefined,
  }));
  sendXml(response, 'DeleteResult', {
    Deleted: Delete.Quiet === 'true' ? undefined : results,
    Error: refused,
  });
}
