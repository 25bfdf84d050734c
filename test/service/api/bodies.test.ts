import { gzipSync } from 'node:zlib';
import test from 'ava';
import { startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';
import { problemOf } from '../../support/problems.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

test('a body that is not application/json is a 415 problem', async (t) => {
  for (const type of [
    'text/plain',
    'text/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
  ]) {
    problemOf(t, await api.post('/uploads', '{}', { 'content-type': type }), 415, 'unsupported_media_type');
  }
  const encoded = await api.post('/uploads', '{}', { 'content-encoding': 'zstd' });
  problemOf(t, encoded, 415, 'unsupported_media_type');
});

test('a body that is not a JSON object is a 400 problem', async (t) => {
  for (const body of [
    '{',
    '{"listingIdentityId":28',
    'null',
    '"x"',
    '17',
    "{'a':1}",
    '{"a":1}{"b":2}',
    '\u0000',
    '[1,]',
  ]) {
    problemOf(t, await api.post('/uploads', body), 400, 'malformed_json');
  }
});

test('a body without anything in it names what is required', async (t) => {
  const problem = problemOf(t, await api.post('/uploads/status', ''), 400, 'invalid_request');
  t.deepEqual(
    problem.errors?.map((error) => error.pointer),
    ['/listingIdentityId', '/batchId'],
  );
});

test('keys that reach for a prototype are refused', async (t) => {
  const nested =
    '{"listingIdentityId":28,"batchReference":"x","files":[{"metadata":{"__proto__":{"admin":"1"}}}]}';
  for (const body of ['{"__proto__":{"admin":true}}', nested]) {
    problemOf(t, await api.post('/uploads', body), 400, 'malformed_json');
  }
  const other = await api.post('/uploads', '{"constructor":{"prototype":{"admin":true}}}');
  const problem = problemOf(t, other, 400, 'invalid_request');
  t.true(problem.errors?.some((error) => error.pointer === '/constructor'));
  t.false('admin' in {});
});

test('a body of more than 256 kB is a 413 problem, also when it is packed', async (t) => {
  problemOf(t, await api.post('/uploads', `{"a":"${'x'.repeat(300_000)}"}`), 413, 'body_too_large');
  const authorization = `Bearer ${await api.issuer.token()}`;
  const bomb = await api.request('POST', '/api/v2/listings/media/uploads', {
    headers: { authorization, 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(50_000_000, ' ')),
  });
  problemOf(t, bomb, 413, 'body_too_large');
});

test('JSON nested a hundred thousand deep is refused and hurts nobody', async (t) => {
  const answer = await api.post('/uploads', `{"files":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
  t.is(answer.status, 400);
  t.is((await api.post('/uploads/status', { listingIdentityId: 28, batchId: BATCH_ID })).status, 200);
});
