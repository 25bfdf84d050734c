import { getDenialReasons, getGrantReasons, runSimulation } from '@cloud-copilot/iam-simulate';
import { z } from 'zod';
import type { PolicyDocument } from '../graph/manifest.ts';
import type { HeldPolicy, Inventory } from './inventory.ts';
import type { Context, Need } from './need.ts';
import { matchesPattern } from './pattern.ts';

/** A statement of a declared policy. */
export interface StatementOf {
  holder: string;
  /** from 0 */
  index: number;
}

export type Verdict =
  | { allowed: true; grants: StatementOf[] }
  /** the end of AWS's sentence: `because no identity-based policy allows the s3:GetObject action` */
  | { allowed: false; because: string };

/** Who asks, with the policies of his role. A service has none. */
export interface Principal {
  /** session of a role, or a service */
  id: string;
  /** sessions of a role are one to the policies */
  cacheAs: string;
  policy?: HeldPolicy;
}

const Texts = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const Statement = z.looseObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: Texts,
  Resource: Texts.optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
export type Statement = z.output<typeof Statement>;

/** The statements of a policy document. Throws on what the program would never write, such as NotAction. */
export const statementsOf = ({ Statement: statements }: PolicyDocument): Statement[] =>
  z.array(Statement).parse([statements].flat());

/** Verdicts kept; conditions on free text, as a prefix is, make many. */
const CACHE_LIMIT = 10_000;

interface Vocabulary {
  /** patterns of resources */
  patterns: string[];
  /** condition keys, in lower case; with each the numbers that it is compared with */
  keys: Map<string, number[]>;
}

/**
 * AWS's policy evaluation over the declared policies. Resources that match the same patterns of the same policies are one
 * to them, and so are contexts that agree in every key that they name, or stand on the same side of every number that they
 * compare it with: each such class is evaluated once.
 */
export function createEvaluator({ accountId, policyOn }: Inventory) {
  const vocabularies = new Map<PolicyDocument, Vocabulary>();
  const verdicts = new Map<string, Promise<Verdict>>();

  function vocabularyOf(document: PolicyDocument): Vocabulary {
    const known = vocabularies.get(document);
    if (known) return known;
    const statements = statementsOf(document);
    const keys = new Map<string, number[]>();
    for (const { Condition } of statements) {
      for (const [operator, compared] of Object.entries(Condition)) {
        for (const [name, value] of Object.entries(compared)) {
          const key = name.toLowerCase();
          const numbers = operator.startsWith('Numeric') ? [value].flat().map(Number) : [];
          keys.set(key, [...(keys.get(key) ?? []), ...numbers]);
        }
      }
    }
    const vocabulary = {
      patterns: [...new Set(statements.flatMap(({ Resource = [] }) => Resource))],
      keys,
    };
    vocabularies.set(document, vocabulary);
    return vocabulary;
  }

  function classOf(principal: Principal, { action, resource }: Need, context: Context): string {
    const onResource = policyOn(resource, action);
    const involved = [principal.policy, onResource].filter((held) => held !== undefined);
    const words = involved.map(({ document }) => vocabularyOf(document));
    const matched = words.map(({ patterns }) =>
      patterns.filter((pattern) => matchesPattern(pattern, resource)),
    );
    const relevant = Object.entries(context)
      .filter(([key]) => words.some(({ keys }) => keys.has(key.toLowerCase())))
      .map(([key, value]) => {
        const numbers = words.flatMap(({ keys }) => keys.get(key.toLowerCase()) ?? []);
        return [
          key,
          numbers.length ? numbers.map((number) => Math.sign(Number(value) - number)) : value,
        ] as const;
      })
      .sort(([one], [other]) => (one < other ? -1 : 1));
    return JSON.stringify([principal.cacheAs, action, onResource?.holder, matched, relevant]);
  }

  async function simulate(principal: Principal, need: Need, context: Context): Promise<Verdict> {
    const onResource = policyOn(need.resource, need.action);
    const result = await runSimulation(
      {
        request: {
          principal: principal.id,
          action: need.action,
          resource: {
            // a key may hold what would be a wildcard in a policy; no pattern of ours tells these characters apart
            resource: need.resource === '*' ? '*' : need.resource.replace(/[*?]/g, '_'),
            accountId,
          },
          contextVariables: context,
        },
        identityPolicies: principal.policy
          ? [{ name: principal.policy.holder, policy: principal.policy.document }]
          : [],
        resourcePolicy: onResource?.document,
        serviceControlPolicies: [],
        resourceControlPolicies: [],
      },
      {},
    );
    const implicit = (kind: string) => ({
      allowed: false as const,
      because: `because no ${kind}-based policy allows the ${need.action} action`,
    });
    // an action or a resource that AWS does not know: no policy can allow it
    if (result.resultType === 'error') return implicit('identity');
    const analysis = result.resultType === 'single' ? result.result.analysis : result.results[0]?.analysis;
    if (!analysis) return implicit('identity');
    if (result.overallResult === 'Allowed') {
      const grants = getGrantReasons(analysis).flatMap((grant): StatementOf[] => {
        const held = grant.policyType === 'resource' ? onResource : principal.policy;
        return held ? [{ holder: held.holder, index: grant.statementIndex - 1 }] : [];
      });
      return { allowed: true, grants };
    }
    const reasons = getDenialReasons(analysis);
    const explicit = reasons.find(({ denialType }) => denialType === 'Explicit');
    if (explicit) {
      const kind = explicit.policyType === 'resource' ? 'a resource' : 'an identity';
      return { allowed: false, because: `with an explicit deny in ${kind}-based policy` };
    }
    return implicit(reasons.some(({ policyType }) => policyType === 'identity') ? 'identity' : 'resource');
  }

  return {
    evaluate(principal: Principal, need: Need, context: Context): Promise<Verdict> {
      const key = classOf(principal, need, context);
      const known = verdicts.get(key);
      if (known) return known;
      if (verdicts.size >= CACHE_LIMIT) verdicts.clear();
      const verdict = simulate(principal, need, context);
      verdicts.set(key, verdict);
      return verdict;
    },
  };
}
