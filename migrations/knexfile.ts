import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Knex } from 'knex';
import { readDatabaseConfig } from '../service/config.ts';
import { databaseSettings } from '../service/models/database.ts';

const FOLDER = import.meta.dirname;

/** Hand this to `knex.migrate.latest()` and `knex.migrate.rollback()`: each file here whose name starts with its time. */
export const migrations: Knex.MigratorConfig = {
  tableName: 'media_migrations',
  migrationSource: {
    getMigrations: async () => (await readdir(FOLDER)).filter((name) => /^\d{14}_\w+\.ts$/.test(name)).sort(),
    getMigrationName: (name: string) => path.basename(name, '.ts'),
    getMigration: (name: string) => import(path.join(FOLDER, name)),
  } satisfies Knex.MigrationSource<string>,
};

/** For knex's command line: `npx knex --knexfile migrations/knexfile.ts migrate:latest`. */
export default async (): Promise<Knex.Config> => {
  const config = readDatabaseConfig();
  return {
    ...databaseSettings({
      host: config.DATABASE_HOST,
      port: config.DATABASE_PORT,
      user: config.DATABASE_USER,
      password: config.DATABASE_PASSWORD,
      database: config.DATABASE_NAME,
      tls: config.DATABASE_TLS,
      tlsCa: config.DATABASE_TLS_CA,
    }),
    migrations,
  };
};
