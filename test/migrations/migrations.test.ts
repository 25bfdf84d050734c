import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { migrations } from '../../migrations/knexfile.ts';
import { databaseEnvironment, startTestDatabase, type TestDatabase } from '../support/database.ts';

const ROOT = path.join(import.meta.dirname, '../..');
let database: TestDatabase;

test.before(async () => {
  database = await startTestDatabase({ migrated: false });
});
test.after.always(() => database?.stop());

async function schema({ knex }: TestDatabase) {
  const columns = await knex('information_schema.columns')
    .whereRaw('table_schema = DATABASE()')
    .whereNot('table_name', 'like', 'media_migrations%')
    .orderBy(['table_name', 'ordinal_position'])
    .select('table_name', 'column_name', 'column_type', 'is_nullable', 'generation_expression');
  return columns.map((column) => Object.values(column).join(' '));
}

const tables = async ({ knex }: TestDatabase) => {
  const rows = await knex('information_schema.tables')
    .whereRaw('table_schema = DATABASE()')
    .select({ name: 'table_name' });
  return rows.map((row: { name: string }) => row.name).filter((name) => !name.startsWith('media_migrations'));
};

test.serial('up, all the way down and up again is the same schema', async (t) => {
  const { knex } = database;
  await knex.migrate.latest(migrations);
  const first = await schema(database);
  t.deepEqual((await tables(database)).toSorted(), [
    'active_media_batches',
    'listing_identities',
    'listing_media_assets',
    'listing_media_batches',
    'listing_media_jobs',
    'media_leases',
    'media_outbox',
    'media_processing_jobs',
    'photographer_photo_session_bookings',
    'users',
  ]);
  await knex.migrate.rollback(migrations, true);
  t.deepEqual(await tables(database), []);
  await knex.migrate.latest(migrations);
  t.deepEqual(await schema(database), first);
});

test.serial('migrations do not talk to a server in clear unless that is the setting', async (t) => {
  const { address } = database;
  const environment = { ...databaseEnvironment(address), DATABASE_HOST: 'localhost' };
  const status = (env: Record<string, string>) =>
    new Promise<{ code: number | null; text: string }>((resolve) => {
      const words = [path.join(ROOT, 'migrations/migrate.ts'), 'status'];
      const child = execFile(process.execPath, words, { env }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, text: `${stdout}${stderr}` }),
      );
    });
  const refused = await status(environment);
  t.is(refused.code, 1);
  t.regex(refused.text, /^No TLS with localhost:\d+: Server does not support .* DATABASE_TLS=rds .*\n$/);
  t.false(refused.text.includes(address.password));
  t.like(await status({ ...environment, DATABASE_TLS: 'disabled' }), { code: 0 });
});

test.serial('each migration goes down by itself and up again', async (t) => {
  const { knex } = database;
  const before = await schema(database);
  const [done] = await knex.migrate.list(migrations);
  for (let step = 0; step < done.length; step++) await knex.migrate.down(migrations);
  t.deepEqual(await tables(database), []);
  for (let step = 0; step < done.length; step++) await knex.migrate.up(migrations);
  t.deepEqual(await schema(database), before);
});

test.serial(
  'tables of the TOQ schema are left alone, also on the way down, whatever the type of their ids',
  async (t) => {
    const { knex } = database;
    await knex.migrate.rollback(migrations, true);
    await knex.raw(
      'CREATE TABLE users (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100)) ENGINE = InnoDB',
    );
    await knex.raw(`CREATE TABLE listing_identities (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id INT,
    status VARCHAR(30), property_type INT) ENGINE = InnoDB`);
    await knex.raw(`CREATE TABLE photographer_photo_session_bookings (id INT PRIMARY KEY, photographer_user_id INT,
    listing_identity_id INT UNSIGNED, status VARCHAR(20)) ENGINE = InnoDB`);
    const theirs = await schema(database);
    await knex.migrate.latest(migrations);
    const column = await knex('information_schema.columns')
      .whereRaw('table_schema = DATABASE()')
      .where({ table_name: 'listing_media_batches', column_name: 'listing_id' })
      .first({ type: 'column_type' });
    t.regex(column.type, /^int(\(\d+\))? unsigned$/);
    await knex.migrate.rollback(migrations, true);
    t.deepEqual(await schema(database), theirs);
    await knex.raw('DROP TABLE photographer_photo_session_bookings, listing_identities, users');
  },
);

