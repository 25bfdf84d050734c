import type { Graph, Resource } from '../graph/graph.ts';
import { type Settings, settingsOf } from './settings.ts';

/** One declared resource, as a reviewer sees it. */
export interface Item {
  /** logical name of the outermost component it is part of; empty for the stack's own */
  component: string;
  /** `s3.Bucket` */
  type: string;
  /** logical name, the same in every environment */
  name: string;
  /** name at AWS, where the program gives one */
  physicalName: string;
  settings: Settings;
}

export interface Inventory {
  stack: string;
  region: string;
  accountId: string;
  items: Item[];
}

/** Where a type of resource has its name. */
const NAMES = ['name', 'family', 'policyName', 'dashboardName'];
const OWN_NAMES: Record<string, string> = { 's3.Bucket': 'bucket', 'apigatewayv2.DomainName': 'domainName' };
/** Ids that AWS makes up: of EC2 (`sg-0123…`), of APIs, of keys. */
const GIVEN_BY_AWS = /^([a-z]+-[0-9a-f]{8,17}|[0-9a-f]{6,10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/**
 * Everything that a stack declares, in the order of its components. Ids that only AWS knows are written as the logical
 * name of their resource, in braces; ARNs within the account lose account and region: `sqs:listing-…`.
 */
export function inventoryOf(graph: Graph): Inventory {
  const byUrn = new Map(graph.resources.map((resource) => [resource.urn, resource]));
  const componentOf = (resource: Resource): string => {
    const parent = byUrn.get(resource.parent ?? '');
    if (!parent || parent.kind === 'stack') return resource.kind === 'component' ? resource.name : '';
    return componentOf(parent);
  };
  const provider = graph.resources.find(({ type }) => type === 'pulumi:providers:aws');
  const region = String(provider?.inputs.region ?? '');
  const accountId = /\d{12}/.exec(String(provider?.inputs.allowedAccountIds))?.[0] ?? '';
  const unknown = graph.resources.flatMap(({ id, outputs, name }) =>
    [id, outputs.keyId]
      .filter((value) => typeof value === 'string' && GIVEN_BY_AWS.test(value))
      .map((value) => [String(value), `{${name}}`] as const),
  );
  const readable = (value: string) =>
    unknown
      .reduce((text, [id, name]) => text.replaceAll(id, name), value)
      // of children that a component keeps to itself
      .replace(/\b(subnet|rtb|vpc|sg)-[0-9a-f]{17}\b/g, '{$1}')
      .replace(/(:secret:[^\s,:]+)-[0-9a-f]{6}\b/g, '$1')
      .replace(/((?:app|net|targetgroup)\/[^\s,:/]+)(?:\/[0-9a-f]{16}\b)+/g, '$1')
      .replace(new RegExp(`arn:aws:([a-z0-9-]+):(?:${region})?:(?:${accountId})?:+`, 'g'), '$1:');

  const items = graph.resources
    .filter(({ kind }) => kind === 'custom' || kind === 'read')
    .map((resource) => {
      const type = typeOf(resource.type);
      const key =
        OWN_NAMES[type] ?? NAMES.find((candidate) => typeof resource.inputs[candidate] === 'string') ?? '';
      const { [key]: physicalName = '', ...settings } = settingsOf(resource);
      return {
        component: componentOf(resource),
        type,
        name: resource.name,
        physicalName: readable(physicalName),
        settings: Object.fromEntries(
          Object.entries(settings).map(([path, value]) => [path, readable(value)]),
        ),
      };
    });
  const order = ({ component, type, name }: Item) => `${component}\n${type}\n${name}`;
  return {
    stack: graph.stack,
    region,
    accountId,
    items: items.sort((a, b) => (order(a) < order(b) ? -1 : 1)),
  };
}

/** `aws:s3/bucket:Bucket` → `s3.Bucket`, `pulumi:providers:aws` → `providers.aws` */
const typeOf = (type: string) => type.replace(/^[a-z]+:([a-z0-9]+)[^:]*:/, '$1.');
