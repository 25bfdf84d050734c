import * as pulumi from '@pulumi/pulumi';
import type { Graph, Properties, Resource } from './graph.ts';
import { isObject, record, references } from './recorder.ts';

export interface ModelledResource {
  type: string;
  name: string;
  inputs: Properties;
  /** of an existing resource that the program only reads */
  id?: string | undefined;
}

/** What the provider computes for a resource. */
export interface Modelled {
  /** empty for a component */
  id: string;
  state?: Properties;
  /** of a component of another provider (awsx): its output → resources that the component makes and refers to there */
  children?: Record<string, { type: string; name: string; id: string }[]>;
}

/** What AWS would compute for a resource; undefined for a type that nobody has modelled. */
export type Model = (resource: ModelledResource) => Modelled | undefined;

export interface Question {
  /** `aws:ecr/getImage:getImage` */
  token: string;
  inputs: Properties;
  /** the declared provider that it goes through; empty for the default one */
  provider: string;
}

/** What AWS would answer to a question; undefined for one that nobody has modelled. */
export type Call = (question: Question) => Properties | undefined;

export interface HarvestOptions {
  project: string;
  stack: string;
  /** as the CLI hands it over: structured values as JSON text */
  config: Record<string, string>;
  secretKeys: string[];
  model: Model;
  call: Call;
  program: () => Promise<unknown>;
  /** how long it may take, in milliseconds: a program that waits for something that never comes is given up */
  patience?: number;
}

const { specialSecretSig, specialSigKey } = pulumi.runtime;

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
  call,
  program,
  patience = 30_000,
}: HarvestOptions): Promise<Graph> {
  const resources = new Map<string, Resource>();
  const problems: string[] = [];

  await pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs, custom, id }) {
        if (!custom) {
          const modelled = model({ type, name, inputs: withoutSecrets(inputs) });
          const referred = references(type, modelled?.children ?? {});
          return { id: undefined, state: { ...inputs, ...modelled?.state, ...referred } };
        }
        if (type.startsWith('pulumi:providers:')) return { id: `${name}-provider`, state: inputs };
        const modelled = model({ type, name, inputs: withoutSecrets(inputs), id: id || undefined });
        if (!modelled) problems.push(`${type} (${name}): nobody has modelled this type`);
        return { id: modelled?.id ?? name, state: { ...inputs, ...modelled?.state } };
      },
      call({ token, inputs, provider = '' }) {
        const answer = call({ token, inputs, provider });
        if (answer) return answer;
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

function withoutSecrets(inputs: Properties): Properties {
  const open = (value: unknown): unknown =>
    isObject(value) && value[specialSigKey] === specialSecretSig ? value.value : value;
  return Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, open(value)]));
}
