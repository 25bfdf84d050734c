import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..');
const lockFile = path.join(root, 'package-lock.json');
const cache = path.join(root, 'node_modules', '.cache');

/** Lambda's nodejs24.x on arm64 is Amazon Linux 2023 with glibc. */
const PLATFORM = ['--os=linux', '--libc=glibc', '--cpu=arm64'];

/**
 * A `node_modules` folder with these packages and all that they need, in the versions and with the checksums of our
 * lock file, for Lambda's platform instead of this one. Runs npm, once for each lock file.
 */
export async function lambdaModules(names: string[]): Promise<string> {
  const lock = await readFile(lockFile, 'utf8');
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string } | undefined> };
  const dependencies = Object.fromEntries(
    names.map((name) => [name, packages[`node_modules/${name}`]?.version]),
  );
  const manifest = JSON.stringify({ private: true, dependencies });
  const key = createHash('sha256').update(manifest).update(lock).digest('hex').slice(0, 16);
  const folder = path.join(cache, `lambda-modules-${key}`);
  const modules = path.join(folder, 'node_modules');
  if (existsSync(modules)) return modules;

  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'lambda-modules-'));
  try {
    await writeFile(path.join(work, 'package.json'), manifest);
    await cp(lockFile, path.join(work, 'package-lock.json'));
    // `npm ci` insists that the lock has nothing else; `npm install` takes from it what is asked for
    await run(
      'npm',
      ['install', '--omit=dev', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', ...PLATFORM],
      {
        cwd: work,
      },
    );
    // whoever else built meanwhile built the same
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(modules)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return modules;
}
