import type { Knex } from 'knex';
import { raw } from 'objection';
import type { UploadType } from '../../statemachines/contracts.ts';
import { now, Table } from './table.ts';

export type AssetStatus = 'PENDING_UPLOAD' | 'PROCESSING' | 'PROCESSED' | 'FAILED';

/** One uploaded file. */
export class Asset extends Table {
  static override tableName = 'listing_media_assets';
  static override jsonAttributes = ['metadataJson', 'variantMetadataJson'];

  declare id: number;
  declare batchId: number;
  declare jobId: number | null;
  declare clientId: string;
  declare assetType: UploadType;
  declare orientation: 'VERTICAL' | 'HORIZONTAL' | null;
  declare sequence: number;
  declare title: string | null;
  declare status: AssetStatus;
  declare errorCode: string | null;
  declare errorDetail: string | null;
  declare filename: string;
  declare contentType: string;
  declare bytes: number;
  declare checksumSha256: string;
  declare etag: string | null;
  declare sourceKey: string;
  declare processedKey: string | null;
  declare thumbnailKey: string | null;
  declare resolution: string | null;
  declare width: number | null;
  declare height: number | null;
  declare durationSeconds: number | null;
  declare metadataJson: Record<string, string> | null;
  /** `{size}_{asset type in lower case}` → key */
  declare variantMetadataJson: Record<string, string> | null;
  declare createdAt: Date;
  declare updatedAt: Date;
  declare deletedAt: Date | null;
}

export type NewAsset = Pick<
  Asset,
  | 'batchId'
  | 'clientId'
  | 'assetType'
  | 'orientation'
  | 'sequence'
  | 'title'
  | 'filename'
  | 'contentType'
  | 'bytes'
  | 'checksumSha256'
  | 'sourceKey'
  | 'metadataJson'
>;

/** What became of an asset. */
export interface AssetResult {
  id: number;
  status: 'PROCESSED' | 'FAILED';
  errorCode?: string | undefined;
  errorDetail?: string | undefined;
  processedKey?: string | undefined;
  thumbnailKey?: string | undefined;
  resolution?: string | undefined;
  width?: number | undefined;
  height?: number | undefined;
  durationSeconds?: number | undefined;
  variants?: Record<string, string> | undefined;
}

const bySlot = (knex: Knex) => Asset.query(knex).orderBy(['asset_type', 'sequence', 'id']);

/** The live assets of a batch, by type and sequence. */
export const findAssets = (knex: Knex, batchId: number) =>
  bySlot(knex).where('batch_id', batchId).whereNull('deleted_at');

/** The same, locked until the transaction ends; the batch is locked before them. */
export const lockAssets = (transaction: Knex, batchId: number) =>
  findAssets(transaction, batchId).forUpdate();

/** Every original that the listing ever had, live or not. */
export const findOriginals = (knex: Knex, listingId: number) =>
  ofListing(knex, listingId).select(
    'source_key',
    'asset_type',
    'sequence',
    'listing_media_assets.deleted_at',
  );

/** The newest live asset of a slot of the listing and whatever lies beneath it, newest first. */
export const findSlot = (knex: Knex, listingId: number, assetType: UploadType, sequence: number) =>
  ofListing(knex, listingId)
    .whereNull('listing_media_assets.deleted_at')
    .where({ asset_type: assetType, sequence })
    .orderBy('listing_media_assets.id', 'desc')
    .select('listing_media_assets.*');

/** The newest PROCESSED live asset of each slot, by type and sequence. */
export const findGallery = (knex: Knex, listingId: number) =>
  bySlot(knex)
    .from(
      ofListing(knex, listingId)
        .where('listing_media_assets.status', 'PROCESSED')
        .whereNull('listing_media_assets.deleted_at')
        .select(
          'listing_media_assets.*',
          raw(
            'ROW_NUMBER() OVER (PARTITION BY asset_type, sequence ORDER BY listing_media_assets.id DESC)',
          ).as('age'),
        )
        .as('listing_media_assets'),
    )
    .where('age', 1);

