import test from 'ava';
import { brokenUniqueKey, databaseCheck, openDatabase, transact } from '../../../service/models/database.ts';
import { isUnavailable } from '../../../service/unavailable.ts';
import { startTestDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;

test.before(async () => {
  database = await startTestDatabase({ migrated: false });
  await database.knex.raw(
    'CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL, name VARCHAR(9), UNIQUE KEY uk_name (name)) ENGINE = InnoDB',
  );
});
test.after.always(() => database?.stop());

const add = (knex: TestDatabase['knex'], id: number) =>
  knex('accounts').where({ id }).increment('balance', 1);

test('transactions that lock each other out both come through', async (t) => {
  const { knex } = database;
  await knex('accounts').insert([
    { id: 1, balance: 0 },
    { id: 2, balance: 0 },
  ]);
  let attempts = 0;
  const eachHasOne = Promise.withResolvers<void>();
  const both = (first: number, second: number) =>
    transact(knex, async (transaction) => {
      attempts++;
      await add(transaction, first);
      if (attempts === 2) eachHasOne.resolve();
      await eachHasOne.promise;
      await add(transaction, second);
    });
  await Promise.all([both(1, 2), both(2, 1)]);
  t.deepEqual(await knex('accounts').whereIn('id', [1, 2]).pluck('balance'), [2, 2]);
  t.is(attempts, 3, 'one of them was the victim (1213) and began again');
});

test('a transaction that waited too long for a lock begins again', async (t) => {
  const { knex } = database;
  await knex('accounts').insert({ id: 3, balance: 0 });
  const blocker = await knex.transaction();
  await add(blocker, 3);
  let attempts = 0;
  await transact(knex, async (transaction) => {
    attempts++;
    await transaction.raw('SET innodb_lock_wait_timeout = 1');
    if (attempts === 2) await blocker.commit();
    await add(transaction, 3);
  });
  t.is(attempts, 2);
  t.is((await knex('accounts').where({ id: 3 }).first('balance')).balance, 2);
});

test('any other failure is not tried again, and leaves nothing behind', async (t) => {
  const { knex } = database;
  let attempts = 0;
  const failing = transact(knex, async (transaction) => {
    attempts++;
    await transaction('accounts').insert({ id: 4, balance: 0 });
    throw new Error('no');
  });
  await t.throwsAsync(failing, { message: 'no' });
  t.is(attempts, 1);
  t.is(await knex('accounts').where({ id: 4 }).first(), undefined);
});

test('a broken unique key is known by its name, as MariaDB and as MySQL 8 say it', async (t) => {
  const { knex } = database;
  await knex('accounts').insert({ id: 5, balance: 0, name: 'a' });
  const error = await t.throwsAsync(knex('accounts').insert({ id: 6, balance: 0, name: 'a' }));
  t.is(brokenUniqueKey(error), 'uk_name');
  const mysql8 = Object.assign(new Error("Duplicate entry 'a' for key 'accounts.uk_name'"), { errno: 1062 });
  t.is(brokenUniqueKey(mysql8), 'uk_name');
  t.is(brokenUniqueKey({ nativeError: { errno: 1213 } }), null);
  t.is(brokenUniqueKey(undefined), null);
});

test('times are UTC, values that do not fit are refused', async (t) => {
  const { knex } = database;
  const [[row]] = await knex.raw('SELECT NOW(6) = UTC_TIMESTAMP(6) AS utc, @@tx_isolation AS level');
  t.deepEqual(row, { utc: 1, level: 'READ-COMMITTED' });
  await t.throwsAsync(knex('accounts').insert({ id: 7, balance: 0, name: 'far too long' }), {
    message: /too long/,
  });
});

test('a changed password fails the check from the first connection that is refused until one is let in', async (t) => {
  const own = await startTestDatabase({ migrated: false });
  t.teardown(() => own.stop());
  const pool = openDatabase({ ...own.address, poolSize: 2 });
  t.teardown(() => pool.destroy());
  const check = databaseCheck(pool);
  await t.notThrowsAsync(check);

  const open = await pool.transaction();
  await open.raw("SET PASSWORD = PASSWORD('changed')");
  const refused = await t.throwsAsync(pool.raw('SELECT 1'), { code: 'ER_ACCESS_DENIED_ERROR' });
  t.true(isUnavailable(refused), 'worth trying again: another task takes over');
  await open.commit();
  await t.notThrowsAsync(async () => pool.raw('SELECT 1'), 'by the connection that is open');
  await t.throwsAsync(check, { message: /password/ });

  await pool.raw('SET PASSWORD = PASSWORD(?)', [own.address.password]);
  await Promise.all([pool.raw('SELECT SLEEP(0.1)'), pool.raw('SELECT SLEEP(0.1)')]);
  await t.notThrowsAsync(check);
});
