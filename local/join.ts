import { openDatabase } from '../service/models/database.ts';
import type { FunctionPeak } from './controls.ts';
import { addListing, type NewListing } from './seed.ts';
import { type StackOptions, parseDatabaseUrl, startStack } from './stack.ts';
import { readStackFile } from './stack-file.ts';

/** As much of a stack as a client needs, whoever started it. */
export interface JoinedStack extends AsyncDisposable {
  apiUrl: string;
  consoleUrl: string;
  tokens: Record<string, string> & { photographer: string };
  addListing(listing?: NewListing): Promise<number>;
  /** empty where another process runs the stack */
  functionPeaks(): FunctionPeak[];
}

/** The stack that already runs on the directory, or else a new one that ends when it is disposed of. */
export async function joinOrStart(options: StackOptions): Promise<JoinedStack> {
  const running = await readStackFile(options.directory);
  if (!running) return startStack(options);
  const { photographer } = running.tokens;
  if (!photographer) throw new Error(`the stack of process ${running.pid} offers no photographer's token`);
  options.onProgress?.(`using the stack of process ${running.pid}, ${running.consoleUrl}`);
  const knex = openDatabase({ ...parseDatabaseUrl(running.databaseUrl), poolSize: 2 });
  return {
    ...running,
    tokens: { ...running.tokens, photographer },
    addListing: (listing) => addListing(knex, listing),
    functionPeaks: () => [],
    [Symbol.asyncDispose]: async () => knex.destroy(),
  };
}
