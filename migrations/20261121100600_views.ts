import type { Knex } from 'knex';

/** `listing_media_jobs` keeps the name and the columns that older readers know; `active_media_batches` is for the DBA. */
export async function up(knex: Knex) {
  await knex.raw(`
    CREATE SQL SECURITY INVOKER VIEW listing_media_jobs AS
    SELECT id, batch_id, external_id AS external_job_id, provider, status, input_payload_json, output_payload_json,
      started_at, completed_at AS finished_at
    FROM media_processing_jobs`);
  await knex.raw(`
    CREATE SQL SECURITY INVOKER VIEW active_media_batches AS
    SELECT b.id, b.public_id, b.listing_id, b.photographer_user_id, b.batch_reference, b.status, b.created_at,
      b.upload_activity_at, b.received_at, b.processing_started_at,
      COUNT(a.id) AS assets,
      COALESCE(SUM(a.status = 'PENDING_UPLOAD'), 0) AS assets_pending_upload,
      COALESCE(SUM(a.status = 'PROCESSING'), 0) AS assets_processing,
      COALESCE(SUM(a.status = 'PROCESSED'), 0) AS assets_processed,
      COALESCE(SUM(a.status = 'FAILED'), 0) AS assets_failed
    FROM listing_media_batches b
    LEFT JOIN listing_media_assets a ON a.batch_id = b.id AND a.deleted_at IS NULL
    WHERE b.status IN ('PENDING_UPLOAD', 'RECEIVED', 'PROCESSING') AND b.deleted_at IS NULL
    GROUP BY b.id`);
}

export async function down(knex: Knex) {
  await knex.raw('DROP VIEW active_media_batches');
  await knex.raw('DROP VIEW listing_media_jobs');
}
