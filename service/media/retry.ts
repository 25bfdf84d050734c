import type { Knex } from 'knex';
import { conflict } from '../errors.ts';
import { type Asset, lockAssets } from '../models/asset.ts';
import { type BatchStatus, lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { type Assignment, createProcessingJob } from './jobs.ts';
import type { MediaOperations } from './operations.ts';
import { inspect } from './originals.ts';
import { authorize } from './permissions.ts';
import type { Publish } from './publisher.ts';
import { assertNotEmpty, isUnchanged, select } from './selection.ts';
import { moveBatch } from './transitions.ts';

/** `POST /uploads/retry`: runs a READY or FAILED batch again from its originals, always as a new job. */
export function retryBatch(dependencies: MediaDependencies, publish: Publish): MediaOperations['retryBatch'] {
  const { knex, objects, log, metrics } = dependencies;

  return async (caller, request, trace) => {
    const grant = await authorize(dependencies, caller, 'change', request.listingIdentityId);
    const selection = await select(knex, grant, request.batchId);
    const { batch, assets } = selection;
    assertEnded(batch);
    assertNotEmpty(selection);

    const originals = await inspect(objects, assets);
    if (assets.some((asset) => originals.get(asset)?.archived)) {
      throw conflict('raw_archived', 'Originals of this batch are in the archive: restore them first.');
    }
    const there = assets.filter((asset) => originals.get(asset));
    if (there.length === 0) throw conflict('raw_missing', 'No original of this batch is in storage.');

    const etags = new Map(assets.map((asset) => [asset.id, originals.get(asset)?.etag ?? null]));
    const { jobId, entryId } = await transact(knex, (transaction) =>
      start(transaction, batch.id, assets, there, etags, trace.traceparent),
    );
    metrics.batchReprocessed();
    log.info(
      {
        listing_identity_id: batch.listingId,
        batch_id: batch.publicId,
        job_id: jobId,
        reason: request.reason,
      },
      'service.media.retry_batch.success',
    );
    await publish({ id: entryId, jobId, attempts: 1 });
    return { batchId: batch.publicId, listingIdentityId: batch.listingId, jobId, status: 'PROCESSING' };
  };
}

function assertEnded({ status, publicId }: { status: BatchStatus; publicId: string }) {
  if (status !== 'READY' && status !== 'FAILED') {
    throw conflict(
      'batch_not_ended',
      `Batch ${publicId} is ${status}; only READY and FAILED can be retried.`,
    );
  }
}

async function start(
  transaction: Knex,
  batchId: number,
  seen: Asset[],
  there: Asset[],
  etags: Map<number, string | null>,
  traceparent: string,
): Promise<Assignment> {
  const batch = await lockBatch(transaction, batchId);
  assertEnded(batch);
  const assets = await lockAssets(transaction, batch.id);
  if (!isUnchanged(seen, assets))
    throw conflict('batch_changed', `Batch ${batch.publicId} has just changed.`);
  await moveBatch(transaction, batch, 'PROCESSING', {
    processingStartedAt: now(),
    processingFinishedAt: null,
    errorCode: null,
    errorDetail: null,
  });
  const ids = new Set(there.map((asset) => asset.id));
  const again = assets.filter((asset) => ids.has(asset.id));
  return createProcessingJob(
    transaction,
    batch,
    again.map((asset) => ({ asset, etag: etags.get(asset.id) ?? null })),
    traceparent,
  );
}
