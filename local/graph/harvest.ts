import * as pulumi from '@pulumi/pulumi';
import type {
  ReadResourceRequest,
  ReadResourceResponse,
  RegisterResourceOutputsRequest,
  RegisterResourceRequest,
  RegisterResourceResponse,
} from '@pulumi/pulumi/proto/resource_pb.js';

export type Properties = Record<string, unknown>;

/** One resource as the program asked for it. */
export interface Resource {
  urn: string;
  /** `aws:sqs/queue:Queue` */
  type: string;
  /** logical name */
  name: string;
  kind: 'custom' | 'component' | 'read' | 'stack';
  parent?: string;
  id?: string;
  inputs: Properties;
  /** inputs and what the provider would compute */
  outputs: Properties;
  /** paths of the inputs that are secrets; their values stand in `inputs` in clear: keep a graph in memory */
  secrets: string[];
  options: { protect: boolean; retainOnDelete: boolean; dependsOn: string[]; provider: string };
}

export interface Graph {
  project: string;
  stack: string;
  /** in the order of their URNs */
  resources: Resource[];
  outputs: Properties;
  /** what keeps the graph from being complete; empty for a sound program */
  problems: string[];
}

export interface ModelledResource {
  type: string;
  name: string;
  inputs: Properties;
  /** of an existing resource that the program only reads */
  id?: string | undefined;
}

/** What AWS would compute for a resource; undefined for a type that nobody has modelled. */
export type Model = (resource: ModelledResource) => { id: string; state: Properties } | undefined;

export interface HarvestOptions {
  project: string;
  stack: string;
  /** as the CLI hands it over: structured values as JSON text */
  config: Record<string, string>;
  secretKeys: string[];
  model: Model;
  program: () => Promise<unknown>;
  /** how long it may take, in milliseconds: a program that waits for something that never comes is given up */
  patience?: number;
}

const { specialArchiveSig, specialAssetSig, specialSecretSig, specialSigKey, unknownValue } = pulumi.runtime;

let last: Promise<unknown> = Promise.resolve();

/**
 * Evaluates a Pulumi program in this process against a mocked engine and returns every resource it asked for.
 * It is a preview, so a value that no model provides shows up as unknown, and is reported, instead of vanishing.
 * Pulumi's runtime is global to the process: harvests wait for each other.
 */
export function harvest(options: HarvestOptions): Promise<Graph> {
  const graph = last.then(() => harvestNow(options));
  last = graph.catch(() => undefined);
  return graph;
}

async function harvestNow({
  project,
  stack,
  config,
  secretKeys,
  model,
  program,
  patience = 30_000,
}: HarvestOptions): Promise<Graph> {
  const resources = new Map<string, Resource>();
  const problems: string[] = [];

  await pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs, custom, id }) {
        if (!custom) return { id: undefined, state: inputs };
        if (type.startsWith('pulumi:providers:')) return { id: `${name}-provider`, state: inputs };
        const modelled = model({ type, name, inputs: withoutSecrets(inputs), id: id || undefined });
        if (!modelled) problems.push(`${type} (${name}): nobody has modelled this type`);
        return { id: modelled?.id ?? name, state: { ...inputs, ...modelled?.state } };
      },
      call({ token }) {
        problems.push(`${token}: the program asks the cloud, which nobody has modelled`);
        throw new Error(problems.at(-1));
      },
    },
    project,
    stack,
    true,
  );
  pulumi.runtime.setAllConfig(config, secretKeys);
  record(resources, problems);

  const detached: unknown[] = [];
  const restore = hearRejections((reason) => detached.push(reason));
  try {
    await inTime(finish(program), patience);
    if (detached.length) throw new Error(`the program failed: ${messages(detached)}`);
  } catch (error) {
    // what is still pending fails now, rather than in the middle of the next harvest
    await Promise.race([pulumi.runtime.disconnect().catch(() => undefined), pause(200)]);
    await turn();
    if (!problems.length) throw error;
    throw new Error([...problems, messages([error])].join('\n'), { cause: error });
  } finally {
    restore();
  }

  const sorted = [...resources.values()].sort((a, b) => (a.urn < b.urn ? -1 : 1));
  const outputs = sorted.find((resource) => resource.kind === 'stack')?.outputs ?? {};
  return { project, stack, resources: sorted, outputs, problems };
}

async function finish(program: () => Promise<unknown>) {
  await pulumi.runtime.runInPulumiStack(program);
  await pulumi.runtime.disconnect();
  await turn();
}

/**
 * Pulumi lets errors inside `apply` reject promises that nobody holds. While a program runs, these are its own, and
 * nobody else's listener (which would end the process) hears of them. Returns how to undo that.
 */
function hearRejections(listener: (reason: unknown) => void) {
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', listener);
  return () => {
    process.off('unhandledRejection', listener);
    for (const other of others) process.on('unhandledRejection', other);
  };
}

/** Node reports the rejections of detached promises at the end of a turn of its event loop. */
const turn = () => new Promise(setImmediate);

