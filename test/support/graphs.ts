import type { Graph, Properties, Resource } from '../../local/graph/graph.ts';
import { type ConfigOverrides, harvestStack } from '../../local/graph/program.ts';

export const STACKS = ['staging', 'production', 'local'] as const;

/** Stands where the CLI would decrypt the real one. */
export const CALLBACK_SECRET = 'a test value of more than thirty-two characters';

const declared = new Map<string, Promise<Graph>>();

/** Evaluates once a process: what comes of it is not to be changed. */
function once(stack: string, config: ConfigOverrides = {}): Promise<Graph> {
  const key = JSON.stringify([stack, config]);
  const graph = declared.get(key) ?? harvestStack(stack, { callbackSecret: CALLBACK_SECRET, config });
  declared.set(key, graph);
  return graph;
}

/** The stack as its own configuration file declares it. */
export const graphOf = (stack: string) => once(stack);

/** Production in an account that has no database: the stack provides one. */
export function graphWithDatabase(): Promise<Graph> {
  const instance = {
    class: 'db.t4g.medium',
    storageGiB: 50,
    maxStorageGiB: 200,
    multiZone: true,
    backupDays: 14,
  };
  const database = { host: null, credentialsSecretArn: null, cidrBlock: null, instance };
  return once('production', { database });
}

/** Staging whose stack builds the service's image. */
export const graphThatBuilds = () => once('staging', { service: { image: 'build' } });

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

/** The account that a stack belongs to. */
export const accountOf = (graph: Graph) => String(graph.outputs.queueArn).split(':')[4];
