import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import mysql from 'mysql2/promise';
import { type RunningDatabase, startDatabase } from '../../local/database.ts';
import { databaseUrlOf, parseDatabaseUrl } from '../../local/database-url.ts';

async function directory() {
  const folder = await mkdtemp(path.join(tmpdir(), 'toq-media-database-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

const connect = ({ host, port, user, password, database }: RunningDatabase) =>
  mysql.createConnection({ host, port, user, password, database });

const start = (folder: string, password = 'first') =>
  startDatabase({ directory: folder, database: 'toq', user: 'toq', password, durable: false });

async function count(server: RunningDatabase) {
  const connection = await connect(server);
  const [rows] = await connection.query('SELECT COUNT(*) AS count FROM notes');
  await connection.end();
  return rows;
}

async function note(server: RunningDatabase) {
  const connection = await connect(server);
  await connection.query(
    'CREATE TABLE IF NOT EXISTS notes (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB',
  );
  await connection.query('INSERT INTO notes VALUES ()');
  await connection.end();
}

test('the data of the first start is there in the second, behind another password', async (t) => {
  await using place = await directory();
  const first = await start(place.folder, 'first');
  await note(first);
  await first.stop();
  await first.stop();
  t.throws(() => process.kill(first.pid, 0), { code: 'ESRCH' });

  const second = await start(place.folder, 'second, with \' and "');
  try {
    t.deepEqual(await count(second), [{ count: 1 }]);
    await t.throwsAsync(connect({ ...second, password: 'first' }), { code: 'ER_ACCESS_DENIED_ERROR' });
    await t.throwsAsync(connect({ ...second, user: 'root', password: '' }), {
      code: 'ER_ACCESS_DENIED_ERROR',
    });
    t.is((await stat(place.folder)).mode & 0o077, 0, 'not for others: root comes in by the socket');
  } finally {
    await second.stop();
  }
});

test('a server that a killed launcher left behind is ended, and its data taken over', async (t) => {
  await using place = await directory();
  const orphan = await start(place.folder);
  await note(orphan);
  const next = await start(place.folder);
  try {
    t.deepEqual(await count(next), [{ count: 1 }]);
    t.throws(() => process.kill(orphan.pid, 0), { code: 'ESRCH' });
  } finally {
    await next.stop();
  }
});

test('a server that cannot start says why, in its own words', async (t) => {
  await using place = await directory();
  const first = await start(place.folder);
  await first.stop();
  await rm(path.join(place.folder, 'data', 'mysql'), { recursive: true });
  await t.throwsAsync(start(place.folder), { message: /did not come up[\s\S]*mysql/ });
});

test('a database that a URL names is talked to with TLS, unless it is on this machine or the URL gives it up', (t) => {
  const tlsOf = (url: string) => parseDatabaseUrl(url).tls;
  t.is(tlsOf('mysql://toq:secret@db.toq.test/toq'), 'rds');
  t.is(tlsOf('mysql://toq:secret@db.toq.test/toq?tls=public-ca'), 'public-ca');
  t.is(tlsOf('mysql://toq:secret@mysql/toq?tls=disabled'), 'disabled');
  t.is(tlsOf('mysql://toq:secret@localhost:3307/toq'), 'disabled');
  t.throws(() => tlsOf('mysql://toq:secret@db.toq.test/toq?tls=on'), {
    message: 'DATABASE_URL: tls must be one of rds, public-ca, disabled.',
  });
});

test('a URL says again what it was made of', (t) => {
  const address = { host: '127.0.0.1', port: 3307, user: 'a@b', password: ':/?#', database: 'toq' };
  t.deepEqual(parseDatabaseUrl(databaseUrlOf({ ...address, tls: 'disabled' })), {
    ...address,
    tls: 'disabled',
  });
});
