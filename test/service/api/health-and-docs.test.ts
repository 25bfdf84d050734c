import { Validator } from '@seriousme/openapi-schema-validator';
import test from 'ava';
import { METRICS } from '../../../statemachines/metrics.ts';
import { startApi } from '../../support/api.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

test('livez, version and readyz answer without a token', async (t) => {
  t.deepEqual((await api.request('GET', '/livez')).body, { status: 'ok' });
  t.like((await api.request('GET', '/version')).body, {
    name: 'listing-media',
    version: '1.2.3',
    env: 'test',
  });
  const ready = await api.request('GET', '/readyz');
  t.is(ready.status, 200);
  t.deepEqual(ready.body, { status: 'ok', checks: { database: 'ok', bucket: 'ok', queue: 'ok' } });
});

test('readyz names what does not answer, and turns 503 while draining', async (t) => {
  await using sick = await startApi({
    checks: {
      database: async () => {},
      bucket: () => Promise.reject(new Error('no such bucket')),
      queue: () => new Promise(() => {}),
    },
  });
  const answer = await sick.request('GET', '/readyz');
  t.is(answer.status, 503);
  t.deepEqual(answer.body, {
    status: 'unavailable',
    checks: { database: 'ok', bucket: 'failed', queue: 'failed' },
  });

  await using draining = await startApi();
  draining.lifecycle.draining = true;
  const last = await draining.request('GET', '/readyz');
  t.is(last.status, 503);
  t.is(last.body.status, 'draining');
  t.is((await draining.request('GET', '/livez')).status, 200);
});

test('every metric of the service is exposed to Prometheus', async (t) => {
  const { text, headers } = await api.request('GET', '/metrics');
  t.regex(headers.get('content-type') ?? '', /^text\/plain/);
  const { media_step_duration_seconds: _ofFunctions, ...own } = METRICS;
  for (const name of Object.keys(own)) t.true(text.includes(`# TYPE ${name} `), name);
  t.regex(text, /^media_processing_inflight_jobs 3$/m);
});

const PATHS = [
  '/api/v2/listings/media/callback',
  '/api/v2/listings/media/downloads',
  '/api/v2/listings/media/downloads/query',
  '/api/v2/listings/media/status',
  '/api/v2/listings/media/uploads',
  '/api/v2/listings/media/uploads/complete',
  '/api/v2/listings/media/uploads/process',
  '/api/v2/listings/media/uploads/retry',
  '/api/v2/listings/media/uploads/status',
  '/internal/media-processing/callback',
  '/livez',
  '/metrics',
  '/readyz',
  '/version',
];

test('the OpenAPI document is valid 3.1 and every operation in it is served', async (t) => {
  const { body: document, headers } = await api.request('GET', '/openapi.json');
  t.regex(headers.get('content-type') ?? '', /^application\/json/);
  t.is(document.openapi, '3.1.0');
  const ids = new Set<string>();
  for (const [path, item] of Object.entries<Record<string, { operationId: string }>>(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      ids.add(operation.operationId);
      const answer = await api.request(method.toUpperCase(), path);
      t.false([404, 405].includes(answer.status), `${method} ${path} answers ${answer.status}`);
    }
  }
  t.is(ids.size, Object.values<object>(document.paths).flatMap((item) => Object.keys(item)).length);
  t.deepEqual(Object.keys(document.paths).sort(), PATHS);
  const { valid, errors } = await new Validator().validate(document);
  t.true(valid, JSON.stringify(errors));
});

test('the docs page has everything it needs from this host', async (t) => {
  const page = await api.request('GET', '/docs');
  t.is(page.status, 200);
  t.regex(page.headers.get('content-type') ?? '', /^text\/html/);
  t.regex(page.headers.get('content-security-policy') ?? '', /script-src 'self'/);
  const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  t.is(links.length, 4);
  for (const link of links) {
    t.true(link.startsWith('/docs/'), link);
    const asset = await api.request('GET', link);
    t.is(asset.status, 200, link);
    t.true(asset.text.length > 0);
  }
});
