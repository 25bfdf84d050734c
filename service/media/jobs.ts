import type { Knex } from 'knex';
import type { JobProvider, MachineInput } from '../../statemachines/contracts.ts';
import { type Asset, findGallery, startAssets } from '../models/asset.ts';
import type { Batch } from '../models/batch.ts';
import { countRuns, insertJob } from '../models/job.ts';
import { insertOutboxEntry } from '../models/outbox.ts';
import { now } from '../models/table.ts';
import { assetTransitions, sourcesOf } from './transitions.ts';

/** How long nobody else touches a new outbox entry: the time in which the request itself publishes it. */
export const LEASE_SECONDS = 10;

/** A job that is written and has to be told to the world after the commit. */
export interface Assignment {
  jobId: number;
  entryId: number;
}

/** An asset to be processed, with the ETag its original has now. */
export type Seen = { asset: Asset; etag: string | null };

/** Writes a processing job, hands the assets over to it, and writes its outbox entry. The batch is locked. */
export async function createProcessingJob(
  transaction: Knex,
  batch: Batch,
  seen: Seen[],
  traceparent: string,
): Promise<Assignment> {
  const assignment = await createJob(transaction, batch, 'STEP_FUNCTIONS', {
    traceparent,
    assets: seen.map(({ asset }) => ({
      key: asset.sourceKey,
      type: asset.assetType,
      bytes: asset.bytes,
      checksumSha256: asset.checksumSha256,
    })),
  });
  const started = await startAssets(
    transaction,
    assignment.jobId,
    seen.map(({ asset, etag }) => ({ id: asset.id, etag })),
    sourcesOf(assetTransitions, 'PROCESSING'),
  );
  if (started !== seen.length)
    throw new Error(`job ${assignment.jobId} got ${started} of ${seen.length} assets`);
  return assignment;
}

/** Writes a finalization job over the gallery of the listing, and its outbox entry. The batch is locked. */
export async function createFinalizationJob(
  transaction: Knex,
  batch: Batch,
  traceparent: string,
): Promise<Assignment> {
  const gallery = await findGallery(transaction, batch.listingId);
  return createJob(transaction, batch, 'STEP_FUNCTIONS_FINALIZATION', {
    traceparent,
    assets: gallery.map((asset) => ({ key: asset.sourceKey, type: asset.assetType, bytes: asset.bytes })),
  });
}

async function createJob(
  transaction: Knex,
  batch: Batch,
  provider: JobProvider,
  { assets, traceparent }: Pick<MachineInput, 'assets' | 'traceparent'>,
): Promise<Assignment> {
  const retry = await countRuns(transaction, batch.id, provider);
  const job = await insertJob(transaction, {
    batchId: batch.id,
    listingIdentityId: batch.listingId,
    provider,
    status: 'PENDING',
    retryCount: retry,
    inputPayloadJson: {
      listingIdentityId: batch.listingId,
      batchId: batch.publicId,
      assets,
      retry,
      traceparent,
    },
    createdAt: now(),
  });
  const kind = provider === 'STEP_FUNCTIONS_FINALIZATION' ? 'finalization' : 'processing';
  const entry = await insertOutboxEntry(transaction, { jobId: job.id, kind }, LEASE_SECONDS);
  return { jobId: job.id, entryId: entry.id };
}

/**
 * How long it may take, in seconds: photos run twenty at a time, a video is transcoded at about four times its speed,
 * and both wait for a start and a bundle.
 */
export function estimateSeconds(assets: Pick<Asset, 'assetType' | 'bytes'>[]): number {
  const videos = assets.filter((asset) => asset.assetType.startsWith('VIDEO_'));
  const stills = assets.length - videos.length;
  const largest = Math.max(0, ...videos.map((video) => video.bytes));
  return 10 + Math.ceil(stills / 20) * 5 + (videos.length ? 30 + Math.ceil(largest / 2 ** 20) : 0);
}
