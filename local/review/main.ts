import { globSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { harvestStack } from '../graph/program.ts';
import { differenceOf } from './difference.ts';
import { type Inventory, inventoryOf } from './inventory.ts';
import { permissionsPage } from './permissions.ts';
import { differenceTable, tableOf } from './table.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const USAGE = 'Usage: npm run -s stack -- STACK [--diff OTHER] [--json] | STACK --permissions';
/** The files have no secrets. This stands for the callback's, and is never shown. */
const PLACEHOLDER = 'stands where the CLI decrypts the real one';
const WIDTH = 120;

async function inventory(stack: string): Promise<Inventory> {
  const stacks = globSync('Pulumi.*.yaml', { cwd: ROOT }).map((file) => file.split('.')[1] ?? '');
  if (!stacks.includes(stack)) {
    throw new Error(
      `There is no stack ${stack}: Pulumi.${stack}.yaml is missing. Stacks: ${stacks.sort().join(', ')}.`,
    );
  }
  const graph = await harvestStack(stack, { callbackSecret: PLACEHOLDER });
  if (graph.problems.length) throw new Error(`Stack ${stack} is not complete:\n${graph.problems.join('\n')}`);
  return inventoryOf(graph);
}

/** What the arguments ask for: the inventory of a stack, or its difference to another; a table, or JSON; or who may do what. */
async function answer(): Promise<string> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      diff: { type: 'string' },
      json: { type: 'boolean', default: false },
      permissions: { type: 'boolean', default: false },
    },
  });
  const [stack, ...rest] = positionals;
  if (!stack || rest.length) throw new Error(USAGE);
  const width = Math.max(WIDTH, process.stdout.columns ?? WIDTH);
  const one = await inventory(stack);
  if (values.permissions) return permissionsPage(one);
  if (values.diff === undefined) return values.json ? JSON.stringify(one, null, 2) : tableOf(one, width);
  const difference = differenceOf(one, await inventory(values.diff));
  return values.json ? JSON.stringify(difference, null, 2) : differenceTable(difference, width);
}

try {
  console.log(await answer());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
