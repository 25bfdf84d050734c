import type { Knex } from 'knex';

/** Takes or prolongs a named lease, on database time. False: another owner has it. */
export async function leaseName(knex: Knex, name: string, owner: string, seconds: number): Promise<boolean> {
  if (await prolong(knex, name, owner, seconds)) return true;
  // nobody may ever have had it; written down as run out, so that the first prolongation gets it
  await knex.raw(
    'INSERT IGNORE INTO media_leases (name, owner, expires_at) VALUES (?, ?, UTC_TIMESTAMP(6))',
    [name, owner],
  );
  return prolong(knex, name, owner, seconds);
}

async function prolong(knex: Knex, name: string, owner: string, seconds: number): Promise<boolean> {
  const [result] = await knex.raw(
    `UPDATE media_leases SET owner = ?, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
     WHERE name = ? AND (owner = ? OR expires_at <= UTC_TIMESTAMP(6))`,
    [owner, Math.round(seconds * 1e6), name, owner],
  );
  return result.affectedRows === 1;
}

/** Gives up a lease, if the owner has it. */
export async function releaseName(knex: Knex, name: string, owner: string): Promise<void> {
  await knex('media_leases')
    .where({ name, owner })
    .update({ expires_at: knex.raw('UTC_TIMESTAMP(6)') });
}
