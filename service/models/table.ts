import { Model, raw, snakeCaseMappers } from 'objection';

/** A table's row in camelCase. Columns are `declare`d: a plain class field would become an own, undefined property. */
export class Table extends Model {
  static override columnNameMappers = snakeCaseMappers();
}

/** Database time, UTC, microseconds: the one clock that every instance of the service shares. */
export const now = () => raw('UTC_TIMESTAMP(6)');
export const fromNow = (seconds: number) =>
  raw('UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND', [micros(seconds)]);
export const ago = (seconds: number) => raw('UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND', [micros(seconds)]);

const micros = (seconds: number) => Math.round(seconds * 1e6);
