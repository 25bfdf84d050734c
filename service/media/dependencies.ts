import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { JobQueue } from '../adapters/job-queue.ts';
import type { Listings } from '../adapters/listings.ts';
import type { ObjectStore } from '../adapters/object-store.ts';
import type { Workflows } from '../adapters/workflows.ts';
import type { ServiceConfig } from '../config.ts';

export type MediaConfig = Pick<
  ServiceConfig,
  | 'UPLOAD_URL_TTL_SECONDS'
  | 'DOWNLOAD_URL_TTL_SECONDS'
  | 'MAX_FILES_PER_BATCH'
  | 'MAX_FILE_BYTES'
  | 'MAX_BATCH_BYTES'
  | 'UPLOAD_EXPIRY_HOURS'
  | 'STUCK_JOB_TIMEOUT_MINUTES'
  | 'LISTING_APPROVAL_ADMIN_REVIEW'
  | 'ALLOW_OWNER_PROJECT_UPLOADS'
>;

/** What the domain tells the metrics. Each is called after the commit of what it tells. */
export interface MediaMetrics {
  batchCreated(): void;
  /** `code` is an ErrorCode of the contract */
  batchFailed(code: string): void;
  /** `seconds` from the job's creation to its end */
  jobFinished(job: { provider: string; status: string; seconds: number }): void;
  batchReprocessed(): void;
}

export interface MediaDependencies {
  knex: Knex;
  objects: ObjectStore;
  queue: JobQueue;
  workflows: Workflows;
  listings: Listings;
  config: MediaConfig;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  metrics: MediaMetrics;
}
