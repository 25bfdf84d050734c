import knex from 'knex';
import settings from './knexfile.ts';

/**
 * Brings the schema of the database that DATABASE_* names to the newest version (`up`, the default), takes back the
 * last migration (`down`), or only tells (`status`). In the image: `node migrations/migrate.ts`. Two at once are safe:
 * knex's lock refuses the second.
 */
const commands: Record<string, (database: knex.Knex) => Promise<void>> = {
  async up({ migrate }) {
    const [, applied]: [number, string[]] = await migrate.latest();
    for (const name of applied) console.log(`applied ${name}`);
    if (!applied.length) console.log('the schema is up to date');
  },
  async down({ migrate }) {
    const [, reverted]: [number, string[]] = await migrate.down();
    for (const name of reverted) console.log(`reverted ${name}`);
    if (!reverted.length) console.log('nothing is applied');
  },
  async status({ migrate }) {
    const [applied, pending]: [{ name: string }[], string[]] = await migrate.list();
    for (const { name } of applied) console.log(`applied ${name}`);
    for (const name of pending) console.log(`pending ${name}`);
  },
};

const [name = 'up', ...rest] = process.argv.slice(2);
const command = commands[name];
if (!command || rest.length) {
  console.error(`usage: node migrations/migrate.ts [${Object.keys(commands).join('|')}]`);
  process.exit(2);
}
const database = knex(await settings());
try {
  await command(database);
} catch (error) {
  // the stack of a driver's error says nothing that its message does not
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await database.destroy();
}
