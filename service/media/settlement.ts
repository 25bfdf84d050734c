import type { Knex } from 'knex';
import { findAssets, findGallery } from '../models/asset.ts';
import { type Batch, findOpenBatch } from '../models/batch.ts';
import type { Job } from '../models/job.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { type Assignment, createFinalizationJob } from './jobs.ts';
import { movesWhenReady } from './listing-status.ts';
import { moveBatch } from './transitions.ts';

/** What the end of a job meant for its batch. */
export interface Settled {
  /** the batch failed, with this code */
  failed?: string;
  /** the batch goes on with this job */
  assignment?: Assignment;
}

/**
 * After assets have changed: a batch that is on its way and has none at work any more goes on to its bundle, in the
 * same transaction, or has FAILED. An open batch only collects.
 */
export async function settle(
  transaction: Knex,
  batch: Batch,
  job: Job,
  errorCode: string | null,
): Promise<Settled> {
  if (batch.status !== 'RECEIVED' && batch.status !== 'PROCESSING') return {};
  const assets = await findAssets(transaction, batch.id);
  if (assets.some((asset) => asset.status === 'PROCESSING')) return {};
  const bad = assets.filter((asset) => asset.status !== 'PROCESSED');
  if (bad.length === 0) {
    return { assignment: await createFinalizationJob(transaction, batch, job.inputPayloadJson.traceparent) };
  }
  const failed = errorCode === 'STUCK' ? 'STUCK' : 'ASSETS_FAILED';
  await moveBatch(transaction, batch, 'FAILED', {
    errorCode: failed,
    errorDetail: `${bad.length} of ${assets.length} files failed. Replace or remove them and complete the batch again.`,
    processingFinishedAt: now(),
  });
  return { failed };
}

/** After a finalization: READY, and the listing goes on, or FAILED. */
export async function closeFinalization(
  transaction: Knex,
  { listings, config }: MediaDependencies,
  batch: Batch,
  { errorCode, detail }: { errorCode: string | null; detail: string | null },
): Promise<Settled> {
  if (batch.status !== 'RECEIVED' && batch.status !== 'PROCESSING') return {};
  if (errorCode) {
    await moveBatch(transaction, batch, 'FAILED', {
      errorCode,
      errorDetail: detail,
      processingFinishedAt: now(),
    });
    return { failed: errorCode };
  }
  await moveBatch(transaction, batch, 'READY', { processingFinishedAt: now() });
  for (const [from, to] of movesWhenReady(config)) {
    if (await listings.move(transaction, batch.listingId, from, to)) break;
  }
  return {};
}

/** Codes of a batch that may have failed only because a job was given up. */
const FAILED_FOR_THAT = ['STUCK', 'ASSETS_FAILED'];

/**
 * A job that had been given up has a result after all: its batch, which failed for that, is on its way again, unless
 * another batch of the listing has been opened meanwhile or, for a bundle, the gallery is not the same any more.
 */
export async function reopenForLateResult(transaction: Knex, batch: Batch, job: Job) {
  if (batch.status !== 'FAILED' || !FAILED_FOR_THAT.includes(batch.errorCode ?? '')) return;
  if (await findOpenBatch(transaction, batch.listingId)) return;
  if (job.provider === 'STEP_FUNCTIONS_FINALIZATION') {
    const gallery = await findGallery(transaction, batch.listingId);
    const bundled = job.inputPayloadJson.assets.map((asset) => asset.key);
    const assets = await findAssets(transaction, batch.id);
    const same =
      gallery.length === bundled.length &&
      gallery.every((asset, index) => asset.sourceKey === bundled[index]);
    if (!same || assets.some((asset) => asset.status !== 'PROCESSED')) return;
  }
  await moveBatch(transaction, batch, 'PROCESSING', {
    errorCode: null,
    errorDetail: null,
    processingFinishedAt: null,
  });
}
