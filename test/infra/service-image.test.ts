import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { z } from 'zod';
import { contextFiles, contextHash } from '../../infra/build-context.ts';
import { findings, rules, unexcused } from '../../infra/rules/catalogue.ts';
import { REGISTRY_PASSWORD } from '../../local/graph/calls.ts';
import type { Graph, Resource } from '../../local/graph/graph.ts';
import { dangling } from '../../local/graph/projection.ts';
import { graphOf, graphThatBuilds, inputsOf, ofType, STACKS } from '../support/graphs.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const REPOSITORY = '058264253741.dkr.ecr.us-east-1.amazonaws.com/toq-media';
const imagesOf = (graph: Graph) => graph.resources.filter(({ type }) => type === 'docker-build:index:Image');

let graph: Graph;
let image: Resource;
test.before(async () => {
  graph = await graphThatBuilds();
  const [only, ...others] = imagesOf(graph);
  if (!only || others.length) throw new Error(`${imagesOf(graph).length} images`);
  image = only;
});

test('a stack with a digest builds nothing', async (t) => {
  for (const stack of STACKS) t.deepEqual(imagesOf(await graphOf(stack)), [], stack);
});

test('a stack that builds is complete and keeps the rules', (t) => {
  t.deepEqual(graph.problems, []);
  t.deepEqual(dangling(graph), []);
  t.deepEqual(
    rules.flatMap((rule) => unexcused(findings(rule, graph.resources))),
    [],
  );
});

test('an update builds for arm64 and pushes, a preview does neither', (t) => {
  t.like(image.inputs, { platforms: ['linux/arm64'], push: true, buildOnPreview: false });
});

test('the builder gets this repository, wherever a machine has it', (t) => {
  const { location } = z.object({ location: z.string() }).parse(image.inputs.context);
  t.false(path.isAbsolute(location));
  // the CLI and what builds work in the folder of `main`
  const { main } = z.object({ main: z.string() }).parse(parse(readFileSync('Pulumi.yaml', 'utf8')));
  t.is(path.resolve(ROOT, path.dirname(main), location), ROOT);
});

test('the image goes to the repository of the stack, which is there first', (t) => {
  const [repository] = ofType(graph, 'ecr/repository:Repository');
  t.is(repository?.outputs.repositoryUrl, REPOSITORY);
  t.true(image.options.dependsOn.includes(String(repository?.urn)));
  const component = graph.resources.find(({ urn }) => urn === image.parent);
  t.is(component?.type, 'toq-media:infra:ServiceImage', 'renamed or moved, it would be built anew');
});

test('the tag is a hash of what goes in', (t) => {
  t.deepEqual(image.inputs.tags, [`${REPOSITORY}:${contextHash(ROOT).slice(0, 16)}`]);
});

test('the login is a secret, and the image’s alone', (t) => {
  t.deepEqual(image.inputs.registries, [
    { address: REPOSITORY, username: 'AWS', password: REGISTRY_PASSWORD },
  ]);
  const holders = graph.resources.filter(({ inputs }) => JSON.stringify(inputs).includes(REGISTRY_PASSWORD));
  t.deepEqual(
    holders.map(({ name, secrets }) => ({ name, secrets })),
    [{ name: 'hosting-image', secrets: ['registries[0].password'] }],
  );
  t.false(JSON.stringify(graph.outputs).includes(REGISTRY_PASSWORD));
});

test('an image that the stack no longer names stays in the registry, for running tasks and a rollback', (t) => {
  t.true(image.options.retainOnDelete);
});

test('service and migrations run the built image, by digest, and the stack says which', (t) => {
  const built = `${REPOSITORY}@${image.outputs.digest}`;
  t.regex(built, /@sha256:[0-9a-f]{64}$/);
  t.is(graph.outputs.image, built);
  for (const name of ['hosting-service', 'hosting-service-migrations']) {
    const { containerDefinitions } = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', name);
    const [container] = z
      .array(z.object({ image: z.string() }))
      .parse(JSON.parse(String(containerDefinitions)));
    t.is(container?.image, built, name);
  }
});

test('without a build they run the configured digest', async (t) => {
  const { outputs } = await graphOf('staging');
  t.is(outputs.image, `${REPOSITORY}@sha256:${'0'.repeat(64)}`);
});

test('what the builder is given is what the Dockerfile copies', (t) => {
  const places = contextFiles(ROOT).map((file) => file.replace(/\/.*/, ''));
  t.deepEqual(
    [...new Set(places)],
    ['migrations', 'package-lock.json', 'package.json', 'service', 'statemachines'],
  );
});

/** A folder with a Dockerfile that copies `src`, and a file of it. */
function project() {
  const folder = mkdtempSync(path.join(tmpdir(), 'context-'));
  const write = (file: string, content: string) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), content, { mode: 0o644 });
  };
  write('.dockerignore', '*\n!src\n**/.*\n');
  write('Dockerfile', 'FROM scratch\nCOPY src src\n');
  write('src/api/main.ts', 'one');
  return { folder, write, at: (file: string) => path.join(folder, file) };
}
type Project = ReturnType<typeof project>;

const CHANGES: [string, (project: Project) => void, boolean][] = [
  ['another content', ({ write }) => write('src/api/main.ts', 'two'), true],
  ['one more file', ({ write }) => write('src/more.ts', ''), true],
  ['a new name', ({ at }) => renameSync(at('src/api/main.ts'), at('src/api/start.ts')), true],
  ['other permissions', ({ at }) => chmodSync(at('src/api/main.ts'), 0o755), true],
  ['another Dockerfile', ({ write }) => write('Dockerfile', 'FROM scratch\nCOPY src /\n'), true],
  ['the same content written again', ({ write }) => write('src/api/main.ts', 'one'), false],
  ['a file that is left out', ({ write }) => write('docs/deploy.md', ''), false],
  ['a hidden file', ({ write }) => write('src/api/.env', 'SECRET=1'), false],
  ['an empty folder', ({ at }) => mkdirSync(at('src/empty')), false],
];
for (const [what, change, matters] of CHANGES) {
  test(`${what} ${matters ? 'makes another' : 'leaves the'} hash`, (t) => {
    const folder = project();
    t.teardown(() => rmSync(folder.folder, { recursive: true }));
    const before = contextHash(folder.folder);
    change(folder);
    t.is(contextHash(folder.folder) !== before, matters);
  });
}

test('two clones have one hash', (t) => {
  const [one, two] = [project(), project()];
  t.teardown(() => [one, two].map(({ folder }) => rmSync(folder, { recursive: true })));
  t.is(contextHash(one.folder), contextHash(two.folder));
});
