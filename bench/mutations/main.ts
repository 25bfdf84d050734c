/**
 * Mutation run over the Pulumi program and the state machines: takes one part away at a time, or changes one value, and
 * asks the compiler, the tests of the declared graph and the demo whether they notice. `npm run mutate -- --sample 60
 * --seed 1`, `--all`, `--only kms:Decrypt` (part of a printed line, may be repeated); `--no-demo` leaves out the slow last
 * check. Prints what nobody noticed.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf, mutated, shuffled } from './mutants.ts';
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

/** Those who look at the declared graph, and those who look at the machines; Pulumi's own hosts see no more than these. */
const OF_PROGRAM = [
  ...globSync('test/infra/*.test.ts', {
    cwd: ROOT,
    exclude: ['**/language-host.test.ts', '**/policy-pack.test.ts'],
  }),
  'test/local/graph.test.ts',
];
const OF_MACHINES = [
  ...globSync('test/statemachines/*.test.ts', { cwd: ROOT }),
  'test/local/machines.test.ts',
  // what the program makes of a machine, and what it relies on
  ...['alarms', 'pipeline', 'rules', 'seed-001-request', 'seed-002-handover'].map(
    (name) => `test/infra/${name}.test.ts`,
  ),
];
const imports = (files: string[]) => files.map((file) => `import '../${file}';\n`).join('');
/** One file of all of them: AVA gives each file a process, and each process would load Pulumi again. */
const TOGETHER = {
  program: { 'test/of-the-program.test.ts': imports(OF_PROGRAM) },
  machines: { 'test/of-the-machines.test.ts': imports(OF_MACHINES) },
};

/** What looks at the program, or at the machines. */
const checksOf = (kind: keyof typeof TOGETHER): Check[] => [
  {
    name: 'tests',
    arguments: [AVA, '--fail-fast', '--timeout', '30s', ...Object.keys(TOGETHER[kind])],
    seconds: 400,
  },
  ...(values.demo ? [{ name: 'demo', arguments: ['local/demo.ts'], seconds: 400 }] : []),
];
const DECLARED = 'bench/mutations/declared.ts';

const describe = ({ file, line, change }: Mutant) => `${file}:${line}  ${change.slice(0, 120)}`;

const candidates = mutantsOf(ROOT).filter((mutant) =>
  values.only.some((part) => describe(mutant).includes(part)),
);
const chosen = values.all
  ? candidates
  : shuffled(candidates, values.seed).slice(0, Number.parseInt(values.sample, 10));
let deadline = Date.now() + Number.parseFloat(values.minutes) * 60_000;
// what runs is finished, and the copies are removed
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    deadline = 0;
  });
}
const checkTypes = typeChecker(ROOT);

interface Verdict {
  mutant: Mutant;
  /** the check that noticed, or why there is nothing to notice */
  by?: string;
}

const UNCHANGED = 'declares the same';

async function judge(mutant: Mutant, place: Sandbox): Promise<Verdict> {
  const isProgram = mutant.file.endsWith('.ts');
  if (isProgram) {
    const text = mutated(readFileSync(path.join(ROOT, mutant.file), 'utf8'), mutant);
    if (checkTypes(mutant.file, text)) return { mutant, by: 'types' };
  }
  const killer = await place.killer(mutant, checksOf(isProgram ? 'program' : 'machines'));
  if (killer) return { mutant, by: killer.check };
  return (await place.output(mutant, DECLARED)) === declared ? { mutant, by: UNCHANGED } : { mutant };
}

async function work(place: Sandbox, queue: Mutant[], verdicts: Verdict[]) {
  for (let mutant = queue.shift(); mutant && Date.now() < deadline; mutant = queue.shift()) {
    const verdict = await judge(mutant, place);
    verdicts.push(verdict);
    console.log(
      `${String(verdicts.length).padStart(4)}  ${(verdict.by ?? 'SURVIVED').padEnd(UNCHANGED.length)}  ${describe(mutant)}`,
    );
  }
}

const places = Array.from({ length: Number.parseInt(values.workers, 10) }, () =>
  sandbox(ROOT, { ...TOGETHER.program, ...TOGETHER.machines }),
);
const verdicts: Verdict[] = [];
let declared: string | undefined;
try {
  const entry = readFileSync(path.join(ROOT, 'infra/index.ts'), 'utf8');
  const wrong = checkTypes('infra/index.ts', entry);
  if (wrong) throw new Error(`Without any mutant the program does not compile already: ${wrong}`);
  const sound =
    (await places[0]?.killer(undefined, checksOf('machines'))) ??
    (await places[0]?.killer(undefined, checksOf('program')));
  if (sound) throw new Error(`Without any mutant the ${sound.check} fail already:\n${sound.said}`);
  console.log(`${chosen.length} of ${candidates.length} changes, seed ${values.seed}`);
  declared = await places[0]?.output(undefined, DECLARED);
  const queue = [...chosen];
  await Promise.all(places.map((place) => work(place, queue, verdicts)));
} finally {
  for (const place of places) place.remove();
}

const of = (by: string | undefined) => verdicts.filter((verdict) => verdict.by === by);
const order = (a: Mutant, b: Mutant) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1);
const list = (title: string, found: Verdict[]) => {
  console.log(`\n${title}: ${found.length}`);
  for (const mutant of found.map((verdict) => verdict.mutant).sort(order))
    console.log(`  ${describe(mutant)}`);
};
list('Noticed by nobody, and nothing declared is different', of(UNCHANGED));
list('Survivors', of(undefined));
console.log(
  `\nOf ${verdicts.length} changes ${of('types').length} were noticed by the compiler, ${of('tests').length} by tests, ` +
    `${of('demo').length} by the demo; ${chosen.length - verdicts.length} were left out for time.`,
);
