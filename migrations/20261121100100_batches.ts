import type { Knex } from 'knex';
import { idType } from './id-type.ts';

/**
 * `open_listing_id` is the listing while the batch is open and NULL afterwards; its unique key allows one open batch a
 * listing. It is VIRTUAL because MySQL allows no cascading foreign key on the base column of a stored one.
 */
export async function up(knex: Knex) {
  const listingId = await idType(knex, 'listing_identities');
  const userId = await idType(knex, 'users');
  await knex.raw(`
    CREATE TABLE listing_media_batches (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      public_id CHAR(36) NOT NULL,
      listing_id ${listingId} NOT NULL,
      photographer_user_id ${userId} NOT NULL COMMENT 'who opened it',
      batch_reference VARCHAR(120) COLLATE utf8mb4_bin NOT NULL,
      status ENUM('PENDING_UPLOAD', 'RECEIVED', 'PROCESSING', 'FAILED', 'READY') NOT NULL,
      upload_manifest_json JSON NOT NULL,
      processing_metadata_json JSON NULL,
      error_code VARCHAR(50) NULL,
      error_detail TEXT NULL,
      created_at DATETIME(6) NOT NULL,
      upload_activity_at DATETIME(6) NOT NULL,
      received_at DATETIME(6) NULL,
      processing_started_at DATETIME(6) NULL,
      processing_finished_at DATETIME(6) NULL,
      deleted_at DATETIME(6) NULL,
      open_listing_id ${listingId} GENERATED ALWAYS AS (
        CASE WHEN status IN ('PENDING_UPLOAD', 'RECEIVED', 'PROCESSING') AND deleted_at IS NULL THEN listing_id END
      ) VIRTUAL,
      PRIMARY KEY (id),
      UNIQUE KEY uk_batches_public_id (public_id),
      UNIQUE KEY uk_batches_open (open_listing_id),
      UNIQUE KEY uk_batches_reference (listing_id, batch_reference),
      KEY idx_listing_status (listing_id, status),
      KEY idx_listing_recent (listing_id, id DESC),
      KEY idx_batches_expiry (status, upload_activity_at),
      CONSTRAINT fk_batches_listing FOREIGN KEY (listing_id) REFERENCES listing_identities (id) ON DELETE CASCADE,
      CONSTRAINT fk_batches_photographer FOREIGN KEY (photographer_user_id) REFERENCES users (id)
    ) ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci`);
}

export async function down(knex: Knex) {
  await knex.schema.dropTable('listing_media_batches');
}
