import { conflict, notFound } from '../errors.ts';
import { findSlot, softDeleteAssets } from '../models/asset.ts';
import { findOpenBatch, lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import type { MediaDependencies } from './dependencies.ts';
import type { MediaOperations } from './operations.ts';
import { assertCovers, authorize } from './permissions.ts';

/**
 * Removes what is at a slot of the listing: the newest asset there and, when that one is in the gallery, the older ones
 * that it covers too, so that none of them comes to light. A soft delete: objects and rows stay for housekeeping.
 */
export function removeAsset(dependencies: MediaDependencies): MediaOperations['removeAsset'] {
  const { knex, log } = dependencies;

  return async (caller, { listingIdentityId, assetType, sequence }) => {
    const grant = await authorize(dependencies, caller, 'change', listingIdentityId);
    assertCovers(grant, [assetType]);
    await transact(knex, async (transaction) => {
      const open = await findOpenBatch(transaction, listingIdentityId);
      const [found] = await findSlot(transaction, listingIdentityId, assetType, sequence);
      if (!found) throw notFound('asset_not_found', `The listing has no ${assetType} ${sequence}.`);
      const batch = await lockBatch(transaction, open?.id ?? found.batchId);
      const stack = await findSlot(transaction, listingIdentityId, assetType, sequence).forUpdate();
      const [newest] = stack;
      if (batch.status === 'RECEIVED' || batch.status === 'PROCESSING' || newest?.status === 'PROCESSING') {
        throw conflict(
          'asset_processing',
          `Batch ${batch.publicId} is being processed: wait until it is done.`,
        );
      }
      const removed = newest?.status === 'PROCESSED' ? stack : stack.slice(0, 1);
      await softDeleteAssets(
        transaction,
        removed.map((asset) => asset.id),
      );
    });
    log.info(
      { listing_identity_id: listingIdentityId, asset_type: assetType, sequence },
      'service.media.asset.removed',
    );
  };
}
