import type * as pulumi from '@pulumi/pulumi';
import type { Names } from './names.ts';
import type { Account } from './permissions.ts';

/** What every component of a stack stands on. */
export interface Foundation {
  names: Names;
  account: Account;
  /** The key of everything that is kept. */
  keyArn: pulumi.Input<string>;
  /** How long log groups remember, in days. */
  logRetentionDays: number;
}
