import type { Knex } from 'knex';

/** Who may run the workers, until when; on database time. */
export async function up(knex: Knex) {
  await knex.raw(`
    CREATE TABLE media_leases (
      name VARCHAR(50) NOT NULL,
      owner VARCHAR(100) NOT NULL,
      expires_at DATETIME(6) NOT NULL,
      PRIMARY KEY (name)
    ) ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci`);
}

export async function down(knex: Knex) {
  await knex.schema.dropTable('media_leases');
}
