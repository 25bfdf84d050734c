import type { Knex } from 'knex';
import { raw } from 'objection';
import { fromNow, now, Table } from './table.ts';

/** Something the queue or Step Functions has to be told about a job. */
export class OutboxEntry extends Table {
  static override tableName = 'media_outbox';

  declare id: number;
  declare jobId: number;
  declare kind: 'processing' | 'finalization';
  declare attempts: number;
  declare publications: number;
  declare lastError: string | null;
  /** since when it waits to be published, for the first time or again */
  declare createdAt: Date;
  declare availableAt: Date;
  declare publishedAt: Date | null;
}

/** Written leased: the request that decided it is the first to try. */
export const insertOutboxEntry = (
  transaction: Knex,
  entry: { jobId: number; kind: OutboxEntry['kind'] },
  leaseSeconds: number,
) =>
  OutboxEntry.query(transaction).insert({
    ...entry,
    attempts: 1,
    createdAt: now(),
    availableAt: fromNow(leaseSeconds),
  });

export const findDueEntries = (knex: Knex, limit: number) =>
  OutboxEntry.query(knex)
    .whereNull('published_at')
    .where('available_at', '<=', now())
    .orderBy('available_at')
    .limit(limit);

/** Takes the entry for so long. False: someone else has it, or it is published. */
export const leaseEntry = async (knex: Knex, id: number, leaseSeconds: number) =>
  (await OutboxEntry.query(knex)
    .patch({ availableAt: fromNow(leaseSeconds), attempts: raw('attempts + 1') })
    .where({ id })
    .whereNull('published_at')
    .where('available_at', '<=', now())) === 1;

/** How long the longest waiting entry has been waiting, in seconds; 0 when none is. */
export async function oldestUnpublishedAge(knex: Knex): Promise<number> {
  const [oldest] = await OutboxEntry.query(knex)
    .whereNull('published_at')
    .select(raw('TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(6)) / 1e6').as('age'))
    .castTo<{ age: number | null }[]>();
  return oldest?.age ?? 0;
}

export const markPublished = (transaction: Knex, id: number) =>
  OutboxEntry.query(transaction)
    .patch({ publishedAt: now(), lastError: null, publications: raw('publications + 1') })
    .where({ id })
    .whereNull('published_at');

export const markFailed = (knex: Knex, id: number, error: string, retryInSeconds: number) =>
  OutboxEntry.query(knex)
    .patch({ lastError: error.slice(0, 2000), availableAt: fromNow(retryInSeconds) })
    .where({ id })
    .whereNull('published_at');

/** Has a job published once more: `waiting` when that is under way already, `exhausted` after so many times. */
export async function republish(
  knex: Knex,
  jobId: number,
  atMost: number,
): Promise<'again' | 'waiting' | 'exhausted'> {
  const again = await OutboxEntry.query(knex)
    .patch({ publishedAt: null, attempts: 0, createdAt: now(), availableAt: now() })
    .where({ job_id: jobId })
    .whereNotNull('published_at')
    .where('publications', '<', atMost);
  if (again === 1) return 'again';
  const waiting = await OutboxEntry.query(knex)
    .where({ job_id: jobId })
    .whereNull('published_at')
    .select('id')
    .first();
  return waiting ? 'waiting' : 'exhausted';
}
