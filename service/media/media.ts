import { completeUploads } from './complete.ts';
import type { MediaDependencies } from './dependencies.ts';
import { queryDownloads } from './downloads.ts';
import type { MediaOperations } from './operations.ts';
import { processUploads } from './process.ts';
import { createPublisher } from './publisher.ts';
import { removeAsset } from './removal.ts';
import { applyCallback } from './results.ts';
import { retryBatch } from './retry.ts';
import { batchStatus } from './status.ts';
import { openUploads } from './uploads.ts';

/** Everything the service can do with a listing's media. */
export function createMedia(dependencies: MediaDependencies): MediaOperations {
  const publish = createPublisher(dependencies);
  return {
    openUploads: openUploads(dependencies),
    processUploads: processUploads(dependencies, publish),
    completeUploads: completeUploads(dependencies, publish),
    retryBatch: retryBatch(dependencies, publish),
    batchStatus: batchStatus(dependencies),
    queryDownloads: queryDownloads(dependencies),
    applyCallback: applyCallback(dependencies, publish),
    removeAsset: removeAsset(dependencies),
  };
}
