import type { Knex } from 'knex';

/**
 * A replaced or removed asset keeps its row, with `deleted_at`: its key is never given away again and housekeeping can
 * find its objects. `live` is 1 until then and NULL afterwards, so the unique keys hold for live assets only.
 */
export async function up(knex: Knex) {
  await knex.raw(`
    CREATE TABLE listing_media_assets (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      batch_id BIGINT UNSIGNED NOT NULL,
      job_id BIGINT UNSIGNED NULL COMMENT 'the job that processes it, or did last',
      client_id VARCHAR(120) COLLATE utf8mb4_bin NOT NULL,
      asset_type ENUM(
        'PHOTO_VERTICAL', 'PHOTO_HORIZONTAL', 'VIDEO_VERTICAL', 'VIDEO_HORIZONTAL',
        'THUMBNAIL', 'ZIP', 'PROJECT_DOC', 'PROJECT_RENDER'
      ) NOT NULL,
      orientation ENUM('VERTICAL', 'HORIZONTAL') NULL,
      sequence INT UNSIGNED NOT NULL,
      title VARCHAR(255) NULL,
      status ENUM('PENDING_UPLOAD', 'PROCESSING', 'PROCESSED', 'FAILED') NOT NULL,
      error_code VARCHAR(50) NULL,
      error_detail TEXT NULL,
      filename VARCHAR(255) NOT NULL COMMENT 'as the client called it',
      content_type VARCHAR(100) NOT NULL,
      bytes BIGINT UNSIGNED NOT NULL,
      checksum_sha256 CHAR(64) NOT NULL,
      etag VARCHAR(100) NULL,
      source_key VARCHAR(512) NOT NULL,
      processed_key VARCHAR(512) NULL,
      thumbnail_key VARCHAR(512) NULL,
      resolution VARCHAR(20) NULL,
      width INT UNSIGNED NULL,
      height INT UNSIGNED NULL,
      duration_seconds DOUBLE NULL,
      metadata_json JSON NULL COMMENT 'from the client',
      variant_metadata_json JSON NULL COMMENT 'callback outputs: {size}_{asset type} to key',
      created_at DATETIME(6) NOT NULL,
      updated_at DATETIME(6) NOT NULL,
      deleted_at DATETIME(6) NULL,
      live TINYINT UNSIGNED GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN 1 END) VIRTUAL,
      PRIMARY KEY (id),
      UNIQUE KEY uk_assets_source_key (source_key),
      UNIQUE KEY uk_assets_slot (batch_id, asset_type, sequence, live),
      UNIQUE KEY uk_assets_client_id (batch_id, client_id, live),
      KEY idx_batch_type (batch_id, asset_type),
      KEY idx_assets_job (job_id),
      CONSTRAINT fk_assets_batch FOREIGN KEY (batch_id) REFERENCES listing_media_batches (id) ON DELETE CASCADE,
      CONSTRAINT fk_assets_job FOREIGN KEY (job_id) REFERENCES media_processing_jobs (id) ON DELETE SET NULL
    ) ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci`);
}

export async function down(knex: Knex) {
  await knex.schema.dropTable('listing_media_assets');
}
