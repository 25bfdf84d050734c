import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import test, { type ExecutionContext } from 'ava';
import { SignJWT, UnsecuredJWT } from 'jose';
import { signCallback } from '../../../statemachines/callback-signature.ts';
import { samples } from '../../../statemachines/contracts.ts';
import { type ApiAnswer, CALLBACK_SECRET, type ProblemBody, startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

const BATCH = { listingIdentityId: 28, batchId: BATCH_ID };
const STATUS = '/api/v2/listings/media/uploads/status';

/** RFC 9457, with our own members, whatever went wrong. */
function problemOf(t: ExecutionContext, answer: ApiAnswer, status: number, code: string) {
  const problem: ProblemBody = answer.body;
  t.is(answer.status, status, answer.text);
  t.is(answer.headers.get('content-type'), 'application/problem+json');
  t.is(problem.status, status);
  t.is(problem.code, code);
  t.is(problem.type, `urn:problem-type:toq-media:${code}`);
  t.truthy(problem.title);
  t.truthy(problem.detail);
  t.regex(problem.traceId, /^[0-9a-f]{32}$/);
  t.true(answer.headers.get('traceparent')?.includes(problem.traceId));
  return problem;
}

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
  t.is((await api.post('/uploads/status', BATCH)).status, 200);
});

test('a token that is missing, expired, foreign or forged is a 401 problem', async (t) => {
  const { issuer } = api;
  await using stranger = await startApi();
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    sub: '7',
    role: 'admin',
    iss: issuer.rules.issuer,
    aud: issuer.rules.audience,
    exp: now + 60,
  };
  const [header, payload] = (await issuer.token()).split('.');
  const raised = Buffer.from(JSON.stringify({ ...claims, sub: '1' })).toString('base64url');
  const none = new UnsecuredJWT(claims).encode();
  const symmetric = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.alloc(32, 'x'));

  const tokens: [string, string, RegExp][] = [
    ['', 'token_missing', /Authorization/],
    ['Basic dXNlcjpwYXNz', 'token_missing', /Authorization/],
    [`Bearer ${await issuer.token({ exp: now - 120 })}`, 'token_expired', /expired/],
    [`Bearer ${await issuer.token({ exp: undefined })}`, 'token_invalid', /exp/],
    [`Bearer ${await issuer.token({ nbf: now + 300 })}`, 'token_invalid', /nbf/],
    [`Bearer ${await issuer.token({ iss: 'https://evil.test' })}`, 'token_invalid', /iss/],
    [`Bearer ${await issuer.token({ aud: 'another-service' })}`, 'token_invalid', /aud/],
    [`Bearer ${await issuer.token({ role: 'root' })}`, 'token_invalid', /role/],
    [`Bearer ${await issuer.token({ role: undefined })}`, 'token_invalid', /role/],
    [`Bearer ${await issuer.token({ sub: '7; DROP TABLE' })}`, 'token_invalid', /sub/],
    [`Bearer ${await issuer.token({ sub: '-1' })}`, 'token_invalid', /sub/],
    [`Bearer ${await stranger.issuer.token()}`, 'token_invalid', /signed/],
    [`Bearer ${none}`, 'token_invalid', /signed/],
    [`Bearer ${symmetric}`, 'token_invalid', /signed/],
    [`Bearer ${header}.${raised}.AAAA`, 'token_invalid', /signed/],
    [`Bearer ${header}.${payload}.`, 'token_invalid', /signed/],
    ['Bearer nonsense', 'token_invalid', /JWT/],
  ];
  for (const [authorization, code, words] of tokens) {
    const answer = await api.post('/uploads', { listingIdentityId: 28 }, { authorization });
    const problem = problemOf(t, answer, 401, code);
    t.regex(problem.detail, words);
    const challenge = answer.headers.get('www-authenticate') ?? '';
    t.is(challenge, `Bearer realm="toq-media"${code === 'token_missing' ? '' : ', error="invalid_token"'}`);
  }
  t.is(api.store.batches.length, 0);
});

test('a token a minute past its end is still good: clocks differ', async (t) => {
  const authorization = `Bearer ${await api.issuer.token({ exp: Math.floor(Date.now() / 1000) - 30 })}`;
  t.is((await api.post('/uploads/status', BATCH, { authorization })).status, 200);
});

test('who asks is known before what is asked: a bad body without a token is a 401', async (t) => {
  problemOf(t, await api.post('/uploads', '{', { authorization: '' }), 401, 'token_missing');
});

