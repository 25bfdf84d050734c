import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { buildTask } from '../../lambdas/build.ts';
import { environments, type Task } from '../../lambdas/config.ts';
import { samples } from '../../statemachines/contracts.ts';
import { newListing } from '../support/listing-objects.ts';
import { orientedJpeg } from '../support/quadrants.ts';
import { startS3 } from '../support/s3.ts';

const run = promisify(execFile);
const tasks = Object.keys(environments) as Task[];

async function digest(folder: string) {
  const hash = createHash('sha256');
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const file = path.join(folder, name);
    hash.update(name);
    if ((await stat(file)).isFile()) hash.update(await readFile(file));
  }
  return hash.digest('hex');
}

/** Runs a script in a process whose only modules are below `cwd`. */
const alone = (cwd: string, script: string, env: Record<string, string> = {}) =>
  run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  });

async function temporaryFolder(t: ExecutionContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'lambdas-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

test('every function is built the same twice, and runs where there is nothing else', async (t) => {
  const root = await temporaryFolder(t);
  for (const task of tasks) {
    const [first, second] = [path.join(root, 'first', task), path.join(root, 'second', task)];
    await buildTask(task, first);
    await buildTask(task, second);
    t.is(await digest(first), await digest(second), task);
  }

  // a handler without its environment names every variable that it misses
  const script = `
    for (const task of ${JSON.stringify(tasks)}) {
      const { handler } = await import('./first/' + task + '/index.mjs');
      try { await handler({ Records: [] }); console.log(task, 'ran'); }
      catch (error) { console.log(task, error.message.split('\\n')[0]); }
    }`;
  const { stdout } = await alone(root, script);
  t.deepEqual(
    stdout.trim().split('\n'),
    tasks.map((task) => `${task} ${task}: bad environment`),
  );
});

test('the built thumbnails function brings its decoders along: JPEG and HEIC', async (t) => {
  const folder = await temporaryFolder(t);
  await buildTask('thumbnails', folder);
  const s3 = await startS3(t);
  const listing = newListing(s3);
  const heic = await readFile(path.join(import.meta.dirname, 'fixtures/phone.heic'));
  const assets = [
    await listing.upload('PHOTO_VERTICAL', 'a.jpg', await orientedJpeg(64, 48, 6), 'image/jpeg'),
    await listing.upload('PHOTO_VERTICAL', 'b.heic', heic, 'image/heic'),
  ];
  const events = assets.map((asset) => ({ asset, traceparent: samples.machineInput.traceparent }));
  const { stdout } = await alone(
    folder,
    `const { handler } = await import('./index.mjs');
     const done = await Promise.all(${JSON.stringify(events)}.map((event) => handler(event)));
     console.log(JSON.stringify(done.map(({ width, height }) => [width, height])));`,
    {
      ...s3.environment,
      ENV: 'test',
      MEDIA_BUCKET: s3.bucket,
      TRACE_HEADER_KEY: 'traceparent',
      LOG_LEVEL: 'silent',
    },
  );
  t.deepEqual(JSON.parse(stdout), [
    [48, 64],
    [48, 64],
  ]);
  t.is((await listing.processed()).length, 8);
});
