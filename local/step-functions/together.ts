import pLimit from 'p-limit';
import type { Json } from './expressions.ts';
import { type Line, write } from './line.ts';

/** Runs the lines side by side; the first failure aborts the others, and is thrown when all have stopped. */
export async function together(
  type: 'Map' | 'Parallel',
  line: Line,
  concurrency: number,
  count: number,
  run: (index: number, own: Line) => Promise<Json>,
): Promise<Json[]> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([line.signal, siblings.signal]);
  const limit = pLimit(concurrency);
  const start = line.previous;
  const settled = await Promise.allSettled(
    Array.from({ length: count }, (_, index) =>
      limit(async () => {
        signal.throwIfAborted();
        try {
          return await run(index, { ...line, signal, previous: start });
        } catch (error) {
          siblings.abort(error);
          throw error;
        }
      }),
    ),
  );
  if (line.signal.aborted) write(line, `${type}StateAborted`);
  else if (signal.aborted) write(line, `${type}StateFailed`);
  signal.throwIfAborted();
  write(line, `${type}StateSucceeded`);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
