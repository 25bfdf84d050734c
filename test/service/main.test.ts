import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { databaseEnvironment, startTestDatabase, type TestDatabase } from '../support/database.ts';

const MAIN = path.join(import.meta.dirname, '../../service/main.ts');
const SECRET = 'a secret of at least 32 characters';

let database: TestDatabase;
test.before(async () => {
  database = await startTestDatabase();
});
test.after.always(() => database?.stop());

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

const environment = (port: number) => ({
  ENV: 'test',
  HOST: '127.0.0.1',
  PORT: String(port),
  MEDIA_BUCKET: 'media-test',
  QUEUE_URL: 'http://127.0.0.1:9/000000000000/work',
  PROCESSING_STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:000000000000:stateMachine:processing',
  FINALIZATION_STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:000000000000:stateMachine:finalization',
  PROJECT_UPLOADS_ROLE_ARN: 'arn:aws:iam::000000000000:role/project-uploads',
  ...databaseEnvironment(database.address),
  DATABASE_TLS: 'disabled',
  CALLBACK_SECRET: SECRET,
  JWT_ISSUER: 'https://login.toq.test',
  JWT_AUDIENCE: 'toq-media',
  JWT_JWKS_URL: 'http://127.0.0.1:9/jwks.json',
  SHUTDOWN_GRACE_SECONDS: '20',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'AKIATEST',
  AWS_SECRET_ACCESS_KEY: 'not a secret',
  AWS_MAX_ATTEMPTS: '1',
});

function run(t: ExecutionContext, env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const exit = once(child, 'exit');
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  return { child, exit, lines };
}

async function start(t: ExecutionContext, changes: Record<string, string> = {}) {
  const port = await freePort();
  const running = run(t, { ...environment(port), ...changes });
  const origin = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${origin}/livez`).then(
      (response) => response.ok,
      () => false,
    );
  while (running.child.exitCode === null && !(await isUp())) await sleep(50);
  return { ...running, port, origin };
}

/** A request that is under way until its last bytes are written. */
async function halfRequest(
  port: number,
): Promise<{ socket: Socket; answer: Promise<string>; finish(): void }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const answer = once(socket, 'close').then(() => text);
  socket.write(
    'POST /internal/media-processing/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"a":',
  );
  return { socket, answer, finish: () => socket.write('1234}') };
}

test('a wrong environment stops the start with every variable that is wrong', async (t) => {
  const { CALLBACK_SECRET: _, ...env } = environment(3000);
  const { exit, lines } = run(t, { ...env, PORT: 'many', JWT_JWKS_URL: 'nowhere' });
  const [code] = await exit;
  t.is(code, 1);
  const text = lines.join('\n');
  for (const name of ['PORT', 'JWT_JWKS_URL', 'CALLBACK_SECRET']) t.true(text.includes(name), name);
  t.false(text.includes(database.address.password));
});

test('a service that is told to stop says so, finishes what is under way and exits with 0', async (t) => {
  const { child, exit, lines, port, origin } = await start(t);
  const ready = await fetch(`${origin}/readyz`);
  t.is(ready.status, 503);
  t.deepEqual(await ready.json(), {
    status: 'unavailable',
    checks: { database: 'ok', bucket: 'failed', queue: 'failed' },
  });

  const { answer, finish } = await halfRequest(port);
  child.kill('SIGTERM');
  let state = '';
  while (state !== 'draining') {
    const response = await fetch(`${origin}/readyz`);
    t.is(response.status, 503);
    state = ((await response.json()) as { status: string }).status;
  }
  while (
    await fetch(`${origin}/livez`).then(
      () => true,
      () => false,
    )
  ) {
    await sleep(20);
  }
  // nobody new is let in, and the one who is in gets an answer
  t.is(child.exitCode, null);
  finish();
  t.regex(await answer, /^HTTP\/1\.1 401 [\s\S]*signature_missing/);
  t.deepEqual(await exit, [0, null]);

  const messages = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.true(messages.some(({ msg }) => msg === 'service.media.stopped'));
  t.true(
    messages.some(
      ({ msg, trace_id: trace }) => msg === 'service.media.request' && /^[0-9a-f]{32}$/.test(String(trace)),
    ),
  );
  const text = lines.join('\n');
  t.false(text.includes(SECRET) || text.includes(database.address.password));
});

test('a second signal ends it at once', async (t) => {
  const { child, exit, port } = await start(t);
  await halfRequest(port).then(({ socket }) => t.teardown(() => socket.destroy()));
  child.kill('SIGINT');
  await sleep(200);
  child.kill('SIGINT');
  t.deepEqual(await exit, [1, null]);
});

test('a request that never ends does not hold the stop beyond the grace', async (t) => {
  const { child, exit, lines, port } = await start(t, { SHUTDOWN_GRACE_SECONDS: '1' });
  await halfRequest(port).then(({ socket }) => t.teardown(() => socket.destroy()));
  child.kill('SIGTERM');
  t.deepEqual(await exit, [1, null]);
  t.true(lines.some((line) => line.includes('stop_overdue')));
});

test('a task whose password the database no longer takes is not ready, although its open connection still works', async (t) => {
  const own = await startTestDatabase({ migrated: false });
  t.teardown(() => own.stop());
  const { origin } = await start(t, { DATABASE_PORT: String(own.address.port) });
  const database = async () => {
    const { checks } = (await (await fetch(`${origin}/readyz`)).json()) as { checks: { database: string } };
    return checks.database;
  };
  t.is(await database(), 'ok');
  await own.knex.raw("SET PASSWORD = PASSWORD('changed')");
  t.is(await database(), 'ok', 'nobody has needed another connection yet');
  for (let crowd = 1; crowd < 20 && (await database()) === 'ok'; crowd++) {
    await Promise.all(Array.from({ length: 50 }, database));
  }
  t.is(await database(), 'failed');
  t.is(await database(), 'failed', 'and stays so');
});

test('a service says how it means to talk to its database, and which setting the server does not meet', async (t) => {
  const { child, exit, origin, lines } = await start(t, { DATABASE_HOST: 'localhost', DATABASE_TLS: 'rds' });
  t.like(await (await fetch(`${origin}/readyz`)).json(), { checks: { database: 'failed' } });
  child.kill('SIGTERM');
  t.deepEqual(await exit, [0, null]);

  const messages = lines.map((line) => JSON.parse(line) as { msg?: string; err?: { message?: string } });
  t.like(
    messages.find(({ msg }) => msg === 'service.media.started'),
    { database_tls: 'rds' },
  );
  const [failure] = messages.filter(({ msg }) => msg === 'service.media.worker.failed');
  t.regex(
    failure?.err?.message ?? '',
    /^No TLS with localhost:\d+: Server does not support secure connection\. DATABASE_TLS=rds /,
  );
  t.false(lines.join('\n').includes(database.address.password));
});

test('without a database it starts, says so, refuses with 503 and stops with 0', async (t) => {
  const { child, exit, origin, lines } = await start(t, { DATABASE_PORT: '9' });
  const ready = await fetch(`${origin}/readyz`);
  t.is(ready.status, 503);
  t.like(await ready.json(), { checks: { database: 'failed' } });
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  t.regex(metrics, /# TYPE media_processing_inflight_jobs gauge/);
  t.notRegex(metrics, /^media_processing_inflight_jobs \d/m);
  child.kill('SIGTERM');
  t.deepEqual(await exit, [0, null]);
  t.true(lines.some((line) => line.includes('ECONNREFUSED')));
});
