import type { MediaWorld } from './media-world.ts';

/** Moves times of all rows of a table into the past. */
export const age = ({ knex }: MediaWorld, table: string, columns: string[], minutes: number) =>
  knex(table).update(
    Object.fromEntries(
      columns.map((column) => [column, knex.raw('?? - INTERVAL ? MINUTE', [column, minutes])]),
    ),
  );

/** A minute past the time that a job has, unless told otherwise. */
export const ageJobs = (world: MediaWorld, minutes = 31) =>
  age(world, 'media_processing_jobs', ['enqueued_at', 'started_at'], minutes);

/** Ends the outbox's pauses between two attempts. */
export const makeDue = (world: MediaWorld) => age(world, 'media_outbox', ['available_at'], 60);
