import type { Knex } from 'knex';
import { idType } from './id-type.ts';

/** One execution of a state machine; `external_id` is its ARN. */
export async function up(knex: Knex) {
  const listingId = await idType(knex, 'listing_identities');
  await knex.raw(`
    CREATE TABLE media_processing_jobs (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      batch_id BIGINT UNSIGNED NOT NULL,
      listing_identity_id ${listingId} NOT NULL,
      provider ENUM('STEP_FUNCTIONS', 'STEP_FUNCTIONS_FINALIZATION', 'MEDIACONVERT') NOT NULL,
      status ENUM('PENDING', 'RUNNING', 'SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED') NOT NULL,
      external_id VARCHAR(512) NULL,
      retry_count SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'earlier processing runs of the batch',
      input_payload_json JSON NOT NULL,
      output_payload_json JSON NULL,
      callback_body MEDIUMTEXT NULL,
      error_code VARCHAR(50) NULL,
      last_error TEXT NULL,
      created_at DATETIME(6) NOT NULL,
      enqueued_at DATETIME(6) NULL,
      started_at DATETIME(6) NULL,
      completed_at DATETIME(6) NULL,
      PRIMARY KEY (id),
      KEY idx_batch_job (batch_id, id DESC),
      KEY idx_jobs_listing (listing_identity_id, provider, status, id DESC),
      KEY idx_jobs_unfinished (status, enqueued_at),
      CONSTRAINT fk_jobs_batch FOREIGN KEY (batch_id) REFERENCES listing_media_batches (id) ON DELETE CASCADE,
      CONSTRAINT fk_jobs_listing FOREIGN KEY (listing_identity_id) REFERENCES listing_identities (id)
        ON DELETE CASCADE
    ) ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci`);
}

export async function down(knex: Knex) {
  await knex.schema.dropTable('media_processing_jobs');
}
