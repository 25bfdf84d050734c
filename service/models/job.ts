import type { Knex } from 'knex';
import { type PartialModelObject, raw } from 'objection';
import type { JobProvider, MachineInput } from '../../statemachines/contracts.ts';
import { ago, Table } from './table.ts';

export type JobStatus = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'PARTIAL_SUCCESS' | 'FAILED';

/** A job in one of these has no result yet. */
export const UNFINISHED = ['PENDING', 'RUNNING'] as const satisfies JobStatus[];

/** What a finalization left behind, as the callback told it. */
export interface BundleFacts {
  zipBundles: string[];
  assetsZipped: number;
  zipSizeBytes: number;
  unzippedSizeBytes: number;
}

/** One execution of a state machine. */
export class Job extends Table {
  static override tableName = 'media_processing_jobs';
  static override jsonAttributes = ['inputPayloadJson', 'outputPayloadJson'];

  declare id: number;
  declare batchId: number;
  declare listingIdentityId: number;
  declare provider: JobProvider;
  declare status: JobStatus;
  declare externalId: string | null;
  declare retryCount: number;
  /** all but the job's own id, which the row has */
  declare inputPayloadJson: Omit<MachineInput, 'jobId'>;
  declare outputPayloadJson: BundleFacts | null;
  declare callbackBody: string | null;
  declare errorCode: string | null;
  declare lastError: string | null;
  declare createdAt: Date;
  declare enqueuedAt: Date | null;
  declare startedAt: Date | null;
  declare completedAt: Date | null;
}

export type JobChanges = Omit<PartialModelObject<Job>, 'id' | 'status'>;

export const insertJob = (transaction: Knex, job: PartialModelObject<Job>) =>
  Job.query(transaction).insert(job);

export const findJob = (knex: Knex, id: number) => Job.query(knex).findById(id);

/** The row, locked until the transaction ends; its batch is locked before it. */
export const lockJob = (transaction: Knex, id: number) =>
  Job.query(transaction).findById(id).forUpdate().throwIfNotFound();

/** Newest first. */
export const findBatchJobs = (knex: Knex, batchId: number) =>
  Job.query(knex)
    .where('batch_id', batchId)
    .orderBy('id', 'desc')
    .select(
      'id',
      'provider',
      'status',
      'external_id',
      'error_code',
      'created_at',
      'started_at',
      'completed_at',
    );

export const findLatestBundle = (knex: Knex, listingIdentityId: number) =>
  Job.query(knex)
    .where({
      listing_identity_id: listingIdentityId,
      provider: 'STEP_FUNCTIONS_FINALIZATION',
      status: 'SUCCEEDED',
    })
    .orderBy('id', 'desc')
    .select('id', 'output_payload_json')
    .first();

/** Compare-and-set. False: the status was another one. */
export const setJobStatus = async (
  transaction: Knex,
  id: number,
  from: JobStatus,
  to: JobStatus,
  changes: JobChanges,
) =>
  (await Job.query(transaction)
    .patch({ ...changes, status: to })
    .where({ id, status: from })) === 1;

export const updateJob = (transaction: Knex, id: number, changes: JobChanges) =>
  Job.query(transaction).patch(changes).where({ id });

/** Published long ago and without a result: longest waiting first. */
export const findOverdueJobs = (knex: Knex, seconds: number, limit: number) =>
  Job.query(knex)
    .whereIn('status', UNFINISHED)
    .where(raw('COALESCE(started_at, enqueued_at)'), '<', ago(seconds))
    .orderByRaw('COALESCE(started_at, enqueued_at)')
    .limit(limit);

/** How many jobs have no result yet. */
export async function countUnfinishedJobs(knex: Knex): Promise<number> {
  return Job.query(knex).whereIn('status', UNFINISHED).resultSize();
}

/** How many jobs of a provider the batch has had. */
export const countRuns = (knex: Knex, batchId: number, provider: JobProvider) =>
  Job.query(knex).where({ batch_id: batchId, provider }).resultSize();

/** Whether the batch has a job that is younger than this one. */
export async function hasNewerJob(knex: Knex, job: Job): Promise<boolean> {
  const newer = await Job.query(knex)
    .where('batch_id', job.batchId)
    .where('id', '>', job.id)
    .select('id')
    .first();
  return newer !== undefined;
}
