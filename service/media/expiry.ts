import { findAbandonedBatches, lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { moveBatch } from './transitions.ts';

/** Fails a batch that has seen no upload activity for so long. False: it has been taken up again meanwhile. */
export async function expireBatch(
  { knex, config, log, metrics }: MediaDependencies,
  batchId: number,
  seconds: number,
): Promise<boolean> {
  const expired = await transact(knex, async (transaction) => {
    await lockBatch(transaction, batchId);
    const [batch] = await findAbandonedBatches(transaction, seconds, 1).where('id', batchId);
    if (!batch) return null;
    await moveBatch(transaction, batch, 'FAILED', {
      errorCode: 'UPLOAD_EXPIRED',
      errorDetail: `Nobody completed the batch within ${config.UPLOAD_EXPIRY_HOURS} hours. What was uploaded is kept: complete it, or add files.`,
      processingFinishedAt: now(),
    });
    return batch;
  });
  if (!expired) return false;
  metrics.batchFailed('UPLOAD_EXPIRED');
  log.warn(
    { listing_identity_id: expired.listingId, batch_id: expired.publicId },
    'service.media.batch.upload_expired',
  );
  return true;
}
