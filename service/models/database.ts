import { setTimeout as sleep } from 'node:timers/promises';
import knex, { type Knex } from 'knex';
import { explainingClient, type ServerProof, tlsOptions } from './database-tls.ts';

export interface DatabaseAddress extends ServerProof {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** connections at most */
  poolSize?: number;
}

/**
 * Each session counts in UTC, refuses values that do not fit instead of bending them, and reads what is committed: with
 * row locks taken explicitly, gap locks would only add deadlocks. (The isolation level has a statement of its own,
 * because the variable is named differently by MySQL 8 and MariaDB 10.11.)
 */
const SESSION = [
  'SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci',
  "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 10",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

interface Session {
  query(sql: string, done: (error: Error | null) => void): void;
}

function prepare(
  session: Session,
  done: (error: Error | null, session: Session) => void,
  statements = SESSION,
) {
  const [first, ...rest] = statements;
  if (!first) return done(null, session);
  session.query(first, (error) => (error ? done(error, session) : prepare(session, done, rest)));
}

/** knex settings for MySQL 8 or MariaDB; DATETIME columns are UTC and arrive as `Date`. */
export const databaseSettings = (address: DatabaseAddress): Knex.Config => ({
  client: explainingClient(address),
  connection: {
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    database: address.database,
    charset: 'utf8mb4',
    timezone: 'Z',
    ssl: tlsOptions(address),
  },
  // each failure reaches its caller as a rejection; knex would print it to the console besides
  log: { warn() {}, error() {}, deprecate() {}, debug() {} },
  pool: {
    min: 0,
    max: address.poolSize ?? 10,
    afterCreate: (session: Session, done: (error: Error | null, session: Session) => void) =>
      prepare(session, done),
  },
});

/** Opens a pool. The caller ends it with `destroy()`. */
export const openDatabase = (address: DatabaseAddress): Knex => knex(databaseSettings(address));

/**
 * A check that the database answers and lets new connections in. A changed password leaves the open ones alone: the pool
 * would go on with those few, and refuse everybody else, for as long as nobody replaces the process.
 */
export function databaseCheck(pool: Knex): () => Promise<void> {
  let denied: unknown;
  // of tarn, knex's pool
  const { pool: connections } = pool.client;
  connections.on('createFail', (_: number, error: unknown) => {
    if (isDenied(error)) denied = error;
  });
  connections.on('createSuccess', () => {
    denied = undefined;
  });
  return async () => {
    if (denied)
      throw new Error('the database does not take the password that was read at the start', {
        cause: denied,
      });
    await pool.raw('SELECT 1');
  };
}

const isDenied = (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === 'ER_ACCESS_DENIED_ERROR';

/** MySQL's ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: "try restarting transaction". */
const RESTART = new Set([1205, 1213]);
const ATTEMPTS = 6;

/** Runs a short transaction, again from its beginning when the database says so. */
export async function transact<T>(
  pool: Knex,
  work: (transaction: Knex.Transaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await pool.transaction(work);
    } catch (error) {
      if (attempt === ATTEMPTS || !RESTART.has(errorNumber(error))) throw error;
      await sleep(Math.random() * 20 * 2 ** attempt);
    }
  }
}

/** The unique key that a statement would have broken, or null when that is not what went wrong. */
export function brokenUniqueKey(error: unknown): string | null {
  if (errorNumber(error) !== 1062) return null;
  // MySQL 8 says 'table.key', MariaDB says 'key'
  return /for key '(?:[^'.]+\.)?([^']+)'/.exec(error instanceof Error ? error.message : '')?.[1] ?? null;
}

/** A row that another one must name is not there (ER_NO_REFERENCED_ROW_2). */
export const isMissingReference = (error: unknown) => errorNumber(error) === 1452;

/** objection wraps the driver's error for some kinds and keeps it in `nativeError`. */
function errorNumber(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 0;
  if ('errno' in error && typeof error.errno === 'number') return error.errno;
  return 'nativeError' in error ? errorNumber(error.nativeError) : 0;
}
