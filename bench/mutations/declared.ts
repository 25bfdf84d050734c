/** Prints one line a stack: the hash of everything that the Pulumi program declares for it. */
import { createHash } from 'node:crypto';
import { graphOf, graphWithDatabase, STACKS } from '../../test/support/graphs.ts';

for (const graph of [...(await Promise.all(STACKS.map(graphOf))), await graphWithDatabase()]) {
  console.log(graph.stack, createHash('sha256').update(JSON.stringify(graph)).digest('hex'));
}