test('when the keys of the issuer cannot be had, that is 503 and not 401', async (t) => {
  await using blind = await startApi({ tokens: { jwksUrl: 'http://127.0.0.1:9/jwks.json' } });
  const answer = await blind.post('/uploads/status', BATCH);
  problemOf(t, answer, 503, 'unavailable');
  t.regex(answer.headers.get('retry-after') ?? '', /^\d+$/);
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

const CALLBACK = '/internal/media-processing/callback';
const report = (changes: Record<string, unknown> = {}) => JSON.stringify({ ...samples.callback, ...changes });
const seconds = () => Date.now() / 1000;
const deliver = (
  raw: string | Buffer,
  signature: string | undefined = signCallback([CALLBACK_SECRET], seconds(), raw),
  path = CALLBACK,
) =>
  api.request('POST', path, {
    headers: { 'content-type': 'application/json', ...(signature && { 'x-toq-signature': signature }) },
    body: raw,
  });

test.serial('a signed callback is applied once, by either address', async (t) => {
  const raw = report({ failureReason: 'first' });
  const first = await deliver(raw);
  t.is(first.status, 200, first.text);
  t.deepEqual(first.body, { success: true, data: { status: 'accepted' } });
  const second = await deliver(raw, undefined, '/api/v2/listings/media/callback');
  t.deepEqual(second.body, { success: true, data: { status: 'duplicate' } });

  const kept = api.store.callbacks.filter((entry) => entry.rawBody === raw);
  t.is(kept.length, 1);
  t.is(kept[0]?.callback.listingIdentityId, 28);
});

test.serial('a rotating secret: any of several signatures is enough', async (t) => {
  const raw = report({ failureReason: 'rotated' });
  t.is((await deliver(raw, signCallback(['the next secret', CALLBACK_SECRET], seconds(), raw))).status, 200);
});

test.serial(
  'a callback that is unsigned, forged, altered or replayed is a 401 and changes nothing',
  async (t) => {
    const before = api.store.callbacks.length;
    const raw = report({ failureReason: 'forged' });
    const good = signCallback([CALLBACK_SECRET], seconds(), raw);
    const cases: [string, string, string][] = [
      [raw, '', 'signature_missing'],
      [raw, 'nonsense', 'signature_malformed'],
      [raw, signCallback(['another secret of 32 characters!!'], seconds(), raw), 'signature_mismatch'],
      [`${raw} `, good, 'signature_mismatch'],
      [
        raw.replace('SUCCEEDED', 'RUNNING').replace('PARTIAL_SUCCESS', 'SUCCEEDED'),
        good,
        'signature_mismatch',
      ],
      [raw, good.replace(/t=\d+/, `t=${Math.trunc(seconds()) + 1}`), 'signature_mismatch'],
      [raw, signCallback([CALLBACK_SECRET], seconds() - 301, raw), 'signature_expired'],
      [raw, signCallback([CALLBACK_SECRET], seconds() + 310, raw), 'signature_expired'],
    ];
    for (const [body, signature, code] of cases) {
      const answer = await api.request('POST', CALLBACK, {
        headers: { 'content-type': 'application/json', ...(signature && { 'x-toq-signature': signature }) },
        body,
      });
      problemOf(t, answer, 401, code);
      t.is(answer.headers.get('www-authenticate'), 'X-Toq-Signature');
    }
    // a token does not help
    const authorization = `Bearer ${await api.issuer.token({ role: 'admin' })}`;
    t.is((await api.request('POST', CALLBACK, { headers: { authorization }, body: raw })).status, 401);
    t.is(api.store.callbacks.length, before);
  },
);

test.serial(
  'a signed callback that is not one is a 400, of an unknown job a 404, too large a 413',
  async (t) => {
    problemOf(t, await deliver('{'), 400, 'malformed_json');
    const wrong = problemOf(t, await deliver(report({ status: 'DONE', jobId: 'x' })), 400, 'invalid_request');
    t.deepEqual(wrong.errors?.map((error) => error.pointer).sort(), ['/jobId', '/status']);
    problemOf(t, await deliver(report({ jobId: 999 })), 404, 'job_not_found');
    problemOf(t, await deliver(report({ failureReason: 'x'.repeat(1024 * 1024) })), 413, 'body_too_large');
  },
);

test.serial('a callback without a declared length is cut off at 1 MiB', async (t) => {
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const { hostname, port } = new URL(api.origin);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  socket.write(`POST ${CALLBACK} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (let sent = 0; sent < 20 && !text; sent++) {
    socket.write(chunk);
    await sleep(1);
  }
  socket.end('0\r\n\r\n');
  await closed;
  t.regex(text, /^HTTP\/1\.1 413 /);
  t.regex(text, /body_too_large/);
});

test.serial('refused callbacks are counted by reason', async (t) => {
  await deliver(report(), signCallback(['another secret of 32 characters!!'], seconds(), report()));
  const { text, headers } = await api.request('GET', '/metrics');
  t.regex(headers.get('content-type') ?? '', /^text\/plain/);
  t.regex(text, /media_processing_callback_errors_total\{outcome="signature_mismatch"\} [1-9]/);
  for (const name of [
    'media_batches_created_total',
    'media_batches_failed_total',
    'media_processing_duration_seconds',
    'media_reprocess_requests_total',
    'media_processing_dlq_messages_total',
  ]) {
    t.true(text.includes(`# TYPE ${name} `), name);
  }
  t.regex(text, /^media_processing_inflight_jobs 3$/m);
});

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
