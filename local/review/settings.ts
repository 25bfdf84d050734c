import type { Resource } from '../graph/graph.ts';
import { isObject } from '../graph/recorder.ts';

/** Path of a setting → its value as text: `versioningConfiguration.status` → `Enabled`. */
export type Settings = Record<string, string>;

export const SECRET = '(secret)';
/** Every policy is written in this version of the language; it says nothing. */
const POLICY_VERSION = '2012-10-17';

/**
 * What the program asks for, one line a setting: nested values by their paths, JSON text taken apart, lists of named
 * things by their names. Values of secrets are not in it.
 */
export function settingsOf({ inputs, secrets, options }: Resource): Settings {
  const settings: Settings = {};
  const visit = (value: unknown, path: string) => {
    if (value === undefined || value === null) return;
    if (secrets.some((secret) => path === secret || path.startsWith(`${secret}.`))) {
      settings[path] = SECRET;
      return;
    }
    const opened = typeof value === 'string' ? fromJson(value) : value;
    if (Array.isArray(opened) && opened.every((item) => !isObject(item))) {
      settings[path] = opened.join(', ');
    } else if (Array.isArray(opened)) {
      for (const [index, item] of opened.entries()) visitItem(item, index, path);
    } else if (isObject(opened)) {
      for (const [key, item] of Object.entries(opened)) visit(item, path ? `${path}.${key}` : key);
    } else if (opened !== POLICY_VERSION) settings[path] = String(value);
  };
  const visitItem = (item: unknown, index: number, path: string) => {
    const name = isObject(item) ? (item.name ?? item.id ?? item.Sid ?? item.sid) : undefined;
    if (typeof name === 'string' && isObject(item) && 'value' in item) visit(item.value, `${path}.${name}`);
    else if (typeof name === 'string' && isObject(item) && 'valueFrom' in item) {
      visit(item.valueFrom, `${path}.${name}`);
    } else if (isStatement(item)) settings[`${path}.${name ?? index + 1}`] = sentenceOf(item);
    else visit(item, `${path}[${index}]`);
  };
  visit(inputs, '');
  if (options.protect) settings.protect = 'true';
  if (options.retainOnDelete) settings.retainOnDelete = 'true';
  return settings;
}

interface Statement {
  Effect: string;
  Action: unknown;
  Principal?: unknown;
  Resource?: unknown;
  Condition?: unknown;
}

const isStatement = (value: unknown): value is Statement =>
  isObject(value) && typeof value.Effect === 'string' && 'Action' in value;

/** `Allow s3:GetObject, s3:PutObject on arn:… if StringEquals kms:ViaService s3.us-east-1.amazonaws.com` */
function sentenceOf({ Effect, Action, Principal, Resource, Condition }: Statement): string {
  const principal = isObject(Principal) ? Object.values(Principal).flat() : Principal;
  const conditions = Object.entries(isObject(Condition) ? Condition : {}).flatMap(([operator, keys]) =>
    Object.entries(isObject(keys) ? keys : {}).map(([key, value]) => `${operator} ${key} ${listed(value)}`),
  );
  return [
    `${Effect} ${listed(Action)}`,
    ...(principal === undefined ? [] : [`to ${listed(principal)}`]),
    ...(Resource === undefined ? [] : [`on ${listed(Resource)}`]),
    ...(conditions.length ? [`if ${conditions.join(' and ')}`] : []),
  ].join(' ');
}

const listed = (value: unknown) => [value].flat().map(String).join(', ');

function fromJson(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
