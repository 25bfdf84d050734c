import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Zippable, zipSync } from 'fflate';
import { BESIDE, buildTask } from './build.ts';
import { environments, type Task } from './config.ts';
import { lambdaModules } from './native.ts';

/** ZIP stores local time without its zone: a date made of local parts is the same bytes everywhere. */
const MODIFIED = new Date(2000, 0, 1, 12);
/** "Version made by" Unix, so that the mode is understood: a plain file that Lambda's user may read. */
const UNIX = 3;
const MODE = 0o100644;
/** Bytes of all files of a function, unzipped: AWS's quota. */
const UNZIPPED_LIMIT = 250 * 1024 ** 2;

export interface Package {
  task: Task;
  file: string;
  /** bytes of the archive */
  zipped: number;
  /** bytes of what is in it */
  unzipped: number;
  files: number;
  /** hexadecimal */
  sha256: string;
  /** packages of which something is in the bundle, named as in package-lock.json */
  bundled: string[];
}

/** A folder as a ZIP archive: the same files make the same bytes, whenever and wherever. */
function archive(folder: string): { bytes: Uint8Array; files: number; unzipped: number } {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
  const contents: Zippable = {};
  let unzipped = 0;
  for (const name of names) {
    const content = readFileSync(path.join(folder, name));
    contents[name] = [content, { mtime: MODIFIED, os: UNIX, attrs: MODE * 2 ** 16, level: 9 }];
    unzipped += content.length;
  }
  return { bytes: zipSync(contents), files: names.length, unzipped };
}

/**
 * Writes `{folder}/{task}.zip` for each function: what Lambda runs (nodejs24.x, arm64). Beside it, `{folder}/{task}/` may
 * hold the same for this platform (lambdas/build.ts).
 */
export async function packageTasks(folder: string): Promise<Package[]> {
  const modules = await lambdaModules([...new Set(Object.values(BESIDE).flat())]);
  mkdirSync(folder, { recursive: true });
  const staging = mkdtempSync(path.join(tmpdir(), 'lambda-package-'));
  try {
    const packages: Package[] = [];
    for (const task of Object.keys(environments) as Task[]) {
      const { bundled } = await buildTask(task, path.join(staging, task), modules);
      const { bytes, files, unzipped } = archive(path.join(staging, task));
      if (unzipped > UNZIPPED_LIMIT)
        throw new Error(`${task}: ${unzipped} bytes are more than Lambda unzips`);
      const file = path.join(folder, `${task}.zip`);
      // whoever reads it meanwhile gets the old one or the new one
      writeFileSync(`${file}.new`, bytes);
      renameSync(`${file}.new`, file);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      packages.push({ task, file, zipped: bytes.length, unzipped, files, sha256, bundled });
    }
    return packages;
  } finally {
    rmSync(staging, { recursive: true });
  }
}

if (import.meta.main) {
  const kib = (bytes: number) => `${Math.ceil(bytes / 1024)} KiB`.padStart(11);
  const folder = process.argv[2] ?? path.join(import.meta.dirname, '../dist/lambdas');
  const packages = await packageTasks(folder);
  console.log(`${'package'.padEnd(22)}${'zipped'.padStart(11)}${'unzipped'.padStart(11)}  files  sha-256`);
  for (const { file, zipped, unzipped, files, sha256 } of packages) {
    const name = path.basename(file).padEnd(22);
    console.log(`${name}${kib(zipped)}${kib(unzipped)}${String(files).padStart(7)}  ${sha256}`);
  }
}
