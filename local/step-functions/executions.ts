import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Outcome } from './interpreter.ts';
import type { Entry } from './line.ts';

export type ExecutionStatus = 'RUNNING' | Outcome['status'];

/** One execution as it is kept: times in milliseconds since 1970, input and output as JSON text. */
export interface Execution {
  arn: string;
  stateMachineArn: string;
  name: string;
  status: ExecutionStatus;
  input: string;
  startedAt: number;
  stoppedAt: number | null;
  output: string | null;
  error: string | null;
  cause: string | null;
}

/** An entry of the history with its time in milliseconds. */
export type HistoryEvent = Entry & { timestamp: number };

export interface Page<T> {
  items: T[];
  nextToken?: string;
}

export interface PageRequest {
  maxResults: number;
  nextToken?: string | undefined;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS executions (
    number INTEGER PRIMARY KEY, arn TEXT UNIQUE NOT NULL, stateMachineArn TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, input TEXT NOT NULL, startedAt INTEGER NOT NULL, stoppedAt INTEGER,
    output TEXT, error TEXT, cause TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS events (
    arn TEXT NOT NULL, id INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (arn, id)
  ) STRICT;
`;

/**
 * Executions and their histories in one SQLite file. Every write is there after a crash of this process; after a
 * crash of the machine the last ones may be missing.
 */
export function openExecutions(directory: string) {
  mkdirSync(directory, { recursive: true });
  const database = new DatabaseSync(path.join(directory, 'executions.sqlite'));
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`);

  const insert = database.prepare(
    'INSERT INTO executions (arn, stateMachineArn, name, status, input, startedAt) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const update = database.prepare(
    'UPDATE executions SET status = ?, stoppedAt = ?, output = ?, error = ?, cause = ? WHERE arn = ?',
  );
  const one = database.prepare('SELECT * FROM executions WHERE arn = ?');
  const running = database.prepare("SELECT * FROM executions WHERE status = 'RUNNING' ORDER BY number");
  const list = database.prepare(
    `SELECT * FROM executions WHERE stateMachineArn = ? AND (? IS NULL OR status = ?) AND number < ?
     ORDER BY number DESC LIMIT ?`,
  );
  const append = database.prepare('INSERT INTO events (arn, id, event) VALUES (?, ?, ?)');
  const forget = database.prepare('DELETE FROM events WHERE arn = ?');
  const forward = database.prepare(
    'SELECT id, event FROM events WHERE arn = ? AND id > ? ORDER BY id LIMIT ?',
  );
  const backward = database.prepare(
    'SELECT id, event FROM events WHERE arn = ? AND id < ? ORDER BY id DESC LIMIT ?',
  );

  /** One row more than asked for tells whether there is another page. */
  function page<Row, T>(
    rows: Row[],
    size: number,
    item: (row: Row) => T,
    key: (row: Row) => number,
  ): Page<T> {
    const shown = rows.slice(0, size);
    const last = shown.at(-1);
    const more = rows.length > size && last !== undefined;
    return { items: shown.map(item), ...(more ? { nextToken: String(key(last)) } : {}) };
  }

  return {
    insert: (execution: Pick<Execution, 'arn' | 'stateMachineArn' | 'name' | 'input' | 'startedAt'>) =>
      void insert.run(
        execution.arn,
        execution.stateMachineArn,
        execution.name,
        'RUNNING',
        execution.input,
        execution.startedAt,
      ),

    finish(arn: string, stoppedAt: number, outcome: Outcome) {
      const { output, error, cause } = { output: null, error: null, cause: null, ...outcome };
      update.run(outcome.status, stoppedAt, output, error, cause, arn);
    },

    // the columns are the fields
    find: (arn: string) => one.get(arn) as unknown as Execution | undefined,
    running: () => running.all() as unknown as Execution[],

    /** Newest first. */
    list(stateMachineArn: string, status: string | null, { maxResults, nextToken }: PageRequest) {
      const before = nextToken ? Number(nextToken) : Number.MAX_SAFE_INTEGER;
      const rows = list.all(
        stateMachineArn,
        status,
        status,
        before,
        maxResults + 1,
      ) as unknown as (Execution & {
        number: number;
      })[];
      return page<(typeof rows)[number], Execution>(
        rows,
        maxResults,
        (row) => row,
        (row) => row.number,
      );
    },

    record: (arn: string, event: HistoryEvent) => void append.run(arn, event.id, JSON.stringify(event)),
    forgetHistory: (arn: string) => void forget.run(arn),

    history(arn: string, reverse: boolean, { maxResults, nextToken }: PageRequest): Page<HistoryEvent> {
      const from = nextToken ? Number(nextToken) : reverse ? Number.MAX_SAFE_INTEGER : 0;
      const rows = (reverse ? backward : forward).all(arn, from, maxResults + 1);
      return page(
        rows,
        maxResults,
        (row) => JSON.parse(String(row.event)) as HistoryEvent,
        (row) => Number(row.id),
      );
    },

    close: () => database.close(),
  };
}
export type Executions = ReturnType<typeof openExecutions>;
