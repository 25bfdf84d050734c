import { readFileSync, writeFileSync } from 'node:fs';
import { rules } from './catalogue.ts';
import { notApplicable } from './not-applicable.ts';
import { EVERY_TYPE } from './rule.ts';
import { suppressions } from './suppressions.ts';

const PAGE = 'docs/security.md';

const code = (text: string) => `\`${text}\``;
/** `s3/bucket:Bucket` → `s3 Bucket` */
const kind = (type: string) => (type === EVERY_TYPE ? 'everything' : type.replace(/[/:].*:/, ' '));

/** Chapters of the page that are tables of data: title → head and rows. */
const TABLES: Record<string, string[][]> = {
  Rules: [
    ['id', 'also', 'meaning', 'of'],
    ...rules.map(({ id, also = [], meaning, of }) => [
      code(id),
      also.map(code).join(', '),
      meaning,
      of.map(kind).join(', '),
    ]),
  ],
  Suppressions: [
    ['rule', 'resource', 'reason'],
    ...suppressions.map(({ rule, stack, resource, fault, reason }) => [
      code(rule),
      `${stack ? `${stack}: ` : ''}${code(resource)}${fault ? `: ${code(fault)}` : ''}`,
      reason,
    ]),
  ],
  'Not applicable': [
    ['ids', 'reason'],
    ...notApplicable.map(({ ids, reason }) => [ids.map(code).join(', '), reason]),
  ],
};

const line = (cells: string[]) => `| ${cells.join(' | ')} |`;

/** The page with its tables as the data says. */
export function documented(page: string): string {
  return page
    .split(/^(?=## )/m)
    .map((chapter) => {
      const [head, ...rows] = TABLES[/^## (.*)$/m.exec(chapter)?.[1] ?? ''] ?? [];
      if (!head) return chapter;
      const table = [head, head.map(() => '---'), ...rows].map(line).join('\n');
      // not as a replacement text, in which `$` has a meaning
      return chapter.replace(/^\|[\s\S]*\|$/m, () => table);
    })
    .join('');
}

if (import.meta.main) writeFileSync(PAGE, documented(readFileSync(PAGE, 'utf8')));
