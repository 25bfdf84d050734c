import type { Knex } from 'knex';
import type { PartialModelObject } from 'objection';
import { ago, Table } from './table.ts';

export type BatchStatus = 'PENDING_UPLOAD' | 'RECEIVED' | 'PROCESSING' | 'READY' | 'FAILED';

/** A batch in one of these is open: a listing has at most one such batch. */
export const OPEN = ['PENDING_UPLOAD', 'RECEIVED', 'PROCESSING'] as const satisfies BatchStatus[];

/** One upload session of a listing. */
export class Batch extends Table {
  static override tableName = 'listing_media_batches';
  static override jsonAttributes = ['uploadManifestJson', 'processingMetadataJson'];

  declare id: number;
  declare publicId: string;
  declare listingId: number;
  declare photographerUserId: number;
  declare batchReference: string;
  declare status: BatchStatus;
  declare uploadManifestJson: unknown;
  declare processingMetadataJson: unknown;
  declare errorCode: string | null;
  declare errorDetail: string | null;
  declare createdAt: Date;
  declare uploadActivityAt: Date;
  declare receivedAt: Date | null;
  declare processingStartedAt: Date | null;
  declare processingFinishedAt: Date | null;
  declare deletedAt: Date | null;
}

export type BatchChanges = Omit<PartialModelObject<Batch>, 'id' | 'status'>;

const live = (knex: Knex) => Batch.query(knex).whereNull('deleted_at');

export const insertBatch = (knex: Knex, batch: PartialModelObject<Batch>) => Batch.query(knex).insert(batch);

export const findBatch = (knex: Knex, listingId: number, publicId: string) =>
  live(knex).findOne({ listing_id: listingId, public_id: publicId });

export const findBatchByReference = (knex: Knex, listingId: number, reference: string) =>
  live(knex).findOne({ listing_id: listingId, batch_reference: reference });

export const findOpenBatch = (knex: Knex, listingId: number) =>
  live(knex).where('listing_id', listingId).whereIn('status', OPEN).first();

/** The open batch, or else the newest. */
export const findCurrentBatch = (knex: Knex, listingId: number) =>
  live(knex)
    .where('listing_id', listingId)
    .orderByRaw('open_listing_id IS NULL')
    .orderBy('id', 'desc')
    .first();

export const findNewestReadyBatch = (knex: Knex, listingId: number) =>
  live(knex).where({ listing_id: listingId, status: 'READY' }).orderBy('id', 'desc').first();

/** The row, locked until the transaction ends. Lock order everywhere: batch, job, assets. */
export const lockBatch = (transaction: Knex, id: number) =>
  Batch.query(transaction).findById(id).forUpdate().throwIfNotFound();

/** Compare-and-set. False: the status was another one. */
export const setBatchStatus = async (
  transaction: Knex,
  id: number,
  from: BatchStatus,
  to: BatchStatus,
  changes: BatchChanges,
) =>
  (await Batch.query(transaction)
    .patch({ ...changes, status: to })
    .where({ id, status: from })) === 1;

export const updateBatch = (transaction: Knex, id: number, changes: BatchChanges) =>
  Batch.query(transaction).patch(changes).where({ id });

/** Batches that nobody completed: no upload activity for so long, and no job at work on them. */
export const findAbandonedBatches = (knex: Knex, seconds: number, limit: number) =>
  live(knex)
    .where('status', 'PENDING_UPLOAD')
    .where('upload_activity_at', '<', ago(seconds))
    .whereNotExists(
      knex('media_processing_jobs')
        .whereRaw('batch_id = listing_media_batches.id')
        .whereIn('status', ['PENDING', 'RUNNING'])
        .select('id'),
    )
    .orderBy('upload_activity_at')
    .limit(limit);
