import type { Difference } from './difference.ts';
import type { Inventory, Item } from './inventory.ts';

const TYPE_WIDTH = 26;
const NAME_WIDTH = 36;
const GAP = '  ';
/** A text that runs longer says too little on a page: a machine's definition has its own file. */
const LONGEST_LIST = 40;

/** The inventory for people: a table a component, every cell wrapped to fit into `width` columns. */
export function tableOf({ stack, region, accountId, items }: Inventory, width: number): string {
  const groups = Map.groupBy(items, ({ component }) => component || 'stack');
  return [
    `Stack ${stack}: ${items.length} resources, account ${accountId}, region ${region}`,
    row(['Type', 'Name', 'Settings'], width),
    ...[...groups].flatMap(([component, members]) => [
      '',
      component,
      '─'.repeat(width),
      ...rows(members, width),
    ]),
  ].join('\n');
}

const rows = (items: Item[], width: number) =>
  items.map((item) => row([item.type, item.physicalName || item.name, settings(item)], width));

/** One setting a line; of a long document only its parts, with how much is in them. */
function settings({ settings }: Item): string {
  const byDocument = Map.groupBy(Object.entries(settings), ([path]) => path.split(/[.[]/)[0] ?? '');
  return [...byDocument]
    .flatMap(([document, entries]) =>
      entries.length > LONGEST_LIST
        ? [`${document}: ${entries.length} values`]
        : entries.map(([path, value]) => `${path}: ${value}`),
    )
    .join('\n');
}

/** The difference for people. */
export function differenceTable({ from, to, added, removed, changed }: Difference, width: number): string {
  const list = (title: string, items: Item[]) =>
    items.length ? ['', `${title} (${items.length})`, '─'.repeat(width), ...rows(items, width)] : [];
  return [
    `${from} → ${to}: ${added.length} resources more, ${removed.length} fewer, ${changed.length} changed`,
    ...list(`Only in ${from}`, removed),
    ...list(`Only in ${to}`, added),
    ...(changed.length ? ['', `Changed (${changed.length})`, '─'.repeat(width)] : []),
    ...changed.map(({ item, settings: changes }) => {
      const lines = changes.map(
        ({ path, before = '(not set)', after = '(not set)' }) => `${path}: ${before} → ${after}`,
      );
      return row([item.type, item.name, lines.join('\n')], width);
    }),
  ].join('\n');
}

function row([type = '', name = '', text = '']: string[], width: number): string {
  const columns = [
    { text: type, width: TYPE_WIDTH },
    { text: name, width: NAME_WIDTH },
    { text, width: width - TYPE_WIDTH - NAME_WIDTH - 2 * GAP.length },
  ];
  const cells = columns.map((column) =>
    column.text.split('\n').flatMap((line) => wrapped(line, column.width)),
  );
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, column) => (cell[line] ?? '').padEnd(columns[column]?.width ?? 0))
      .join(GAP)
      .trimEnd(),
  ).join('\n');
}

/** Breaks at a space, else where a part of a name ends, else inside the word; later lines are indented. */
function wrapped(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const head = text.slice(0, width);
  const cut = [/\S+$/, /[^\s/:.,-]+$/, /[A-Z][a-z]*$/]
    .map((remainder) => head.search(remainder))
    .find((at) => at > width / 2);
  return [
    text.slice(0, cut ?? width).trimEnd(),
    ...wrapped(`  ${text.slice(cut ?? width).trimStart()}`, width),
  ];
}
