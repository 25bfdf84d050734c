import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { inventoryOf } from '../../local/review/inventory.ts';
import { permissionsPage } from '../../local/review/permissions.ts';
import { graphOf } from '../support/graphs.ts';

const PAGE = path.join(import.meta.dirname, '..', '..', 'docs/permissions.md');

test('docs/permissions.md shows every permission as it is declared', async (t) => {
  const page = permissionsPage(inventoryOf(await graphOf('production')));
  t.is(
    readFileSync(PAGE, 'utf8').trimEnd(),
    page,
    'If the change is meant: npm run -s stack -- production --permissions > docs/permissions.md',
  );
});
