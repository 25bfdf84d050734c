import type { Knex } from 'knex';

/**
 * What media reads of the TOQ schema, for databases that do not have it (laptops, tests). Where a table exists it is
 * left alone: these columns are what service/adapters/listings.ts assumes of it.
 *
 * - `listing_identities.status`: slug of the listing's status, e.g. PENDING_PHOTO_PROCESSING
 * - `listing_identities.property_type`: bit field; 32 is an off-plan house ("casa na planta")
 * - `photographer_photo_session_bookings.status`: ACCEPTED, ACTIVE and DONE let the photographer work on the listing
 */
const TABLES = {
  users: `
    CREATE TABLE users (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      full_name VARCHAR(150) NOT NULL,
      PRIMARY KEY (id)
    )`,
  listing_identities: `
    CREATE TABLE listing_identities (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      user_id BIGINT UNSIGNED NOT NULL,
      status VARCHAR(40) NOT NULL,
      property_type INT UNSIGNED NOT NULL DEFAULT 1,
      PRIMARY KEY (id),
      KEY idx_listing_identities_user (user_id),
      CONSTRAINT fk_listing_identities_user FOREIGN KEY (user_id) REFERENCES users (id)
    )`,
  photographer_photo_session_bookings: `
    CREATE TABLE photographer_photo_session_bookings (
      id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
      photographer_user_id BIGINT UNSIGNED NOT NULL,
      listing_identity_id BIGINT UNSIGNED NOT NULL,
      status VARCHAR(40) NOT NULL,
      PRIMARY KEY (id),
      KEY idx_bookings_listing_photographer (listing_identity_id, photographer_user_id),
      CONSTRAINT fk_bookings_photographer FOREIGN KEY (photographer_user_id) REFERENCES users (id),
      CONSTRAINT fk_bookings_listing FOREIGN KEY (listing_identity_id) REFERENCES listing_identities (id)
    )`,
};

/** Marks the tables that this migration made, so that `down` never drops one of the TOQ schema. */
const MARK = 'made by the toq-media baseline';

export async function up(knex: Knex) {
  for (const [table, statement] of Object.entries(TABLES)) {
    if (await knex.schema.hasTable(table)) continue;
    await knex.raw(`${statement} ENGINE = InnoDB COLLATE = utf8mb4_unicode_ci COMMENT = '${MARK}'`);
  }
}

export async function down(knex: Knex) {
  const ours = await knex('information_schema.tables')
    .where({ table_comment: MARK })
    .whereRaw('table_schema = DATABASE()')
    .select<{ name: string }[]>({ name: 'table_name' });
  const made = new Set(ours.map((table) => table.name));
  for (const table of Object.keys(TABLES).reverse()) {
    if (made.has(table)) await knex.schema.dropTable(table);
  }
}
