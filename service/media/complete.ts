import type { Knex } from 'knex';
import { type FieldError, invalid } from '../errors.ts';
import { type Asset, lockAssets } from '../models/asset.ts';
import { type Batch, type BatchStatus, lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { findBatchJobs } from '../models/job.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { type Assignment, createFinalizationJob, createProcessingJob, estimateSeconds } from './jobs.ts';
import { assertAwaitsMedia } from './listing-status.ts';
import type { CompleteUploads, JobAnswer, MediaOperations } from './operations.ts';
import { difference, inspect } from './originals.ts';
import { authorize } from './permissions.ts';
import type { Publish } from './publisher.ts';
import { assertNotEmpty, isUnchanged, select } from './selection.ts';
import { moveBatch } from './transitions.ts';

/** A batch may change while its originals are inspected; so often it is inspected again. */
const ATTEMPTS = 5;

/**
 * `POST /uploads/complete`: takes a batch from where it is to READY. Convergent: what is PROCESSED stays, what is on
 * its way is waited for, the rest is started.
 */
export function completeUploads(
  dependencies: MediaDependencies,
  publish: Publish,
): MediaOperations['completeUploads'] {
  const { knex, objects } = dependencies;

  return async (caller, request, trace) => {
    const grant = await authorize(dependencies, caller, 'change', request.listingIdentityId);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const selection = await select(knex, grant, request.batchId);
      const { batch, assets } = selection;
      if (!takesCompletion(batch.status)) return underway(knex, batch, assets);
      assertNotEmpty(selection);
      assertAwaitsMedia(
        grant,
        assets.map((asset) => asset.assetType),
      );
      assertKnown(request, assets);

      const originals = await inspect(objects, assets);
      const claims = new Map(request.files?.map((file, index) => [file.clientId, { file, index }]));
      const errors = assets.flatMap((asset): FieldError[] => {
        const claim = claims.get(asset.clientId);
        const found = difference(asset, originals.get(asset) ?? null, claim?.file);
        return found ? [{ pointer: claim ? `/files/${claim.index}` : '/files', ...found }] : [];
      });
      if (errors.length) throw invalid(errors);

      const etags = new Map(assets.map((asset) => [asset.id, originals.get(asset)?.etag ?? null]));
      const result = await transact(knex, (transaction) =>
        receive(transaction, batch.id, assets, etags, trace.traceparent),
      );
      if (result === 'changed') continue;
      if (result.assignment) {
        const { entryId, jobId } = result.assignment;
        await publish({ id: entryId, jobId, attempts: 1 });
      }
      return underway(knex, result.batch, assets, result.assignment);
    }
    throw new Error(`batch of listing ${request.listingIdentityId} keeps changing`);
  };
}

const takesCompletion = (status: BatchStatus) => status === 'PENDING_UPLOAD' || status === 'FAILED';

/** Refuses (400) files that the batch does not have, or has under another key. */
function assertKnown(request: CompleteUploads, assets: Asset[]) {
  const keys = new Map(assets.map((asset) => [asset.clientId, asset.sourceKey]));
  const errors = (request.files ?? []).flatMap(({ clientId, s3Key }, index): FieldError[] => {
    const key = keys.get(clientId);
    if (key === undefined) {
      const message = `${clientId} is not a file of this batch.`;
      return [{ pointer: `/files/${index}/clientId`, code: 'unknown_client_id', message }];
    }
    if (s3Key === undefined || s3Key === key) return [];
    return [
      {
        pointer: `/files/${index}/s3Key`,
        code: 's3_key_mismatch',
        message: `${clientId} belongs at ${key}.`,
      },
    ];
  });
  if (errors.length) throw invalid(errors);
}

interface Received {
  batch: Batch;
  /** absent: what had to be done was already on its way */
  assignment?: Assignment;
}

async function receive(
  transaction: Knex,
  batchId: number,
  seen: Asset[],
  etags: Map<number, string | null>,
  traceparent: string,
): Promise<Received | 'changed'> {
  const batch = await lockBatch(transaction, batchId);
  // someone else has completed it meanwhile
  if (!takesCompletion(batch.status)) return { batch };
  const assets = await lockAssets(transaction, batch.id);
  if (!isUnchanged(seen, assets)) return 'changed';

  await moveBatch(transaction, batch, 'RECEIVED', {
    receivedAt: now(),
    processingStartedAt: null,
    processingFinishedAt: null,
    errorCode: null,
    errorDetail: null,
  });
  const waiting = assets.filter((asset) => asset.status === 'PENDING_UPLOAD' || asset.status === 'FAILED');
  if (waiting.length) {
    const waitingSeen = waiting.map((asset) => ({ asset, etag: etags.get(asset.id) ?? null }));
    return { batch, assignment: await createProcessingJob(transaction, batch, waitingSeen, traceparent) };
  }
  if (assets.some((asset) => asset.status === 'PROCESSING')) return { batch };
  return { batch, assignment: await createFinalizationJob(transaction, batch, traceparent) };
}

/** The answer for a batch that is on its way, or there. */
async function underway(
  knex: Knex,
  batch: Batch,
  assets: Asset[],
  assignment?: Assignment,
): Promise<JobAnswer> {
  const jobId = assignment?.jobId ?? (await findBatchJobs(knex, batch.id))[0]?.id ?? null;
  return {
    listingIdentityId: batch.listingId,
    batchId: batch.publicId,
    jobId,
    status: batch.status === 'FAILED' ? 'RECEIVED' : batch.status,
    estimatedDurationSeconds: batch.status === 'READY' ? 0 : estimateSeconds(assets),
  };
}
