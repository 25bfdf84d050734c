import { z } from 'zod';
import type { Graph, Resource } from './graph.ts';
import type { PolicyDocument } from './manifest.ts';

/** A schema for JSON text. */
export const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);

export const Policy = json(z.object({ Version: z.string().optional(), Statement: z.unknown() }));
export const Named = z.object({ name: z.string(), arn: z.string() });
const WithPolicy = z.object({ policy: Policy });

type Declared<T extends z.ZodType> = z.output<T> & { resource: Resource };

/** Typed reading of a harvested graph. */
export interface Declarations {
  /** Every resource of a type (and `where`), as the schema sees what it asked for and what AWS would compute. */
  of<T extends z.ZodObject>(type: string, schema: T, where?: (resource: Resource) => boolean): Declared<T>[];
  /** The satellite that points at `owner` by its property `key`: a bucket's policy, a rule's target. */
  satellite<T extends z.ZodObject>(
    type: string,
    schema: T,
    key: string,
    owner: Resource,
  ): Declared<T> | undefined;
  /** The policy that another resource attaches to `owner`. */
  policyOf(type: string, key: string, owner: Resource): { policy?: PolicyDocument };
}

export function declarations(graph: Graph): Declarations {
  const of = <T extends z.ZodObject>(
    type: string,
    schema: T,
    where: (resource: Resource) => boolean = () => true,
  ): Declared<T>[] =>
    graph.resources
      .filter((resource) => resource.type === type && where(resource))
      .map((resource) => ({ ...parsed(schema, resource), resource }));
  const satellite = <T extends z.ZodObject>(type: string, schema: T, key: string, owner: Resource) =>
    of(type, schema).find(({ resource }) => resource.inputs[key] === owner.id);
  return {
    of,
    satellite,
    policyOf(type, key, owner) {
      const found = satellite(type, WithPolicy, key, owner);
      return found ? { policy: found.policy } : {};
    },
  };
}

/** The only element. Throws when there is none, or another. */
export function only<T>(what: string, found: T[]): T {
  const [first, ...others] = found;
  if (first === undefined || others.length) {
    throw new Error(`The program must declare one ${what}, and declares ${found.length}.`);
  }
  return first;
}

function parsed<T extends z.ZodType>(schema: T, resource: Resource): z.output<T> {
  const result = schema.safeParse(resource.outputs);
  if (result.success) return result.data;
  throw new Error(`${resource.type} (${resource.name}):\n${z.prettifyError(result.error)}`);
}
