import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import commonjs from '@balena/dockerignore';

// its types call a default export what is module.exports
const dockerignore = commonjs as unknown as typeof commonjs.default;

/** Whether `docker build .` in this folder would hand a path of it, or what is below, to the builder. */
export function contextFilter(folder: string): (file: string) => boolean {
  const lines = dockerignore().add(readFileSync(path.join(folder, '.dockerignore'), 'utf8'));
  return (file) => !lines.ignores(file);
}

/** The files that the builder is given, below the folder and in the order of their names. */
export function contextFiles(folder: string): string[] {
  const inContext = contextFilter(folder);
  // a folder that is left out is not looked into: it may be node_modules
  const below = (parent: string): string[] =>
    readdirSync(path.join(folder, parent), { withFileTypes: true }).flatMap((entry) => {
      const file = path.posix.join(parent, entry.name);
      if (!inContext(file)) return [];
      return entry.isDirectory() ? below(file) : [file];
    });
  return below('').sort();
}

/**
 * What an image is made of, as one hash in hexadecimal: the folder's Dockerfile, and name, permissions and content of each
 * file that the builder is given. Permissions are part of it because COPY keeps them.
 */
export function contextHash(folder: string): string {
  const hash = createHash('sha256').update(readFileSync(path.join(folder, 'Dockerfile')));
  for (const file of contextFiles(folder)) {
    const full = path.join(folder, file);
    const content = readFileSync(full);
    hash.update(`\n${file} ${statSync(full).mode & 0o777} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}
