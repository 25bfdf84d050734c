import { readFileSync } from 'node:fs';
import test from 'ava';
import { excuses, findings, rules, subjects, unexcused } from '../../infra/rules/catalogue.ts';
import { documented } from '../../infra/rules/document.ts';
import { notApplicable } from '../../infra/rules/not-applicable.ts';
import { estateOf } from '../../infra/rules/rule.ts';
import { suppressions } from '../../infra/rules/suppressions.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, graphWithDatabase } from '../support/graphs.ts';
import { MISTAKES } from '../support/mistakes.ts';
import { SECURITY_IDS } from '../support/security-ids.ts';

const REAL = ['staging', 'production'] as const;
const graphs = new Map<string, Graph>();
const resourcesOf = (stack: string) => graphs.get(stack)?.resources ?? [];

/** An environment without a database: the stack provides one. */
const WITH_DATABASE = 'production with a database of its own';
const ALL = [...REAL, WITH_DATABASE];

test.before(async () => {
  for (const stack of REAL) graphs.set(stack, await graphOf(stack));
  graphs.set(WITH_DATABASE, await graphWithDatabase());
});

const DATABASE = 'rds/instance:Instance';

for (const rule of rules) {
  test(`${rule.id}: ${rule.meaning}`, (t) => {
    const mistakes = [rule.id, ...(rule.also ?? [])].flatMap((id) => MISTAKES[id] ?? []);
    for (const stack of rule.of.includes(DATABASE) ? [WITH_DATABASE] : ALL) {
      const resources = resourcesOf(stack);
      const estate = estateOf(resources);
      for (const type of rule.of) {
        const declared = subjects({ ...rule, of: [type] }, estate).length;
        t.true(declared > 0, `${stack} declares ${type}`);
      }
      t.deepEqual(unexcused(findings(rule, resources)), [], stack);

      for (const spoil of mistakes) {
        t.not(unexcused(findings(rule, spoil(resources))).length, 0, `${stack}: the rule finds the mistake`);
      }
    }
  });
}

test('every rule has an id of its own, and a mistake that it finds', (t) => {
  const ids = rules.map(({ id }) => id);
  const also = rules.flatMap((rule) => rule.also ?? []);
  t.is(new Set([...ids, ...also]).size, ids.length + also.length);
  t.deepEqual(
    Object.keys(MISTAKES)
      .filter((id) => !also.includes(id))
      .sort(),
    ids.toSorted(),
  );
});

test('every id of the catalogues that we follow is a rule, or does not apply for a reason that holds', (t) => {
  const asserted = rules.flatMap(({ id, also = [] }) => [id, ...also]);
  const excluded = notApplicable.flatMap(({ ids }) => ids);
  t.is(new Set([...asserted, ...excluded]).size, asserted.length + excluded.length);
  for (const [catalogue, ids] of Object.entries(SECURITY_IDS)) {
    t.deepEqual(
      ids.filter((id) => !asserted.includes(id) && !excluded.includes(id)),
      [],
      catalogue,
    );
  }
  t.deepEqual(
    excluded.filter((id) => !Object.values(SECURITY_IDS).flat().includes(id)),
    [],
    'nobody asked',
  );
  for (const { ids, reason, absent = [] } of notApplicable) {
    t.true(reason.length > 25 && reason.endsWith('.'), ids.join());
    for (const stack of ALL) {
      t.deepEqual(
        resourcesOf(stack).filter(({ type }) => absent.some((one) => type === `aws:${one}`)),
        [],
        `${stack}: ${ids.join()}`,
      );
    }
  }
});

test('every suppression excuses something in a real stack, and says why', (t) => {
  const found = ALL.flatMap((stack) => rules.flatMap((rule) => findings(rule, resourcesOf(stack))));
  for (const suppression of suppressions) {
    const said = `${suppression.rule} ${suppression.resource} ${suppression.fault ?? ''}`;
    t.true(
      found.some((finding) => excuses(suppression, finding)),
      `${said} excuses nothing`,
    );
    t.true(suppression.reason.length > 30 && suppression.reason.endsWith('.'), said);
  }
});

test('docs/security.md shows what the rules, the suppressions and the rest are', (t) => {
  const page = readFileSync('docs/security.md', 'utf8');
  t.is(page, documented(page), 'Remedy: node infra/rules/document.ts');
});
