import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { buildTask } from '../../lambdas/build.ts';
import { environments } from '../../lambdas/config.ts';
import { type Package, packageTasks } from '../../lambdas/package.ts';
import { graphOf, inputsOf } from '../support/graphs.ts';
import { FORBIDDEN_LICENCE, type Lock, licenceOf, readLock } from '../support/lock.ts';
import { entries, type ZipEntry } from '../support/zip.ts';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '../..');
const DIST = path.join(ROOT, 'dist/lambdas');
const PACKAGER = path.join(ROOT, 'lambdas/package.ts');

/** The ELF header's e_machine (System V ABI, AArch64 supplement): EM_AARCH64. */
const AARCH64 = 183;

let work: string;
let lock: Lock;
let packages: Package[];
let contents: Map<string, ZipEntry[]>;

test.before(async () => {
  work = await mkdtemp(path.join(tmpdir(), 'packages-'));
  lock = await readLock();
  packages = await packageTasks(DIST);
  contents = new Map();
  for (const { task, file } of packages) contents.set(task, await entries(await readFile(file)));
});
test.after.always(() => rm(work, { recursive: true, force: true }));

const isElf = ({ content }: ZipEntry) => content.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
/** `node_modules/@img/x/lib/y.so` → `node_modules/@img/x` */
const packageOf = (name: string) =>
  /^(?:node_modules\/(?:@[^/]+\/)?[^/]+\/)*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? '';
const beside = (task: string) =>
  [...new Set((contents.get(task) ?? []).map(({ name }) => packageOf(name)))].filter(Boolean).sort();

test('packages made again, elsewhere and in other time zones, are the same bytes', async (t) => {
  const hashes = packages.map(({ sha256 }) => sha256);
  for (const TZ of ['Pacific/Kiritimati', 'America/St_Johns']) {
    const folder = path.join(work, TZ);
    const { stdout } = await run(process.execPath, [PACKAGER, folder], { env: { ...process.env, TZ } });
    for (const { task, sha256 } of packages) {
      const zip = await readFile(path.join(folder, `${task}.zip`));
      t.is(createHash('sha256').update(zip).digest('hex'), sha256, `${task} in ${TZ}`);
    }
    t.deepEqual(stdout.match(/\b[0-9a-f]{64}\b/g), hashes);
  }
});

test('every function has a package that two other readers find sound', async (t) => {
  t.deepEqual(packages.map(({ task }) => task).sort(), Object.keys(environments).sort());
  for (const { task, file, zipped, unzipped, files } of packages) {
    const { stdout } = await run('unzip', ['-tq', file]);
    t.regex(stdout, /No errors detected/, task);
    const found = contents.get(task) ?? [];
    const names = found.map(({ name }) => name);
    t.is(names.length, files);
    t.deepEqual(names, names.toSorted());
    t.true(names.includes('index.mjs'));
    t.deepEqual([...new Set(found.map(({ mode }) => mode.toString(8)))], ['100644']);
    t.is(
      found.reduce((sum, { content }) => sum + content.length, 0),
      unzipped,
    );
    t.log(`${task}: ${Math.ceil(zipped / 1024)} KiB zipped, ${Math.ceil(unzipped / 1024)} KiB unzipped`);
  }
});

test('a package is small, and only the thumbnails function carries native code', (t) => {
  for (const { task, zipped } of packages) {
    t.true(zipped < (task === 'thumbnails' ? 12 : 1) * 1024 ** 2, `${task}: ${zipped} bytes`);
    if (task === 'thumbnails') continue;
    t.deepEqual(
      contents.get(task)?.map(({ name }) => name),
      ['index.mjs'],
    );
  }
});

test('what is native was made for the processor and the C library of Lambda', (t) => {
  const native = (contents.get('thumbnails') ?? []).filter(isElf);
  t.deepEqual(
    native.map(({ name }) => packageOf(name)),
    ['node_modules/@img/sharp-libvips-linux-arm64', 'node_modules/@img/sharp-linux-arm64'],
  );
  for (const { name, content } of native) {
    t.is(content.readUInt16LE(18), AARCH64, name);
    t.false(content.includes('ld-musl'), name);
  }
});

test('beside the bundle are the locked versions, without what only developers use', async (t) => {
  const found = contents.get('thumbnails') ?? [];
  for (const { name, content } of found.filter((entry) => entry.name.endsWith('/package.json'))) {
    const folder = path.dirname(name);
    const { version } = JSON.parse(content.toString()) as { version?: string };
    if (version) t.is(lock.packages[folder]?.version, version, folder);
  }
  t.true(beside('thumbnails').includes('node_modules/sharp/node_modules/semver'));
  const forDevelopers = /\.(map|d\.[cm]?ts|cc|gyp|ts)$|(^|\/)\.(bin|package-lock)|(^|\/)(test|docs)\//;
  for (const { task } of packages) {
    t.deepEqual(
      (contents.get(task) ?? []).filter(({ name }) => forDevelopers.test(name)),
      [],
    );
  }
});

test('the same layout, for this machine, is what the local cloud runs', async (t) => {
  const local = path.join(work, 'local');
  await buildTask('thumbnails', local);
  const native = /^node_modules\/@img\/sharp-/;
  const portable = (contents.get('thumbnails') ?? []).filter(({ name }) => !native.test(name));
  const names = (await readdir(local, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(local, path.join(entry.parentPath, entry.name)))
    .filter((name) => !native.test(name));
  t.deepEqual(
    names.sort(),
    portable.map(({ name }) => name),
  );
  for (const { name, content } of portable) {
    t.true(content.equals(await readFile(path.join(local, name))), name);
  }
});

test('no development tool and no GPL is in a package; LGPL libraries lie beside the bundle as they are', (t) => {
  for (const { task, bundled } of packages) {
    t.true(bundled.includes('node_modules/zod'), task);
    for (const name of [...bundled, ...beside(task)]) {
      t.falsy(lock.packages[name]?.dev, `${task}: ${name} is a development tool`);
      t.notRegex(licenceOf(lock, name), FORBIDDEN_LICENCE, `${task}: ${name}`);
    }
    t.deepEqual(
      bundled.filter((name) => /LGPL/.test(licenceOf(lock, name))),
      [],
      task,
    );
  }
  t.deepEqual(
    beside('thumbnails').filter((name) => /LGPL/.test(licenceOf(lock, name))),
    ['node_modules/@img/sharp-libvips-linux-arm64', 'node_modules/libheif-js'],
  );
  const names = (contents.get('thumbnails') ?? []).map(({ name }) => name);
  for (const licence of ['libheif-js/LICENSE', '@img/sharp-libvips-linux-arm64/README.md', 'sharp/LICENSE']) {
    t.true(names.includes(`node_modules/${licence}`), licence);
  }
});

test('staging and production deploy these packages, and know their bytes', async (t) => {
  for (const stack of ['staging', 'production']) {
    const graph = await graphOf(stack);
    for (const { task, file, sha256 } of packages) {
      const functions = graph.resources.filter(
        ({ type, inputs }) => type === 'aws:lambda/function:Function' && inputs.code === file,
      );
      t.is(functions.length, 1, `${task} in ${stack}`);
      t.like(inputsOf(graph, 'lambda/function:Function', functions[0]?.name), {
        sourceCodeHash: Buffer.from(sha256, 'hex').toString('base64'),
        architectures: ['arm64'],
        handler: 'index.handler',
      });
    }
  }
});
