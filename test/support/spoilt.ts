import type { Declared } from '../../infra/rules/rule.ts';

/** One way to declare a stack badly. */
export type Spoil = (resources: Declared[]) => Declared[];

const typed = (type: string) => (resource: Declared) =>
  [type, `aws:${type}`].includes(resource.type) && resource.kind !== 'read';

/** A stack without any resource of a type. */
export const without =
  (type: string): Spoil =>
  (resources) =>
    resources.filter((resource) => !typed(type)(resource));

/** A stack whose resources of a type were asked for otherwise; undefined values are left out. */
export const changed =
  (type: string, changes: Record<string, unknown>): Spoil =>
  (resources) =>
    resources.map((resource) =>
      typed(type)(resource) ? { ...resource, inputs: { ...resource.inputs, ...changes } } : resource,
    );

/** A stack in which the JSON text of some property reads otherwise. */
export const rewritten =
  (type: string, property: string, from: string | RegExp, to: string): Spoil =>
  (resources) =>
    resources.map((resource) => {
      const text = resource.inputs[property];
      if (!typed(type)(resource) || typeof text !== 'string') return resource;
      return { ...resource, inputs: { ...resource.inputs, [property]: text.replace(from, to) } };
    });

/** A stack whose resources of a type stand under other options. */
export const opted =
  (type: string, options: Partial<Declared['options']>): Spoil =>
  (resources) =>
    resources.map((resource) =>
      typed(type)(resource) ? { ...resource, options: { ...resource.options, ...options } } : resource,
    );

/** A stack whose resources of a type go by other logical names, which no exception mentions. */
export const renamed =
  (type: string): Spoil =>
  (resources) =>
    resources.map((resource) =>
      typed(type)(resource) ? { ...resource, name: `other-${resource.name}` } : resource,
    );

/** A stack with two mistakes. */
export const both =
  (one: Spoil, other: Spoil): Spoil =>
  (resources) =>
    other(one(resources));

/** A stack with one resource more, about the first one of `owner`. */
export const added =
  (type: string, owner: string, inputs: (owner: Declared) => Record<string, unknown>): Spoil =>
  (resources) => {
    const first = resources.find(typed(owner));
    if (!first) return resources;
    const extra = { ...first, type: `aws:${type}`, name: 'extra', urn: `${first.urn}-extra` };
    return [...resources, { ...extra, inputs: inputs(first), outputs: inputs(first) }];
  };
