import type { Knex } from 'knex';
import { leaseName, releaseName } from '../models/lease.ts';

/**
 * One instance of the service at a time runs the workers. The lease is on database time and short: who dies loses it by
 * itself. Two leaders for a moment do no harm, because each step of a worker is a compare-and-set of its own.
 */
export interface Leader {
  /** Takes or prolongs the lease. False: another instance has it. */
  acquire(): Promise<boolean>;
  /** Gives it up, so that another instance need not wait. */
  release(): Promise<void>;
}

/** `owner` tells the instances apart. */
export const createLeader = (
  knex: Knex,
  owner: string,
  { name = 'workers', ttlSeconds = 10 } = {},
): Leader => ({
  acquire: () => leaseName(knex, name, owner, ttlSeconds),
  release: () => releaseName(knex, name, owner),
});
