import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** What any client needs to join the running stack. Holds tokens and the database's password, no AWS key. */
export const StackFile = z.object({
  /** the launcher */
  pid: z.int(),
  apiUrl: z.url(),
  gatewayUrl: z.url(),
  docsUrl: z.url(),
  consoleUrl: z.url(),
  awsEndpointUrl: z.url(),
  databaseUrl: z.string(),
  region: z.string(),
  tokens: z.record(z.string(), z.string()),
  listings: z.array(z.looseObject({ listingIdentityId: z.int(), status: z.string() })),
  service: z.object({ pid: z.int().optional() }),
});
export type StackFile = z.infer<typeof StackFile>;

const fileOf = (directory: string) => path.join(directory, 'stack.json');

/** Only its owner may read it; a reader never sees half of it. */
export async function writeStackFile(directory: string, stack: StackFile): Promise<void> {
  const unfinished = `${fileOf(directory)}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(stack, null, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, fileOf(directory));
}

export const removeStackFile = (directory: string) => rm(fileOf(directory), { force: true });

/** The stack that runs on this directory; undefined when none does. */
export async function readStackFile(directory: string): Promise<StackFile | undefined> {
  const text = await readFile(fileOf(directory), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { success, data } = StackFile.safeParse(JSON.parse(text));
  if (!success) return undefined;
  try {
    process.kill(data.pid, 0);
    return data;
  } catch {
    return undefined;
  }
}
