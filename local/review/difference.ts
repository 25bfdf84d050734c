import type { Inventory, Item } from './inventory.ts';
import type { Settings } from './settings.ts';

export interface Difference {
  from: string;
  to: string;
  /** declared only in `to` */
  added: Item[];
  /** declared only in `from` */
  removed: Item[];
  changed: { item: Item; settings: SettingChange[] }[];
}

export interface SettingChange {
  path: string;
  /** undefined: not set */
  before?: string | undefined;
  after?: string | undefined;
}

/**
 * How two environments differ beyond their names: environment and account are read as `{environment}` and `{account}`,
 * and a resource's name, where another one mentions it, as its logical name.
 */
export function differenceOf(from: Inventory, to: Inventory): Difference {
  const before = normalised(from);
  const after = normalised(to);
  const added = after.filter((item) => !before.some(same(item)));
  const removed = before.filter((item) => !after.some(same(item)));
  const changed = before.flatMap((item) => {
    const other = after.find(same(item));
    const settings = other ? changesOf(item.settings, other.settings) : [];
    return settings.length ? [{ item, settings }] : [];
  });
  return { from: from.stack, to: to.stack, added, removed, changed };
}

const same = (item: Item) => (other: Item) => item.type === other.type && item.name === other.name;

function changesOf(before: Settings, after: Settings): SettingChange[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths
    .map((path) => ({ path, before: before[path], after: after[path] }))
    .filter((change) => change.before !== change.after);
}

function normalised({ stack, accountId, items }: Inventory): Item[] {
  // the longest first: a name may begin with another
  const names = items
    .filter(({ physicalName }) => physicalName.length > 7)
    .sort((a, b) => b.physicalName.length - a.physicalName.length);
  const environment = new RegExp(`\\b${stack}\\b`, 'g');
  const general = (text: string) =>
    text.replaceAll(accountId, '{account}').replace(environment, '{environment}');
  const mention = (text: string) =>
    general(
      names.reduce((value, { physicalName, name }) => value.replaceAll(physicalName, `{${name}}`), text),
    );
  return items.map((item) => ({
    ...item,
    physicalName: general(item.physicalName),
    settings: {
      ...(item.physicalName && { name: general(item.physicalName) }),
      ...Object.fromEntries(Object.entries(item.settings).map(([path, value]) => [path, mention(value)])),
    },
  }));
}
