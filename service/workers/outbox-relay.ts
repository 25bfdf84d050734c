import type { Knex } from 'knex';
import pLimit from 'p-limit';
import { LEASE_SECONDS } from '../media/jobs.ts';
import type { Publish } from '../media/publisher.ts';
import { findDueEntries, leaseEntry, type OutboxEntry } from '../models/outbox.ts';
import { createWorker, type Schedule, type Worker } from './worker.ts';

/** Entries of one round; the rest has its turn in the next. */
const ROUND = 100;
const CONCURRENCY = 5;

/** Publishes what a crash or an outage left unpublished. A round answers how much it published. */
export function createOutboxRelay(
  { knex, publish }: { knex: Knex; publish: Publish },
  schedule: Omit<Schedule, 'name'>,
): Worker<{ published: number }> {
  const relay = async ({ id, jobId, attempts }: OutboxEntry) =>
    (await leaseEntry(knex, id, LEASE_SECONDS)) && publish({ id, jobId, attempts: attempts + 1 });

  return createWorker({ name: 'outbox-relay', ...schedule }, async () => {
    const limit = pLimit(CONCURRENCY);
    const due = await findDueEntries(knex, ROUND);
    const done = await Promise.all(due.map((entry) => limit(() => relay(entry))));
    return { published: done.filter(Boolean).length };
  });
}
