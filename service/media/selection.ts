import type { Knex } from 'knex';
import { conflict, notFound } from '../errors.ts';
import { type Asset, findAssets } from '../models/asset.ts';
import { type Batch, findBatch, findCurrentBatch } from '../models/batch.ts';
import { assertCovers, type Grant } from './permissions.ts';

/** A batch with its live assets, as they were when they were read. */
export interface Selection {
  batch: Batch;
  assets: Asset[];
}

/** A selection after a manifest has been taken in, and whether that changed anything. */
export interface Opened extends Selection {
  created: boolean;
}

/**
 * The batch that a request means, with its live assets: the one it names, or else the open, or else the newest of the
 * listing. 404 when there is none; 403 when it has files that the grant does not cover.
 */
export async function select(knex: Knex, grant: Grant, batchId: string | undefined): Promise<Selection> {
  const batch = await (batchId
    ? findBatch(knex, grant.listing.id, batchId)
    : findCurrentBatch(knex, grant.listing.id));
  if (!batch) {
    throw notFound(
      'batch_not_found',
      `Listing ${grant.listing.id} has no ${batchId ? `batch ${batchId}` : 'batch'}.`,
    );
  }
  const assets = await findAssets(knex, batch.id);
  assertCovers(
    grant,
    assets.map((asset) => asset.assetType),
  );
  return { batch, assets };
}

/** Refuses (409) a batch from which everything has been removed. */
export function assertNotEmpty({ batch, assets }: Selection) {
  if (assets.length === 0) throw conflict('batch_empty', `Batch ${batch.publicId} has no files.`);
}

/** Whether the locked rows are still those that were inspected outside the transaction. */
export const isUnchanged = (seen: Asset[], locked: Asset[]) =>
  seen.length === locked.length &&
  seen.every(
    (asset, index) => asset.id === locked[index]?.id && asset.sourceKey === locked[index]?.sourceKey,
  );
