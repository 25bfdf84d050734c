import type { Knex } from 'knex';

/** Takes or prolongs a named lease, on database time. False: another owner has it. */
export async function leaseName(knex: Knex, name: string, owner: string, seconds: number): Promise<boolean> {
  const micros = Math.round(seconds * 1e6);
  const [prolonged] = await knex.raw(
    `UPDATE media_leases SET owner = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
     WHERE name = ? AND (owner = ? OR expires_at <= UTC_TIMESTAMP(6))`,
    [owner, micros, name, owner],
  );
  if (prolonged.affectedRows === 1) return true;
  // nobody has ever had it: the first to write it down has it
  const [taken] = await knex.raw(
    `INSERT IGNORE INTO media_leases (name, owner, expires_at)
     VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)`,
    [name, owner, micros],
  );
  return taken.affectedRows === 1;
}

/** Gives up a lease, if the owner has it. */
export async function releaseName(knex: Knex, name: string, owner: string): Promise<void> {
  await knex('media_leases')
    .where({ name, owner })
    .update({ expires_at: knex.raw('UTC_TIMESTAMP(6)') });
}
