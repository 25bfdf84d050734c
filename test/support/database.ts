import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Knex } from 'knex';
import { makeDataFolder, startDatabase } from '../../local/database.ts';
import { startWatchdog } from '../../local/watchdog.ts';
import { migrations } from '../../migrations/knexfile.ts';
import { type DatabaseAddress, openDatabase } from '../../service/models/database.ts';

export interface TestDatabase {
  address: DatabaseAddress;
  knex: Knex;
  /** Ends the pool and the server, and removes the files. */
  stop(): Promise<void>;
}

/** The variables by which service and migrations find a database; how TLS is to be, and by which name, is the caller's. */
export const databaseEnvironment = ({ host, port, database, user, password }: DatabaseAddress) => ({
  DATABASE_HOST: host,
  DATABASE_PORT: String(port),
  DATABASE_NAME: database,
  DATABASE_USER: user,
  DATABASE_PASSWORD: password,
});

/** Initialised once a machine: an empty server, not our schema. */
const TEMPLATE = path.join(import.meta.dirname, '../../node_modules/.cache/mariadb/data');

async function template() {
  const there = () =>
    access(TEMPLATE).then(
      () => true,
      () => false,
    );
  if (await there()) return TEMPLATE;
  // test files run side by side: the first to finish wins, and rename refuses the others
  await makeDataFolder(TEMPLATE).catch(async (error) => {
    if (!(await there())) throw error;
  });
  return TEMPLATE;
}

/**
 * A real server of its own for a test file, with the migrated schema (or without), and further words for mariadbd. Stop it
 * in `test.after.always`.
 */
export async function startTestDatabase({
  migrated = true,
  words = [] as string[],
} = {}): Promise<TestDatabase> {
  const directory = await mkdtemp(path.join(tmpdir(), 'toq-media-database-'));
  const server = await startDatabase({
    directory,
    database: 'toq_test',
    user: 'toq_test',
    password: 'only for this run',
    durable: false,
    template: await template(),
    arguments: words,
  });
  // a test process that is killed, for its time or by Ctrl-C, takes its server along
  const watchdog = startWatchdog();
  watchdog.watch(server.pid);
  const knex = openDatabase({ ...server, poolSize: 20 });
  const stop = async () => {
    await knex.destroy();
    await server.stop();
    watchdog.forget(server.pid);
    await watchdog.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    if (migrated) await knex.migrate.latest(migrations);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address: server, knex, stop };
}
