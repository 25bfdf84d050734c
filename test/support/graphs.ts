import type { Graph, Properties, Resource } from '../../local/graph/graph.ts';
import { harvestStack } from '../../local/graph/program.ts';

export const STACKS = ['staging', 'production', 'local'] as const;

/** Stands where the CLI would decrypt the real one. */
export const CALLBACK_SECRET = 'a test value of more than thirty-two characters';

/** The stack as its own configuration file declares it. */
export const graphOf = (stack: string): Promise<Graph> =>
  harvestStack(stack, { callbackSecret: CALLBACK_SECRET });

/** Resources of a type such as `sqs/queue:Queue`. */
export const ofType = (graph: Graph, type: string): Resource[] =>
  graph.resources.filter((resource) => resource.type === `aws:${type}`);

/** The inputs of the one resource of a type, or of the one with this logical or physical name. */
export function inputsOf(graph: Graph, type: string, name?: string): Properties {
  const found = ofType(graph, type).filter(
    (resource) => name === undefined || resource.name === name || resource.inputs.name === name,
  );
  const [only, ...others] = found;
  if (!only || others.length) throw new Error(`${found.length} of aws:${type} ${name ?? ''}`);
  return only.inputs;
}
