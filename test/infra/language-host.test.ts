import test from 'ava';
import type { Graph, Resource } from '../../local/graph/graph.ts';
import { type ConfigOverrides, stackInputs } from '../../local/graph/program.ts';
import { CALLBACK_SECRET, graphOf, graphThatBuilds, STACKS } from '../support/graphs.ts';
import { type Preview, preview } from '../support/pulumi-engine.ts';

const previewOf = (stack: string, config: ConfigOverrides = {}, callbackSecret = CALLBACK_SECRET) =>
  preview(stackInputs(stack, { config, callbackSecret }));

/** URNs differ a little: those of the mocks name the stack as a parent type. */
const byName = (resources: Pick<Resource, 'type' | 'name' | 'inputs' | 'secrets'>[]) =>
  Object.fromEntries(
    resources.map(({ type, name, inputs, secrets }) => [`${type} ${name}`, { inputs, secrets }]),
  );

const PREVIEWS: [string, () => Promise<Preview>, () => Promise<Graph>][] = [
  ...STACKS.map((stack): (typeof PREVIEWS)[number] => [stack, () => previewOf(stack), () => graphOf(stack)]),
  [
    'staging that builds its image',
    () => previewOf('staging', { service: { image: 'build' } }),
    graphThatBuilds,
  ],
];
for (const [title, previewed, declared] of PREVIEWS) {
  test.serial(`${title}: the CLI's language host loads the program and it ends without a word`, async (t) => {
    const { exitCode, output, log, resources, outputs } = await previewed();
    t.deepEqual({ exitCode, output, log }, { exitCode: 0, output: '', log: [] });

    const graph = await declared();
    t.true(resources.length > 90);
    t.is(resources.length, graph.resources.length);
    t.deepEqual(byName(resources), byName(graph.resources));
    t.deepEqual(Object.keys(outputs).sort(), Object.keys(graph.outputs).sort());
  });
}

test.serial('the callback secret reaches the engine as a secret, and only there', async (t) => {
  const { resources, outputs } = await previewOf('staging');
  const holders = resources.filter(({ inputs }) => JSON.stringify(inputs).includes(CALLBACK_SECRET));
  t.deepEqual(
    holders.map(({ type, secrets }) => ({ type, secrets })),
    [{ type: 'aws:secretsmanager/secretVersion:SecretVersion', secrets: ['secretString'] }],
  );
  t.false(JSON.stringify(outputs).includes(CALLBACK_SECRET));
});

test.serial('a broken configuration ends the program with our sentences and declares nothing', async (t) => {
  const { exitCode, log, resources, output } = await previewOf(
    'staging',
    { database: { host: null }, logs: { retentionDays: 31 } },
    'too short',
  );
  t.not(exitCode, 0);
  t.deepEqual(
    resources.filter(({ type }) => type !== 'pulumi:pulumi:Stack'),
    [],
  );
  const said = [...log, output].join('\n');
  t.regex(said, /Stack staging: toq-media:database\.host is missing\. Remedy: pulumi config set/);
  t.regex(said, /Stack staging: toq-media:logs\.retentionDays must be one of CloudWatch's periods/);
  t.regex(said, /Stack staging: toq-media:callbackSecret must be a secret of at least 32 characters/);
  t.notRegex(said, /too short| {4}at /, 'neither the secret nor a stack trace');
});
