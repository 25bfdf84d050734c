import type { MediaDependencies } from '../media/dependencies.ts';
import { expireBatch } from '../media/expiry.ts';
import { findAbandonedBatches } from '../models/batch.ts';
import { createWorker, type Schedule, type Worker } from './worker.ts';

/** Batches of one round; the rest has its turn in the next. */
const ROUND = 200;

/** Fails batches (`UPLOAD_EXPIRED`) that nobody completes, so that the listing may have another one. */
export function createUploadExpiry(
  dependencies: MediaDependencies,
  schedule: Omit<Schedule, 'name'>,
): Worker<{ expired: number }> {
  const seconds = dependencies.config.UPLOAD_EXPIRY_HOURS * 3600;
  return createWorker({ name: 'upload-expiry', ...schedule }, async () => {
    let expired = 0;
    for (const batch of await findAbandonedBatches(dependencies.knex, seconds, ROUND)) {
      if (await expireBatch(dependencies, batch.id, seconds)) expired++;
    }
    return { expired };
  });
}
