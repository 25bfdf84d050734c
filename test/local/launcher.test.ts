import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import type { Overview } from '../../local/console/overview.ts';
import { readStackFile, type StackFile } from '../../local/stack-file.ts';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '../..');
const directory = await mkdtemp(path.join(tmpdir(), 'toq-launcher-'));
const environment = { ...process.env, LOCAL_DIRECTORY: directory };
const launched: ChildProcess[] = [];
/** listings of an empty database */
const seeded: number[] = [];
test.after.always(async () => {
  for (const child of launched)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await sleep(500);
  await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});

const launcher = (file: string, ...args: string[]) =>
  spawn(process.execPath, [path.join(root, 'local', file), ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

async function text(child: ChildProcess) {
  let words = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (words += chunk));
  const [code] = await once(child, 'close');
  return { code, words };
}

/** `npm start`, once it has said where everything is. */
async function start(...args: string[]) {
  const child = launcher('main.ts', ...args);
  launched.push(child);
  let words = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (words += chunk));
  while (!words.includes('Ctrl-C stops everything')) {
    if (child.exitCode !== null) throw new Error(words);
    await sleep(20);
  }
  const stack = await readStackFile(directory);
  if (!stack) throw new Error(`no stack.json\n${words}`);
  return { child, stack, words };
}

/** Every process below this one, by pid. */
async function descendants(pid: number | undefined) {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = new Set([pid]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [child, parent] of pairs) if (found.has(parent)) found.add(child);
  }
  found.delete(pid);
  return [...found].filter((value) => value !== undefined);
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function allGone(pids: number[]) {
  const end = Date.now() + 15_000;
  while (pids.some(alive) && Date.now() < end) await sleep(50);
  return pids.filter(alive);
}

async function stop(child: ChildProcess, signal: NodeJS.Signals) {
  const exit = once(child, 'exit');
  child.kill(signal);
  const [code] = await exit;
  return code;
}

const control = (stack: StackFile, route: string, body: unknown, headers: Record<string, string>) =>
  fetch(`${stack.consoleUrl}/control/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** The variables that `npm run aws-env -- ROLE` would set in a shell. */
async function awsEnv(role: string) {
  const { code, words } = await text(launcher('aws-env.ts', role));
  const variables = Object.fromEntries(
    [...words.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [String(name), String(value)]),
  );
  return { code, words, variables };
}

const clientOptions = (variables: Record<string, string>) => ({
  endpoint: String(variables.AWS_ENDPOINT_URL),
  region: String(variables.AWS_REGION),
  credentials: {
    accessKeyId: String(variables.AWS_ACCESS_KEY_ID),
    secretAccessKey: String(variables.AWS_SECRET_ACCESS_KEY),
  },
});

const object = { Bucket: 'toq-listing-medias-local', Key: '1/raw/photo/horizontal/kept-1.jpg' };

test.serial('without a stack, aws-env says so', async (t) => {
  const { code, words } = await awsEnv('backend');
  t.is(code, 1);
  t.regex(words, /No stack is running.*npm start/);
});

test.serial(
  'npm start serves the API, its docs and the console, and tells a client everything in stack.json',
  async (t) => {
    const { child, stack, words } = await start();
    seeded.push(...stack.listings.map(({ listingIdentityId }) => listingIdentityId));
    t.regex(words, /Ready \(/);
    for (const url of [stack.apiUrl, stack.consoleUrl, stack.gatewayUrl, stack.awsEndpointUrl])
      t.true(words.includes(url));

    t.is((await fetch(`${stack.apiUrl}/readyz`)).status, 200);
    t.is((await fetch(stack.docsUrl)).status, 200);
    const page = await fetch(stack.consoleUrl);
    t.regex(await page.text(), /<title>toq-media/);
    t.regex(String(page.headers.get('content-security-policy')), /default-src 'none'/);
    const overview = (await (await fetch(`${stack.consoleUrl}/overview`)).json()) as Overview;
    t.deepEqual(
      overview.services.map(({ state }) => state),
      ['up', 'up', 'up'],
    );
    t.is(overview.queues.length, 2);

    // the API Gateway leads to the service for the declared routes only
    const gateway = await fetch(`${stack.gatewayUrl}/api/v2/listings/media/status`, {
      method: 'POST',
      body: '{}',
    });
    t.is(gateway.status, 401);
    t.is(
      (await fetch(`${stack.gatewayUrl}/internal/media-processing/callback`, { method: 'POST' })).status,
      404,
    );
    t.is((await fetch(`${stack.gatewayUrl}/media-processing/callback`, { method: 'POST' })).status, 403);

    t.is((await stat(path.join(directory, 'stack.json'))).mode & 0o777, 0o600);
    t.is(stack.service.pid === undefined, false);
    const statuses = stack.listings.map(({ status }) => status);
    t.true(statuses.filter((status) => status === 'PENDING_PHOTO_PROCESSING').length > 2);
    t.true(statuses.includes('PENDING_PLAN_LOADING'));
    const answer = await fetch(`${stack.apiUrl}/api/v2/listings/media/uploads/status`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.tokens.photographer}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        listingIdentityId: stack.listings[0]?.listingIdentityId,
        batchId: '0b9f4f0e-8a3c-4f57-9d55-6f3d7f6f2b11',
      }),
    });
    t.is(answer.status, 404, 'the token is good and the listing his; only the batch does not exist');

    const second = await text(launcher('main.ts'));
    t.is(second.code, 1);
    t.true(second.words.includes(`already runs on ${directory} (process ${child.pid}`));
    t.is(
      (await fetch(`${stack.apiUrl}/readyz`)).status,
      200,
      'the refused start has not disturbed the first',
    );
  },
);

test.serial(
  'aws-env gives any SDK the keys of a declared role, and no page in a browser can ask for them',
  async (t) => {
    const { variables } = await awsEnv('admin');
    const { Arn } = await new STSClient(clientOptions(variables)).send(new GetCallerIdentityCommand({}));
    t.is(Arn, 'arn:aws:sts::000000000000:assumed-role/toq-media-processing-admin-local/local');
    await new S3Client(clientOptions(variables)).send(new PutObjectCommand({ ...object, Body: 'kept' }));
    t.deepEqual((await awsEnv('toq-media-processing-admin-local')).variables, variables);

    const unknown = await awsEnv('nobody');
    t.is(unknown.code, 1);
    t.regex(unknown.words, /No declared role is called nobody:[\s\S]*toq-media-processing-backend-local/);

    const stack = await readStackFile(directory);
    if (!stack) throw new Error('no stack');
    t.is((await control(stack, 'credentials', { role: 'admin' }, {})).status, 403);
    const preflight = await fetch(`${stack.consoleUrl}/control/credentials`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-headers': 'x-toq-media-control' },
    });
    t.is(preflight.headers.get('access-control-allow-origin'), null);
    const { hostname, port } = new URL(stack.consoleUrl);
    const rebound = await new Promise((resolve) => {
      const headers = { host: `evil.example:${port}`, 'x-toq-media-control': '1' };
      request({ hostname, port, path: '/control/credentials', method: 'POST', headers }, (response) =>
        resolve(response.statusCode),
      ).end('{"role":"admin"}');
    });
    t.is(rebound, 421);

    const secret = String(variables.AWS_SECRET_ACCESS_KEY);
    for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const bytes = await readFile(path.join(file.parentPath, file.name));
      t.is(bytes.indexOf(secret), -1, file.name);
    }
  },
);

test.serial('a service that dies is started again on the same port', async (t) => {
  const before = await readStackFile(directory);
  process.kill(Number(before?.service.pid), 'SIGKILL');
  const end = Date.now() + 20_000;
  let ready = false;
  while (!ready && Date.now() < end) {
    await sleep(50);
    ready = await fetch(`${before?.apiUrl}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }
  t.true(ready);
  const after = await readStackFile(directory);
  t.is(after?.apiUrl, before?.apiUrl);
  t.not(after?.service.pid, before?.service.pid);
});

