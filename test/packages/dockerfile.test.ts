import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { contextFilter } from '../../infra/build-context.ts';
import { parseDockerfile } from '../support/dockerfile.ts';
import { faults, instructionsOf } from '../support/dockerfile-rules.ts';
import { readDockerfile } from '../support/image.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const version = (await readFile(path.join(ROOT, '.node-version'), 'utf8')).trim();
const stages = await readDockerfile();

test('the Dockerfile keeps the rules', (t) => {
  t.deepEqual(faults(stages, version), []);
});

test('each rule finds the Dockerfile that breaks it', async (t) => {
  const source = await readFile(path.join(ROOT, 'Dockerfile'), 'utf8');
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
