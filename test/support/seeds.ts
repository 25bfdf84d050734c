import type { TestFn } from 'ava';
import { at, list, statements } from '../../infra/rules/rule.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, inputsOf, ofType } from './graphs.ts';

/** The account that seed 002 hands over. */
export const ACCOUNT = '058264253741';
export const arnOf = (service: string, resource: string) =>
  `arn:aws:${service}:us-east-1:${ACCOUNT}:${resource}`;

/** What the seeds speak of, as the program declares it for staging. */
const stagingOf = (graph: Graph) => {
  const inputs = (type: string, name?: string) => inputsOf(graph, type, name);
  const policy = (part: string) =>
    statements(inputs('iam/rolePolicy:RolePolicy', `toq-media-processing-${part}-staging`).policy);
  const machine = (part: string) =>
    inputs('sfn/stateMachine:StateMachine', `listing-media-${part}-sm-staging`);
  return {
    graph,
    inputs,
    policy,

    /** Part of the media bucket: `bucketVersioning:BucketVersioning`. */
    bucket: (type: string) => inputs(`s3/${type}`, 'storage-media'),
    key: () => ofType(graph, 'kms/key:Key')[0],
    queue: () => inputs('sqs/queue:Queue', 'listing-media-processing-staging'),
    deadLetters: () => inputs('sqs/queue:Queue', 'listing-media-processing-dlq-staging'),
    lambda: (task: string) => inputs('lambda/function:Function', `listing-media-${task}-staging`),
    machine,

    /** States of a machine, by name. */
    states: (part: string): Record<string, unknown> => JSON.parse(String(machine(part).definition)).States,

    /** The services that may assume a role. */
    trusted(part: string) {
      const { assumeRolePolicy } = inputs('iam/role:Role', `toq-media-processing-${part}-staging`);
      return statements(assumeRolePolicy).flatMap(({ Principal }) => list(at(Principal, 'Service')));
    },

    /** Those of the actions that a role's policy allows on something. */
    granted(part: string, actions: string[]) {
      const allowed = policy(part)
        .filter(({ Effect }) => Effect === 'Allow')
        .flatMap(({ Action }) => list(Action));
      return actions.filter((action) => allowed.includes(action));
    },

    /** Value of a variable of the service's container. */
    variable(name: string) {
      const { containerDefinitions } = inputs('ecs/taskDefinition:TaskDefinition', 'hosting-service');
      const [container] = JSON.parse(String(containerDefinitions));
      return at(
        list(container.environment).find((variable) => at(variable, 'name') === name),
        'value',
      );
    },

    /** Physical names of all resources of a type. */
    names: (type: string) => ofType(graph, type).map((resource) => resource.inputs.name),
  };
};
type Staging = ReturnType<typeof stagingOf>;

/** What a seed says, how the graph has it, and what that should be. */
type Sentence = [said: string, is: (staging: Staging) => unknown, should: unknown];

/** The sentence that a role may do something. */
export const grants = (said: string, role: string, ...actions: string[]): Sentence => [
  said,
  ({ granted }) => granted(role, actions),
  actions,
];

/** The function that a state calls. */
export const calledBy = (state: unknown) => String(at(state, 'Parameters.FunctionName')).split(':').at(-1);

/** A test for each sentence of a seed, section by section. */
export function testSentences(test: TestFn, seed: string, sections: Record<string, Sentence[]>): void {
  for (const [section, sentences] of Object.entries(sections)) {
    for (const [said, is, should] of sentences) {
      test(`seed ${seed} §${section}: ${said}`, async (t) => {
        t.deepEqual(is(stagingOf(await graphOf('staging'))), should);
      });
    }
  }
}
