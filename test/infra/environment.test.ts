import test from 'ava';
import { z } from 'zod';
import { environments, type Task } from '../../lambdas/config.ts';
import { ServiceConfig } from '../../service/config.ts';
import { graphOf, ofType, STACKS } from '../support/graphs.ts';
import { propertiesRead } from '../support/reads.ts';

/** Variables that something else than our code reads. */
const READ_ELSEWHERE: Record<string, string> = {
  MALLOC_ARENA_MAX: 'glibc, when the process starts',
};

const byService = propertiesRead('service/main.ts', ['service/config.ts']);
const tasks = Object.keys(environments) as Task[];
const byTask = new Map(
  tasks.map((task) => [task, propertiesRead(`lambdas/${task}.ts`, ['lambdas/config.ts'])]),
);
/** The contract (seed 001 §1.5) gives every function the same few variables, whichever of them it needs. */
const common = tasks
  .map((task) => new Set(Object.keys(environments[task].shape)))
  .reduce((shared, own) => shared.intersection(own));
const readBy = (task: Task, name: string) =>
  name in READ_ELSEWHERE ||
  (common.has(name) ? tasks : [task]).some((reader) => byTask.get(reader)?.has(name));

test('the search sees what is read, and not what is only named', (t) => {
  t.true(byService.has('SHUTDOWN_GRACE_SECONDS'));
  t.true(byTask.get('start')?.has('PROCESSING_STATE_MACHINE_ARN'));
  t.false(byTask.get('zip')?.has('PROCESSING_STATE_MACHINE_ARN'));
  t.false(byTask.get('consolidate')?.has('MEDIA_BUCKET'));
  t.false(byService.has('MALLOC_ARENA_MAX'));
  const blind = propertiesRead('service/config.ts', ['service/config.ts']);
  t.is(blind.size, 0);
});

test('the service reads every variable of its schema', (t) => {
  t.deepEqual(
    Object.keys(ServiceConfig.shape).filter((name) => !byService.has(name)),
    [],
  );
});

test('every function reads every variable of its schema, the common ones at least one of them', (t) => {
  const unread = tasks.flatMap((task) =>
    Object.keys(environments[task].shape)
      .filter((name) => !readBy(task, name))
      .map((name) => `${task}: ${name}`),
  );
  t.deepEqual(unread, []);
});

const Variables = z.array(z.object({ name: z.string() }));
const Containers = z.array(z.object({ name: z.string(), environment: Variables, secrets: Variables }));

for (const stack of STACKS) {
  test(`${stack}: the program sets no variable that nobody reads`, async (t) => {
    const graph = await graphOf(stack);
    const functions = ofType(graph, 'lambda/function:Function');
    t.is(functions.length, tasks.length);
    for (const { inputs } of functions) {
      const task = tasks.find((one) => inputs.name === `listing-media-${one}-${stack}`);
      if (!task) return t.fail(String(inputs.name));
      const { variables } = z
        .object({ variables: z.record(z.string(), z.string()) })
        .parse(inputs.environment);
      t.deepEqual(
        Object.keys(variables).filter((name) => !readBy(task, name)),
        [],
        task,
      );
    }
    const definitions = ofType(graph, 'ecs/taskDefinition:TaskDefinition');
    t.true(definitions.length > 0);
    for (const { inputs } of definitions) {
      for (const container of Containers.parse(JSON.parse(String(inputs.containerDefinitions)))) {
        const names = [...container.environment, ...container.secrets].map(({ name }) => name);
        t.true(names.length > 3, container.name);
        t.deepEqual(
          names.filter((name) => !byService.has(name) || !(name in ServiceConfig.shape)),
          [],
          container.name,
        );
        t.is(new Set(names).size, names.length, container.name);
      }
    }
  });
}

/** Optional variables that staging, which documents every setting, leaves to the code's own default. */
const LEFT_TO_DEFAULT = [
  'HOST',
  'DATABASE_TLS_CA', // of a private authority, which staging's database does not have
  'SHUTDOWN_GRACE_SECONDS',
  ...tasks.map((task) => `${task}: LOG_LEVEL`),
].sort();

test('staging sets every variable that there is, but those that are left to their defaults', async (t) => {
  const graph = await graphOf('staging');
  const unset = ofType(graph, 'lambda/function:Function').flatMap(({ inputs }) => {
    const task = tasks.find((name) => String(inputs.name) === `listing-media-${name}-staging`);
    const { variables } = z.object({ variables: z.record(z.string(), z.string()) }).parse(inputs.environment);
    const names = Object.keys(task ? environments[task].shape : {});
    return names.filter((name) => !(name in variables)).map((name) => `${task}: ${name}`);
  });
  const service = ofType(graph, 'ecs/taskDefinition:TaskDefinition')
    .flatMap(({ inputs }) => Containers.parse(JSON.parse(String(inputs.containerDefinitions))))
    .flatMap(({ environment, secrets }) => [...environment, ...secrets].map(({ name }) => name));
  const missing = Object.keys(ServiceConfig.shape).filter((name) => !service.includes(name));
  t.deepEqual([...unset, ...missing].sort(), LEFT_TO_DEFAULT);
});
