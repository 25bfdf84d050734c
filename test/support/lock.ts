import { readFile } from 'node:fs/promises';
import path from 'node:path';

interface Locked {
  version?: string;
  license?: string;
  dev?: boolean;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/** package-lock.json, version 3: folder → package; `''` is ours. */
export interface Lock {
  packages: Record<string, Locked>;
}

const FILE = path.join(import.meta.dirname, '../../package-lock.json');

export const readLock = async () => JSON.parse(await readFile(FILE, 'utf8')) as Lock;

/** Folder of the package that code in `from` gets by this name: the nearest `node_modules` that has it. */
function resolve({ packages }: Lock, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const candidate = `${folder ? `${folder}/` : ''}node_modules/${name}`;
    if (packages[candidate]) return candidate;
    if (!folder) return undefined;
  }
}

/** Folders of every package that our dependencies, without some and without optional ones, need at run time. */
export function lockedClosure(lock: Lock, { without = [] as string[] } = {}): string[] {
  const found = new Set<string>();
  const follow = (names: string[], from: string) => {
    for (const name of names) {
      const folder = resolve(lock, name, from);
      if (!folder) throw new Error(`${name}, which ${from || 'the project'} needs, is not locked`);
      if (found.has(folder)) continue;
      found.add(folder);
      const {
        dependencies = {},
        peerDependencies = {},
        peerDependenciesMeta = {},
      } = lock.packages[folder] ?? {};
      const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta[peer]?.optional);
      follow([...Object.keys(dependencies), ...peers], folder);
    }
  };
  const own = Object.keys(lock.packages['']?.dependencies ?? {});
  follow(
    own.filter((name) => !without.includes(name)),
    '',
  );
  return [...found];
}

/** SPDX expression of a locked package. */
export function licenceOf({ packages }: Lock, folder: string): string {
  const licence = packages[folder]?.license;
  if (!licence) throw new Error(`${folder} states no licence`);
  return licence;
}

/** Licences that would bind what we ship with them; LGPL libraries may lie beside it as they are. */
export const FORBIDDEN_LICENCE = /(?<!L)GPL|SSPL|BUSL|UNLICENSED/;
