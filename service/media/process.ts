import type { Knex } from 'knex';
import { conflict, type FieldError, invalid } from '../errors.ts';
import { type Asset, lockAssets } from '../models/asset.ts';
import { lockBatch, updateBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { findBatchJobs } from '../models/job.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { type Assignment, createProcessingJob, estimateSeconds } from './jobs.ts';
import { assertAwaitsMedia } from './listing-status.ts';
import type { MediaOperations } from './operations.ts';
import { difference, inspect } from './originals.ts';
import { authorize } from './permissions.ts';
import type { Publish } from './publisher.ts';
import { assertNotEmpty, select } from './selection.ts';

const waits = (asset: Asset) => asset.status === 'PENDING_UPLOAD' || asset.status === 'FAILED';

/**
 * `POST /uploads/process`: starts what has been uploaded so far and leaves the batch open. Files that are not there yet
 * keep waiting for their uploads, unless the request names them.
 */
export function processUploads(
  dependencies: MediaDependencies,
  publish: Publish,
): MediaOperations['processUploads'] {
  const { knex, objects } = dependencies;

  return async (caller, request, trace) => {
    const grant = await authorize(dependencies, caller, 'change', request.listingIdentityId);
    const selection = await select(knex, grant, request.batchId);
    const { batch, assets } = selection;
    if (batch.status !== 'PENDING_UPLOAD') {
      throw conflict('batch_not_open', `Batch ${batch.publicId} is ${batch.status}, not PENDING_UPLOAD.`);
    }
    assertNotEmpty(selection);
    assertAwaitsMedia(
      grant,
      assets.map((asset) => asset.assetType),
    );

    const named = nameAssets(request.files, assets);
    const candidates = assets.filter((asset) => waits(asset) && (named === null || named.has(asset.id)));
    const originals = await inspect(objects, candidates);
    const found = candidates.filter((asset) => originals.get(asset));
    const errors = candidates.flatMap((asset): FieldError[] => {
      const wrong = difference(asset, originals.get(asset) ?? null);
      if (!wrong) return [];
      if (wrong.code === 'upload_not_found' && !named && found.length) return [];
      const index = named?.get(asset.id);
      return [{ pointer: index === undefined ? '/files' : `/files/${index}`, ...wrong }];
    });
    if (errors.length) throw invalid(errors);

    const etags = new Map(found.map((asset) => [asset.id, originals.get(asset)?.etag ?? null]));
    const assignment = await transact(knex, (transaction) =>
      start(transaction, batch.id, found, etags, trace.traceparent),
    );
    if (assignment) await publish({ id: assignment.entryId, jobId: assignment.jobId, attempts: 1 });
    return {
      listingIdentityId: batch.listingId,
      batchId: batch.publicId,
      // nothing left to start: what is asked for is with an earlier job
      jobId: assignment?.jobId ?? (await findBatchJobs(knex, batch.id))[0]?.id ?? null,
      status: 'PENDING_UPLOAD',
      estimatedDurationSeconds: estimateSeconds(found),
    };
  };
}

/** Asset id → index in the request; null when the request names no files. 400 for a file that the batch does not have. */
function nameAssets(files: { clientId: string }[] | undefined, assets: Asset[]): Map<number, number> | null {
  if (!files) return null;
  const ids = new Map(assets.map((asset) => [asset.clientId, asset.id]));
  const named = new Map<number, number>();
  const errors: FieldError[] = [];
  for (const [index, { clientId }] of files.entries()) {
    const id = ids.get(clientId);
    if (id !== undefined) named.set(id, index);
    else {
      const message = `${clientId} is not a file of this batch.`;
      errors.push({ pointer: `/files/${index}/clientId`, code: 'unknown_client_id', message });
    }
  }
  if (errors.length) throw invalid(errors);
  return named;
}

async function start(
  transaction: Knex,
  batchId: number,
  found: Asset[],
  etags: Map<number, string | null>,
  traceparent: string,
): Promise<Assignment | null> {
  const batch = await lockBatch(transaction, batchId);
  if (batch.status !== 'PENDING_UPLOAD') {
    throw conflict('batch_not_open', `Batch ${batch.publicId} is ${batch.status}, not PENDING_UPLOAD.`);
  }
  const keys = new Set(found.map((asset) => asset.sourceKey));
  // without those that someone else has started, replaced or removed since they were inspected
  const ready = (await lockAssets(transaction, batch.id)).filter(
    (asset) => waits(asset) && keys.has(asset.sourceKey),
  );
  if (ready.length === 0) return null;
  await updateBatch(transaction, batch.id, { uploadActivityAt: now() });
  const seen = ready.map((asset) => ({ asset, etag: etags.get(asset.id) ?? null }));
  return createProcessingJob(transaction, batch, seen, traceparent);
}
