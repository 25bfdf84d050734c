import { z } from 'zod';
import { CONTROL_HEADER } from './console/server.ts';
import { type StackOptions, startStack } from './stack.ts';
import { readStackFile } from './stack-file.ts';

const NewListing = z.object({ listingIdentityId: z.int() });

/** As much of a stack as a client needs, whoever started it. */
export interface JoinedStack extends AsyncDisposable {
  apiUrl: string;
  consoleUrl: string;
  tokens: Record<string, string> & { photographer: string };
  /** A new listing that waits for the photographer's files; its id. */
  addListing(): Promise<number>;
}

/** The stack that already runs on the directory, or else a new one that ends when it is disposed of. */
export async function joinOrStart(options: StackOptions): Promise<JoinedStack> {
  const running = await readStackFile(options.directory);
  if (!running) return startStack(options);
  const { photographer } = running.tokens;
  if (!photographer) throw new Error(`the stack of process ${running.pid} offers no photographer's token`);
  options.onProgress?.(`using the stack of process ${running.pid}, ${running.consoleUrl}`);
  return {
    ...running,
    tokens: { ...running.tokens, photographer },
    async addListing() {
      const response = await fetch(`${running.consoleUrl}/control/listings`, {
        method: 'POST',
        headers: { [CONTROL_HEADER]: '1' },
      });
      return NewListing.parse(await response.json()).listingIdentityId;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