async function inTime(work: Promise<void>, patience: number) {
  const late = new AbortController();
  const timeout = pause(patience, late.signal).then(() => {
    throw new Error(
      `the program did not end within ${patience / 1000} s: it waits for a value that never comes`,
    );
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    late.abort();
    timeout.catch(() => undefined);
  }
}

const pause = (milliseconds: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

const messages = (reasons: unknown[]) =>
  [...new Set(reasons.map((reason) => (reason instanceof Error ? reason.message : String(reason))))].join(
    '; ',
  );

type Answer<T> = (error: Error | null, response?: T) => void;

/** The part of the mocked engine that the program talks to. */
interface Monitor {
  registerResource(request: RegisterResourceRequest, answer: Answer<RegisterResourceResponse>): unknown;
  readResource(request: ReadResourceRequest, answer: Answer<ReadResourceResponse>): unknown;
  registerResourceOutputs(request: RegisterResourceOutputsRequest, answer: Answer<unknown>): unknown;
}

/** Listens to the raw requests: they know parents, options and secrets, which the mocks are not told. */
function record(resources: Map<string, Resource>, problems: string[]) {
  // under mocks the client is Pulumi's own MockMonitor, whose type is internal
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  const read = monitor.readResource.bind(monitor);
  const registerOutputs = monitor.registerResourceOutputs.bind(monitor);

  const keep = (resource: Omit<Resource, 'inputs' | 'secrets'>, rawInputs: Properties) => {
    const secrets: string[] = [];
    const unknowns: string[] = [];
    const inputs = Object.fromEntries(
      Object.entries(rawInputs).map(([key, value]) => [key, plain(value, key, secrets, unknowns)]),
    );
    const label = `${resource.type} (${resource.name})`;
    if (resources.has(resource.urn)) problems.push(`${label}: two resources have this name`);
    if (unknowns.length) problems.push(`${label}: no model provides ${unknowns.join(', ')}`);
    resources.set(resource.urn, { ...resource, inputs, secrets });
  };

  monitor.registerResource = (request, answer) =>
    register(request, (error, response) => {
      if (!error && response) {
        const type = request.getType();
        const label = `${type} (${request.getName()})`;
        if (request.getTransformsList().length) problems.push(`${label}: mocks apply no transforms`);
        if (request.getRemote()) problems.push(`${label}: a remote component hides its children`);
        keep(
          {
            urn: response.getUrn(),
            type,
            name: request.getName(),
            kind: type === 'pulumi:pulumi:Stack' ? 'stack' : request.getCustom() ? 'custom' : 'component',
            ...(request.getParent() && { parent: request.getParent() }),
            ...(response.getId() && { id: response.getId() }),
            outputs: visible(response.getObject()?.toJavaScript()),
            options: {
              protect: request.getProtect() ?? false,
              retainOnDelete: request.getRetainondelete() ?? false,
              dependsOn: request.getDependenciesList().sort(),
              provider: request.getProvider(),
            },
          },
          request.getObject()?.toJavaScript() ?? {},
        );
      }
      answer(error, response);
    });
  monitor.readResource = (request, answer) =>
    read(request, (error, response) => {
      if (!error && response) {
        keep(
          {
            urn: response.getUrn(),
            type: request.getType(),
            name: request.getName(),
            kind: 'read',
            ...(request.getParent() && { parent: request.getParent() }),
            id: request.getId(),
            outputs: visible(response.getProperties()?.toJavaScript()),
            options: {
              protect: false,
              retainOnDelete: false,
              dependsOn: [],
              provider: request.getProvider(),
            },
          },
          request.getProperties()?.toJavaScript() ?? {},
        );
      }
      answer(error, response);
    });
  monitor.registerResourceOutputs = (request, answer) => {
    const resource = resources.get(request.getUrn());
    if (resource) Object.assign(resource.outputs, visible(request.getOutputs()?.toJavaScript()));
    registerOutputs(request, answer);
  };
}

const isObject = (value: unknown): value is Properties => typeof value === 'object' && value !== null;

const visible = (properties: Properties = {}) =>
  Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, plain(value, key, [], [])]));

/** A serialised property as plain JSON. Notes where secrets and unknown values are; an archive becomes its path. */
function plain(value: unknown, path: string, secrets: string[], unknowns: string[]): unknown {
  if (typeof value === 'string' && value.includes(unknownValue)) {
    unknowns.push(path);
    return undefined;
  }
  if (!isObject(value)) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => plain(item, `${path}[${index}]`, secrets, unknowns));
  }
  const signature = value[specialSigKey];
  if (signature === specialSecretSig) {
    secrets.push(path);
    return plain(value.value, path, secrets, unknowns);
  }
  if (signature === specialArchiveSig || signature === specialAssetSig)
    return value.path ?? value.uri ?? value.text;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, plain(item, `${path}.${key}`, secrets, unknowns)]),
  );
}

function withoutSecrets(inputs: Properties): Properties {
  const open = (value: unknown): unknown =>
    isObject(value) && value[specialSigKey] === specialSecretSig ? value.value : value;
  return Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, open(value)]));
}
