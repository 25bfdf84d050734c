import type { Knex } from 'knex';
import { conflict } from '../errors.ts';
import type { AssetStatus } from '../models/asset.ts';
import {
  type Batch,
  type BatchChanges,
  type BatchStatus,
  findOpenBatch,
  setBatchStatus,
} from '../models/batch.ts';
import { brokenUniqueKey } from '../models/database.ts';
import { type Job, type JobChanges, type JobStatus, setJobStatus } from '../models/job.ts';

type Table<Status extends string> = Readonly<Record<Status, readonly Status[]>>;

/** The law of a batch. FAILED → PENDING_UPLOAD: files are added; → RECEIVED: completed again; → PROCESSING: retried, or
 * the late result of a job that had been given up. */
export const batchTransitions: Table<BatchStatus> = {
  PENDING_UPLOAD: ['RECEIVED', 'FAILED'],
  RECEIVED: ['PROCESSING', 'READY', 'FAILED'],
  PROCESSING: ['READY', 'FAILED'],
  READY: ['PROCESSING'],
  FAILED: ['PENDING_UPLOAD', 'RECEIVED', 'PROCESSING'],
};

/** The law of an asset. FAILED → PROCESSED, FAILED → FAILED: the late result of a job that had been given up. */
export const assetTransitions: Table<AssetStatus> = {
  PENDING_UPLOAD: ['PROCESSING'],
  PROCESSING: ['PROCESSED', 'FAILED'],
  PROCESSED: ['PROCESSING'],
  FAILED: ['PROCESSING', 'PROCESSED', 'FAILED'],
};

/** The law of a job. Whatever leaves FAILED is the late result of a job that had been given up as STUCK. */
export const jobTransitions: Table<JobStatus> = {
  PENDING: ['RUNNING', 'SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED'],
  RUNNING: ['SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED'],
  SUCCEEDED: [],
  PARTIAL_SUCCESS: [],
  FAILED: ['SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED'],
};

/** The states from which `to` may be reached. */
export const sourcesOf = <Status extends string>(table: Table<Status>, to: Status): Status[] =>
  // the keys of a Table<Status> are its statuses
  (Object.keys(table) as Status[]).filter((from) => table[from].includes(to));

/**
 * Compare-and-set of a locked batch. Throws `batch_open` (409) when another batch of the listing is open, and an error
 * for a step that the law does not know: that is a bug of the caller.
 */
export async function moveBatch(
  transaction: Knex,
  batch: Batch,
  to: BatchStatus,
  changes: BatchChanges = {},
) {
  assertLegal(batchTransitions, 'batch', batch, to);
  const moved = await setBatchStatus(transaction, batch.id, batch.status, to, changes).catch(
    async (error) => {
      if (brokenUniqueKey(error) !== 'uk_batches_open') throw error;
      throw batchOpen((await findOpenBatch(transaction, batch.listingId))?.publicId);
    },
  );
  if (!moved) throw new Error(`batch ${batch.id} is not ${batch.status} any more, though it was locked`);
  batch.status = to;
}

/** Compare-and-set of a locked job. Throws for a step that the law does not know. */
export async function moveJob(transaction: Knex, job: Job, to: JobStatus, changes: JobChanges = {}) {
  assertLegal(jobTransitions, 'job', job, to);
  if (!(await setJobStatus(transaction, job.id, job.status, to, changes))) {
    throw new Error(`job ${job.id} is not ${job.status} any more, though it was locked`);
  }
  job.status = to;
}

export const batchOpen = (publicId: string | undefined) =>
  conflict('batch_open', `Another batch of this listing is open${publicId ? `: ${publicId}` : ''}.`);

function assertLegal<Status extends string>(
  table: Table<Status>,
  what: string,
  row: { id: number; status: Status },
  to: Status,
) {
  if (!table[row.status].includes(to)) {
    throw new Error(`illegal step of ${what} ${row.id}: ${row.status} → ${to}`);
  }
}
