import type { Knex } from 'knex';

/**
 * SQL type of a table's `id`, e.g. `bigint(20) unsigned`: a foreign key needs exactly the type of the column it names,
 * and the TOQ tables are not ours to decide about.
 */
export async function idType(knex: Knex, table: string): Promise<string> {
  const column = await knex('information_schema.columns')
    .where({ table_name: table, column_name: 'id' })
    .whereRaw('table_schema = DATABASE()')
    .first<{ type: string } | undefined>({ type: 'column_type' });
  if (!column || !/^[a-z]+(\(\d+\))?( unsigned)?$/.test(column.type)) {
    throw new Error(
      `${table}.id: no such column, or one of a type that cannot be referenced: ${column?.type}`,
    );
  }
  return column.type;
}
