import { spawn } from 'node:child_process';
import { glob, stat } from 'node:fs/promises';
import path from 'node:path';
import { environments } from '../lambdas/config.ts';

const ROOT = path.join(import.meta.dirname, '..');
/** Everything that ends up in a function's bundle. */
const SOURCES = ['lambdas/**/*.ts', 'statemachines/*.ts', 'package-lock.json'];

async function modified(file: string): Promise<number> {
  return (await stat(path.join(ROOT, file)).catch(() => undefined))?.mtimeMs ?? 0;
}

/** Whether every function has been built since its sources last changed. */
async function upToDate(): Promise<boolean> {
  const built = await Promise.all(
    Object.keys(environments).map((task) => modified(`dist/lambdas/${task}/index.mjs`)),
  );
  const sources: Promise<number>[] = [];
  for await (const file of glob(SOURCES, { cwd: ROOT })) sources.push(modified(file));
  return Math.min(...built) > Math.max(...(await Promise.all(sources)));
}

/** Builds the functions as they would be deployed, unless that has been done. Throws with the bundler's words. */
export async function buildFunctions(say: (line: string) => void): Promise<void> {
  if (await upToDate()) return;
  say('Building the functions');
  const child = spawn(process.execPath, ['lambdas/build.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  const listen = (chunk: Buffer) => {
    words += chunk;
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`The functions could not be built:\n${words}`);
}