const ofListing = (knex: Knex, listingId: number) =>
  Asset.query(knex)
    .join('listing_media_batches', 'listing_media_batches.id', 'listing_media_assets.batch_id')
    .where('listing_media_batches.listing_id', listingId)
    .whereNull('listing_media_batches.deleted_at');

/** All in one statement, PENDING_UPLOAD. */
export const insertAssets = (transaction: Knex, assets: NewAsset[]) =>
  transaction('listing_media_assets').insert(
    assets.map((asset) => ({
      ...Asset.fromJson({ ...asset, status: 'PENDING_UPLOAD' }).$toDatabaseJson(),
      created_at: transaction.raw('UTC_TIMESTAMP(6)'),
      updated_at: transaction.raw('UTC_TIMESTAMP(6)'),
    })),
  );

/** The objects stay, and so does the row. */
export const softDeleteAssets = (transaction: Knex, ids: number[]) =>
  Asset.query(transaction)
    .patch({ deletedAt: now(), updatedAt: now() })
    .whereIn('id', ids)
    .whereNull('deleted_at');

/** Hands assets over to a job, with the ETags that were seen. Answers how many were in one of the `from` states. */
export async function startAssets(
  transaction: Knex,
  jobId: number,
  assets: { id: number; etag: string | null }[],
  from: readonly AssetStatus[],
): Promise<number> {
  // JSON_TABLE: one statement whatever the number of rows, on MySQL ≥ 8.0.4 and MariaDB ≥ 10.6
  const [result] = await transaction.raw(
    `UPDATE listing_media_assets a
     JOIN JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$.id', etag VARCHAR(100) PATH '$.etag')) r
       ON r.id = a.id
     SET a.status = 'PROCESSING', a.job_id = ?, a.etag = COALESCE(r.etag, a.etag), a.error_code = NULL,
       a.error_detail = NULL, a.updated_at = UTC_TIMESTAMP(6)
     WHERE a.status IN (?) AND a.deleted_at IS NULL`,
    [JSON.stringify(assets), jobId, transaction.raw(from.map(() => '?').join(', '), from)],
  );
  return result.affectedRows;
}

/**
 * Writes what became of a job's assets: those it is still at work on and, where `correct` says so, those that were given
 * up as that code while it was. Answers how many were written.
 */
export async function finishAssets(
  transaction: Knex,
  jobId: number,
  results: AssetResult[],
  correct: string | null,
): Promise<number> {
  const [result] = await transaction.raw(
    `UPDATE listing_media_assets a
     JOIN JSON_TABLE(?, '$[*]' COLUMNS (
       id BIGINT UNSIGNED PATH '$.id',
       status VARCHAR(20) PATH '$.status',
       error_code VARCHAR(50) PATH '$.errorCode',
       error_detail TEXT PATH '$.errorDetail',
       processed_key VARCHAR(512) PATH '$.processedKey',
       thumbnail_key VARCHAR(512) PATH '$.thumbnailKey',
       resolution VARCHAR(20) PATH '$.resolution',
       width INT UNSIGNED PATH '$.width',
       height INT UNSIGNED PATH '$.height',
       duration_seconds DOUBLE PATH '$.durationSeconds',
       variants JSON PATH '$.variants'
     )) r ON r.id = a.id
     SET a.status = r.status, a.error_code = r.error_code, a.error_detail = r.error_detail,
       a.processed_key = r.processed_key, a.thumbnail_key = r.thumbnail_key, a.resolution = r.resolution,
       a.width = r.width, a.height = r.height, a.duration_seconds = r.duration_seconds,
       a.variant_metadata_json = r.variants, a.updated_at = UTC_TIMESTAMP(6)
     WHERE a.job_id = ? AND a.deleted_at IS NULL
       AND (a.status = 'PROCESSING' OR (a.status = 'FAILED' AND a.error_code = ?))`,
    [JSON.stringify(results), jobId, correct],
  );
  return result.affectedRows;
}
