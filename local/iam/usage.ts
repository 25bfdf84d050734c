import type { StatementOf } from './evaluator.ts';
import { statementsOf } from './evaluator.ts';
import type { HeldPolicy } from './inventory.ts';
import { matchesPattern } from './pattern.ts';

/** One action on one pattern of resources that a declared policy allows. */
export interface Permission {
  /** whose policy: a role, a role's trust, a key, a bucket, a queue, a topic */
  holder: string;
  statement: string;
  action: string;
  resource: string;
}

export interface HolderUsage {
  holder: string;
  used: Permission[];
  unused: Permission[];
}

/** Which of the declared permissions a run needed. */
export function createUsage(policies: HeldPolicy[]) {
  const declared = policies.flatMap(({ holder, document }) =>
    statementsOf(document).flatMap(({ Sid, Effect, Action, Resource = ['*'] }, index) =>
      Effect === 'Deny'
        ? []
        : Action.flatMap((action) =>
            Resource.map((resource) => ({
              index,
              used: false,
              permission: { holder, statement: Sid ?? String(index), action, resource },
            })),
          ),
    ),
  );

  return {
    /** Notes that these statements allowed the action on the resource. */
    record(grants: StatementOf[], action: string, resource: string) {
      for (const { holder, index } of grants) {
        for (const candidate of declared) {
          const { permission } = candidate;
          if (candidate.used || candidate.index !== index || permission.holder !== holder) continue;
          candidate.used =
            matchesPattern(permission.action, action) && matchesPattern(permission.resource, resource);
        }
      }
    },

    read(): HolderUsage[] {
      return policies.map(({ holder }) => {
        const own = declared.filter(({ permission }) => permission.holder === holder);
        return {
          holder,
          used: own.filter(({ used }) => used).map(({ permission }) => permission),
          unused: own.filter(({ used }) => !used).map(({ permission }) => permission),
        };
      });
    },
  };
}
