/**
 * Mutation run over the Pulumi program and the state machines: takes one part away at a time and asks the compiler, the
 * tests of the declared graph and the demo whether they notice. `npm run mutate -- --sample 60 --seed 1`, `--all`,
 * `--only kms:Decrypt` (part of a printed line, may be repeated); `--no-demo` leaves out the slow last check. Prints what
 * nobody noticed.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf, shuffled, withoutPart } from './mutants.ts';
import { type Check, type Sandbox, sandbox } from './sandbox.ts';
import { typeChecker } from './type-check.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const AVA = path.join(ROOT, 'node_modules/ava/entrypoints/cli.js');

const { values } = parseArgs({
  allowNegative: true,
  options: {
    all: { type: 'boolean', default: false },
    sample: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [''] },
    workers: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '600' },
    demo: { type: 'boolean', default: true },
  },
});

/** Those who look at the declared graph and at the machines, the likeliest first; the language host sees no more. */
const tests = [
  ...globSync('test/infra/*.test.ts', { cwd: ROOT, exclude: ['**/language-host.test.ts'] }),
  'test/local/graph.test.ts',
  ...globSync('test/statemachines/*.test.ts', { cwd: ROOT }),
  'test/local/machines.test.ts',
];
const CHECKS: Check[] = [
  { name: 'tests', arguments: [AVA, '--fail-fast', '--concurrency', '2', ...tests], seconds: 180 },
  ...(values.demo ? [{ name: 'demo', arguments: ['local/demo.ts'], seconds: 180 }] : []),
];

const describe = ({ file, line, removed }: Mutant) => `${file}:${line}  ${removed.slice(0, 120)}`;

const candidates = mutantsOf(ROOT).filter((mutant) =>
  values.only.some((part) => describe(mutant).includes(part)),
);
const chosen = values.all
  ? candidates
  : shuffled(candidates, values.seed).slice(0, Number.parseInt(values.sample, 10));
let deadline = Date.now() + Number.parseFloat(values.minutes) * 60_000;
// what runs is finished, and the copies are removed
process.once('SIGINT', () => {
  deadline = 0;
});
const checkTypes = typeChecker(ROOT);

interface Verdict {
  mutant: Mutant;
  /** the check that noticed */
  by?: string;
}

async function judge(mutant: Mutant, place: Sandbox): Promise<Verdict> {
  if (mutant.file.endsWith('.ts')) {
    const text = withoutPart(readFileSync(path.join(ROOT, mutant.file), 'utf8'), mutant);
    if (checkTypes(mutant.file, text)) return { mutant, by: 'types' };
  }
  const killer = await place.killer(mutant, CHECKS);
  return killer ? { mutant, by: killer.check } : { mutant };
}

async function work(place: Sandbox, queue: Mutant[], verdicts: Verdict[]) {
  for (let mutant = queue.shift(); mutant && Date.now() < deadline; mutant = queue.shift()) {
    const verdict = await judge(mutant, place);
    verdicts.push(verdict);
    console.log(
      `${String(verdicts.length).padStart(4)}  ${(verdict.by ?? 'SURVIVED').padEnd(8)}  ${describe(mutant)}`,
    );
  }
}

const places = Array.from({ length: Number.parseInt(values.workers, 10) }, () => sandbox(ROOT));
const verdicts: Verdict[] = [];
try {
  const entry = readFileSync(path.join(ROOT, 'infra/index.ts'), 'utf8');
  const wrong = checkTypes('infra/index.ts', entry);
  if (wrong) throw new Error(`Without any mutant the program does not compile already: ${wrong}`);
  const sound = await places[0]?.killer(undefined, CHECKS);
  if (sound) throw new Error(`Without any mutant the ${sound.check} fail already:\n${sound.said}`);
  console.log(`${chosen.length} of ${candidates.length} removals, seed ${values.seed}`);
  const queue = [...chosen];
  await Promise.all(places.map((place) => work(place, queue, verdicts)));
} finally {
  for (const place of places) place.remove();
}

const survivors = verdicts.filter(({ by }) => !by).map(({ mutant }) => mutant);
const order = (a: Mutant, b: Mutant) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1);
console.log(`\n${survivors.length ? 'Survivors' : 'No survivors'}`);
for (const mutant of survivors.sort(order)) console.log(`  ${describe(mutant)}`);
const by = (name: string) => verdicts.filter((verdict) => verdict.by === name).length;
console.log(
  `\n${verdicts.length - survivors.length} of ${verdicts.length} noticed: ${by('types')} by the compiler, ` +
    `${by('tests')} by tests, ${by('demo')} by the demo.`,
);
if (verdicts.length < chosen.length)
  console.log(`${chosen.length - verdicts.length} were left out for time.`);
