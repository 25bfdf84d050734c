import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Takes a directory for this process. The lock is the operating system's, held through an SQLite file: it goes with the
 * process, however that ends, and no stale file is left to be cleaned up. Undefined: another process has it.
 */
export function lockDirectory(directory: string): Disposable | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path.join(directory, 'lock.sqlite'));
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch {
    database.close();
    return undefined;
  }
  return { [Symbol.dispose]: () => database.close() };
}