test.serial('Ctrl-C leaves no process, and a second start has the same addresses and data', async (t) => {
  const before = await readStackFile(directory);
  const [first] = launched;
  if (!before || !first) throw new Error('no stack');
  const created = await control(before, 'listings', {}, { 'x-toq-media-control': '1' });
  const { listingIdentityId } = (await created.json()) as { listingIdentityId: number };
  const pids = await descendants(first.pid);
  t.true(pids.length >= 3, 'the database, the service, the watchdog');
  t.is(await stop(first, 'SIGINT'), 0);
  t.deepEqual(pids.filter(alive), []);
  t.is(await readStackFile(directory), undefined);

  const { stack } = await start();
  t.is(stack.apiUrl, before.apiUrl);
  t.is(stack.consoleUrl, before.consoleUrl);
  t.true(stack.listings.some((listing) => listing.listingIdentityId === listingIdentityId));
  const { variables } = await awsEnv('admin');
  const kept = await new S3Client(clientOptions(variables)).send(new GetObjectCommand(object));
  t.is(await kept.Body?.transformToString(), 'kept');
});

test.serial('a launcher that is killed takes its children along, and --fresh begins anew', async (t) => {
  const child = launched.at(-1);
  const pids = await descendants(child?.pid);
  t.true(pids.length >= 3);
  child?.kill('SIGKILL');
  t.deepEqual(await allGone(pids), []);

  const { child: last, stack } = await start('--fresh');
  t.deepEqual(
    stack.listings.map(({ listingIdentityId }) => listingIdentityId),
    seeded,
  );
  const { variables } = await awsEnv('admin');
  const gone = await t.throwsAsync(new S3Client(clientOptions(variables)).send(new GetObjectCommand(object)));
  t.is(gone?.name, 'NoSuchKey');
  const remaining = await descendants(last.pid);
  t.is(await stop(last, 'SIGTERM'), 0);
  t.deepEqual(remaining.filter(alive), []);
});

test.serial('a port that is taken or is none stops the start with a sentence', async (t) => {
  const taken = await text(
    spawn(process.execPath, [path.join(root, 'local/main.ts')], {
      env: { ...environment, PORT: '70000' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  t.is(taken.code, 1);
  t.regex(taken.words, /PORT=70000 is not a port/);
  const unknown = await text(launcher('main.ts', '--frsh'));
  t.is(unknown.code, 2);
  t.regex(unknown.words, /--frsh[\s\S]*npm start -- --fresh/);
});
