import { cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { environments, type Task } from './config.ts';

const root = path.join(import.meta.dirname, '..');
const ours = path.join(root, 'node_modules');

/** Native or separately licensed packages: they stay what they are, beside the bundle. */
export const BESIDE: Partial<Record<Task, string[]>> = { thumbnails: ['sharp', 'libheif-js'] };
/** Folders of those packages that only their own build needs, or that hold the same again in another format. */
const LEFT_OUT = ['src', 'install', 'docs', 'libheif'];
/** For editors and debuggers. What tells a licence stays, wherever it stands. */
const FOR_DEVELOPERS = /\.(map|d\.[cm]?ts)$/;

/** How every function is bundled: ECMAScript modules for Node 24. */
export const bundling: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'],
  alias: { 'crc-32': path.join(import.meta.dirname, 'media/crc32.ts') },
  // CommonJS packages ask for built-in modules by require, which ES modules do not have
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
};

/** The folder of the package that a file belongs to, as package-lock.json names it. */
const PACKAGE = /^(?:node_modules\/(?:@[^/]+\/)?[^/]+\/)*node_modules\/(?:@[^/]+\/)?[^/]+/;

export interface Built {
  /** size of the bundle, without what is beside it */
  bytes: number;
  /** packages of which something is in the bundle, named as in package-lock.json */
  bundled: string[];
}

const options = (task: Task, folder: string): BuildOptions => ({
  ...bundling,
  entryPoints: [path.join(import.meta.dirname, `${task}.ts`)],
  outfile: path.join(folder, 'index.mjs'),
  external: (BESIDE[task] ?? []).flatMap((name) => [name, `${name}/*`]),
});

/**
 * Folders of a package and of all that it needs and that is installed; optional ones are those of the platform that
 * `modules` was installed for. What is nested in a package comes with it.
 */
function closure(modules: string, name: string, found = new Set<string>()): Set<string> {
  const file = path.join(modules, name, 'package.json');
  if (found.has(name) || !existsSync(file)) return found;
  found.add(name);
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(file, 'utf8')) as {
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
  for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) {
    if (!existsSync(path.join(modules, name, 'node_modules', needed))) closure(modules, needed, found);
  }
  return found;
}

/**
 * Builds one function into a folder that runs by itself: the same sources make the same bytes. What lies beside the
 * bundle is taken from `modules`, a `node_modules` folder; by default ours, which is for this platform.
 */
export async function buildTask(task: Task, folder: string, modules = ours): Promise<Built> {
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({ ...options(task, folder), metafile: true });
  for (const name of (BESIDE[task] ?? []).flatMap((one) => [...closure(modules, one)])) {
    const from = path.join(modules, name);
    cpSync(from, path.join(folder, 'node_modules', name), {
      recursive: true,
      filter: (source) => !LEFT_OUT.includes(path.relative(from, source)) && !FOR_DEVELOPERS.test(source),
    });
  }
  const bundled = Object.keys(metafile.inputs).flatMap((file) => PACKAGE.exec(file)?.[0] ?? []);
  return { bytes: statSync(path.join(folder, 'index.mjs')).size, bundled: [...new Set(bundled)].sort() };
}

if (import.meta.main) {
  for (const task of Object.keys(environments) as Task[]) {
    const { bytes } = await buildTask(task, path.join(root, 'dist/lambdas', task));
    const beside = BESIDE[task] ? `, beside it ${BESIDE[task].join(', ')}` : '';
    console.log(`dist/lambdas/${task}  ${Math.round(bytes / 1024)} KiB${beside}`);
  }
}
