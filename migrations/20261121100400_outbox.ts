import type { Knex } from 'knex';

/**
 * What has to be told to the queue or to Step Functions, written in the transaction that decided it. `available_at` is
 * lease and back-off in one: before that time nobody but the holder touches the row.
 */
export async function up(knex: Knex) {
  await knex.raw(`
    CREATE TABLE media_outbox (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      job_id BIGINT UNSIGNED NOT NULL,
      kind ENUM('processing', 'finalization') NOT NULL,
      attempts INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'since it was last asked for',
      publications INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'more than one: the reconciler asked again',
      last_error TEXT NULL,
      created_at DATETIME(6) NOT NULL,
      available_at DATETIME(6) NOT NULL,
      published_at DATETIME(6) NULL,
      PRIMARY KEY (id),
      UNIQUE KEY uk_outbox_job (job_id),
      KEY idx_outbox_due (published_at, available_at),
      CONSTRAINT fk_outbox_job FOREIGN KEY (job_id) REFERENCES media_processing_jobs (id) ON DELETE CASCADE
    ) ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci`);
}

export async function down(knex: Knex) {
  await knex.schema.dropTable('media_outbox');
}
