import test from 'ava';
import { startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';
import { problemOf } from '../../support/problems.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

const BATCH = { listingIdentityId: 28, batchId: BATCH_ID };
const STATUS = '/api/v2/listings/media/uploads/status';

test('an unknown path is a 404 problem', async (t) => {
  const problem = problemOf(t, await api.request('GET', '/nothing/here?token=hush'), 404, 'unknown_path');
  t.is(problem.instance, '/nothing/here');
  problemOf(t, await api.request('POST', '/api/v2/listings/media/nothing'), 404, 'unknown_path');
  problemOf(t, await api.request('GET', '/docs/../package.json%00'), 404, 'unknown_path');
  problemOf(t, await api.request('GET', '/docs/%2e%2e%2fpackage.json'), 404, 'unknown_path');
});

test('an unknown method is a 405 problem that says what is allowed', async (t) => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
    const answer = await api.request(method, STATUS);
    problemOf(t, answer, 405, 'method_not_allowed');
    t.is(answer.headers.get('allow'), 'POST');
  }
});

test('a valid traceparent is carried on, any other is replaced', async (t) => {
  const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const carried = await api.request('GET', '/livez', { headers: { traceparent: given } });
  t.is(carried.headers.get('traceparent'), given);
  const later = await api.request('GET', '/livez', { headers: { traceparent: `cc${given.slice(2)}-more` } });
  t.is(later.headers.get('traceparent'), given);
  for (const traceparent of [
    '',
    'x',
    `ff${given.slice(2)}`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `${given}-more`,
    given.toUpperCase(),
  ]) {
    const answer = await api.request('GET', '/livez', { headers: { traceparent } });
    const made = answer.headers.get('traceparent') ?? '';
    t.regex(made, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    t.not(made, given);
  }
});

test.serial('an unexpected error is a 500 that tells nothing, and a log line that tells all', async (t) => {
  api.store.failure = new Error('column "secret_plan" does not exist');
  const answer = await api.post('/uploads/status', BATCH);
  api.store.failure = null;
  const problem = problemOf(t, answer, 500, 'internal_error');
  t.notRegex(answer.text, /secret_plan/);
  const line = api.lines.find((entry) => entry.trace_id === problem.traceId);
  t.like(line, { level: 'error', status: 500, route: STATUS });
  t.regex(JSON.stringify(line), /secret_plan.*fake-media|stack/);
});

test.serial('a database or an AWS service that does not answer is a 503 with Retry-After', async (t) => {
  const failures = [
    Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('pool'), { name: 'KnexTimeoutError' }),
    Object.assign(new Error('wrapped'), {
      nativeError: Object.assign(new Error(), { code: 'ER_LOCK_DEADLOCK' }),
    }),
    new Error('outer', { cause: Object.assign(new Error('inner'), { code: 'PROTOCOL_CONNECTION_LOST' }) }),
    Object.assign(new Error('SlowDown'), { name: 'SlowDown', $metadata: { httpStatusCode: 503 } }),
    Object.assign(new Error('Rate'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } }),
  ];
  for (const failure of failures) {
    api.store.failure = failure;
    const answer = await api.post('/uploads/status', BATCH);
    problemOf(t, answer, 503, 'unavailable');
    t.regex(answer.headers.get('retry-after') ?? '', /^\d+$/);
  }
  api.store.failure = Object.assign(new Error('AccessDenied'), { $metadata: { httpStatusCode: 403 } });
  problemOf(t, await api.post('/uploads/status', BATCH), 500, 'internal_error');
  api.store.failure = null;
});

test('each request leaves one line without its query, body or token', async (t) => {
  const authorization = `Bearer ${await api.issuer.token({ sub: '41' })}`;
  const answer = await api.request('POST', `${STATUS}?password=hush`, {
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ ...BATCH, evil: 'hush' }),
  });
  t.is(answer.status, 400);
  const lines = api.lines.filter((line) => line.trace_id === answer.body.traceId);
  t.is(lines.length, 1);
  t.like(lines[0], {
    msg: 'service.media.request',
    method: 'POST',
    route: STATUS,
    status: 400,
    code: 'invalid_request',
    caller_id: 41,
    caller_role: 'photographer',
    listing_identity_id: 28,
    batch_id: BATCH_ID,
  });
  const all = JSON.stringify(api.lines);
  t.notRegex(all, /hush|eyJ/);
});

test('frontends of the configured origins may read answers, others may not', async (t) => {
  const origin = 'https://app.toq.test';
  const preflight = await api.request('OPTIONS', STATUS, {
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    },
  });
  t.is(preflight.status, 204);
  t.is(preflight.headers.get('access-control-allow-origin'), origin);
  t.regex(preflight.headers.get('access-control-allow-headers') ?? '', /Authorization/);
  t.regex(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);

  // a problem, too, has to be readable
  const answer = await api.post('/uploads', '{', { origin });
  t.is(answer.headers.get('access-control-allow-origin'), origin);
  t.regex(answer.headers.get('access-control-expose-headers') ?? '', /ETag/);

  const stranger = await api.post('/uploads/status', BATCH, { origin: 'https://evil.test' });
  t.is(stranger.headers.get('access-control-allow-origin'), null);
  t.is(stranger.headers.get('vary'), 'Origin');
});

test('answers carry the headers that keep a browser out of trouble', async (t) => {
  const { headers } = await api.post('/uploads/status', BATCH);
  t.is(headers.get('x-content-type-options'), 'nosniff');
  t.regex(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  t.is(headers.get('x-powered-by'), null);
  t.is((await api.request('GET', '/livez')).headers.get('cache-control'), 'no-store');
});
