import * as pulumi from '@pulumi/pulumi';
import type {
  ReadResourceRequest,
  ReadResourceResponse,
  RegisterResourceOutputsRequest,
  RegisterResourceRequest,
  RegisterResourceResponse,
} from '@pulumi/pulumi/proto/resource_pb.js';
import type { Properties, Resource } from './graph.ts';

const {
  specialArchiveSig,
  specialAssetSig,
  specialResourceSig,
  specialSecretSig,
  specialSigKey,
  unknownValue,
} = pulumi.runtime;

type Answer<T> = (error: Error | null, response?: T) => void;

/** The part of the mocked engine that the program talks to. */
interface Monitor {
  /** what `getResource` answers from, by URN */
  resources: Map<string, { urn: string; id: string; state: Properties }>;
  registerResource(request: RegisterResourceRequest, answer: Answer<RegisterResourceResponse>): unknown;
  readResource(request: ReadResourceRequest, answer: Answer<ReadResourceResponse>): unknown;
  registerResourceOutputs(request: RegisterResourceOutputsRequest, answer: Answer<unknown>): unknown;
}

/** Listens to the raw requests: they know parents, options and secrets, which the mocks are not told. */
export function record(resources: Map<string, Resource>, problems: string[]) {
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
        const answered = Object.keys(response.getObject()?.toJavaScript() ?? {});
        const asked = new Set(Object.keys(request.getObject()?.toJavaScript() ?? {}));
        if (request.getRemote() && answered.every((key) => asked.has(key))) {
          problems.push(`${label}: nobody has modelled this component of another provider`);
        }
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
              ignoreChanges: request.getIgnorechangesList(),
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
              ignoreChanges: [],
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

/** Outputs of a component of another provider that refer to resources it makes, as the engine passes them on. */
export function references(
  component: string,
  children: Record<string, { type: string; name: string; id: string }[]>,
): Properties {
  // under mocks the client is Pulumi's own MockMonitor, whose type is internal
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const refer = ({ type, name, id }: { type: string; name: string; id: string }) => {
    const urn = `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}::${component}$${type}::${name}`;
    monitor.resources.set(urn, { urn, id, state: {} });
    return reference(urn, id);
  };
  return Object.fromEntries(
    Object.entries(children).map(([output, resources]) => [output, resources.map(refer)]),
  );
}

/** A resource as a value: whoever reads it asks the engine for the rest. */
export const reference = (urn: string, id: string) => ({ [specialSigKey]: specialResourceSig, urn, id });

export const isObject = (value: unknown): value is Properties => typeof value === 'object' && value !== null;

const visible = (properties: Properties = {}) =>
  Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, plain(value, key, [], [])]));

/** A serialised property as plain JSON. Notes where secrets and unknown values are; an archive becomes its path. */
export function plain(value: unknown, path: string, secrets: string[], unknowns: string[]): unknown {
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
  if (signature === specialResourceSig) return value.urn;
  if (signature === specialArchiveSig || signature === specialAssetSig)
    return value.path ?? value.uri ?? value.text;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, plain(item, `${path}.${key}`, secrets, unknowns)]),
  );
}