test.serial('deleting a listing takes its batches, assets, jobs and outbox along', async (t) => {
  const { knex } = database;
  await knex.migrate.latest(migrations);
  const now = knex.raw('UTC_TIMESTAMP(6)');
  await knex('users').insert({ id: 1, full_name: 'x' });
  await knex('listing_identities').insert({ id: 1, user_id: 1, status: 'x' });
  await knex('listing_media_batches').insert({
    id: 1,
    public_id: 'x',
    listing_id: 1,
    photographer_user_id: 1,
    batch_reference: 'x',
    status: 'PROCESSING',
    upload_manifest_json: '[]',
    created_at: now,
    upload_activity_at: now,
  });
  await knex('media_processing_jobs').insert({
    id: 1,
    batch_id: 1,
    listing_identity_id: 1,
    provider: 'STEP_FUNCTIONS',
    status: 'RUNNING',
    external_id: 'arn',
    input_payload_json: '{}',
    created_at: now,
  });
  await knex('media_outbox').insert({ job_id: 1, kind: 'processing', created_at: now, available_at: now });
  await knex('listing_media_assets').insert({
    batch_id: 1,
    job_id: 1,
    client_id: 'x',
    asset_type: 'PHOTO_VERTICAL',
    sequence: 1,
    status: 'PROCESSING',
    filename: 'x',
    content_type: 'image/jpeg',
    bytes: 1,
    checksum_sha256: 'x',
    source_key: 'x',
    created_at: now,
    updated_at: now,
  });
  t.like(await knex('listing_media_jobs').first(), {
    batch_id: 1,
    external_job_id: 'arn',
    finished_at: null,
  });
  t.like(await knex('active_media_batches').first(), { public_id: 'x', assets: 1 });
  await knex('listing_identities').delete();
  for (const table of [
    'listing_media_batches',
    'listing_media_assets',
    'media_processing_jobs',
    'media_outbox',
  ]) {
    t.deepEqual(await knex(table), [], table);
  }
});

/** What MariaDB understands and MySQL 8 does not, or the other way round. */
const NOT_PORTABLE = [
  /\bRETURNING\b/, // MariaDB only
  /->>?\s*'\$/, // MySQL only
  /\bAS new\b/i, // row alias of INSERT … ON DUPLICATE KEY UPDATE: MySQL only
  /\b(NEXT VALUE FOR|CREATE SEQUENCE|CREATE OR REPLACE TABLE|PERSISTENT)\b/, // MariaDB only
  /\b(IF NOT EXISTS|IF EXISTS)\b.*\bCOLUMN\b/i, // MariaDB only
  /\butf8mb4_(0900\w*|uca1400\w*)\b/, // one of them only
  /\bUUID_TO_BIN\b/, // MySQL only
  /\bSKIP LOCKED\b.*\bWAIT\b/, // WAIT n: MariaDB only
];

test('the SQL is what both MySQL 8 and MariaDB 10.11 understand', async (t) => {
  const folders = ['migrations', 'service/models', 'service/media', 'service/workers', 'service/adapters'];
  for (const folder of folders) {
    for (const name of await readdir(path.join(ROOT, folder))) {
      const text = await readFile(path.join(ROOT, folder, name), 'utf8');
      for (const pattern of NOT_PORTABLE) t.notRegex(text, pattern, `${folder}/${name}`);
    }
  }
});
