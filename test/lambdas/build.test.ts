import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { buildTask } from '../../lambdas/build.ts';
import { environments, type Task } from '../../lambdas/config.ts';

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

test('every function is built the same twice, and runs where there is nothing else', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'lambdas-'));
  t.teardown(() => rm(root, { recursive: true }));
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
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    env: { PATH: process.env.PATH },
  });
  t.deepEqual(
    stdout.trim().split('\n'),
    tasks.map((task) => `${task} ${task}: bad environment`),
  );
});
