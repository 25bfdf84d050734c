/** Prints one line a stack: the hash of everything that the Pulumi program declares for it. */
import { createHash } from 'node:crypto';
import { graphOf, graphThatBuilds, graphWithDatabase, STACKS } from '../../test/support/graphs.ts';

const variants = [graphWithDatabase, graphThatBuilds].map((declare) => declare());
for (const graph of await Promise.all([...STACKS.map(graphOf), ...variants])) {
  console.log(graph.stack, createHash('sha256').update(JSON.stringify(graph)).digest('hex'));
}
