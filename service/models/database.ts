import knex, { type Knex } from 'knex';

export interface DatabaseAddress {
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
  client: 'mysql2',
  connection: {
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    database: address.database,
    charset: 'utf8mb4',
    timezone: 'Z',
  },
  pool: {
    min: 0,
    max: address.poolSize ?? 10,
    afterCreate: (session: Session, done: (error: Error | null, session: Session) => void) =>
      prepare(session, done),
  },
});

/** Opens a pool. The caller ends it with `destroy()`. */
export const openDatabase = (address: DatabaseAddress): Knex => knex(databaseSettings(address));
