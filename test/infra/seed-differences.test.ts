import { readFileSync } from 'node:fs';
import test from 'ava';
import { graphOf } from '../support/graphs.ts';
import { DIFFERENCES } from '../support/seed-differences.ts';

for (const { seed, section, asks, now } of DIFFERENCES) {
  test(`seed ${seed} §${section} is answered differently: ${asks}`, async (t) => {
    t.true(now(await graphOf('staging')));
  });
}

test('docs/seeds.md lists exactly these differences', (t) => {
  const rows = readFileSync('docs/seeds.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| 00/.test(line));
  t.deepEqual(
    rows,
    DIFFERENCES.map(
      ({ seed, section, asks, answer, reason }) =>
        `| ${seed} §${section} | ${asks} | ${answer} | ${reason} |`,
    ),
  );
});
