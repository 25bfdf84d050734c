import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { signCallback } from '../../../statemachines/callback-signature.ts';
import { samples } from '../../../statemachines/contracts.ts';
import { CALLBACK_SECRET, startApi } from '../../support/api.ts';
import { problemOf } from '../../support/problems.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

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
      const answer = await deliver(body, signature);
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
  const mismatches = async () => {
    const { text } = await api.request('GET', '/metrics');
    return Number(
      /^media_processing_callback_errors_total\{outcome="signature_mismatch"\} (\d+)$/m.exec(text)?.[1] ?? 0,
    );
  };
  const before = await mismatches();
  await deliver(report(), signCallback(['another secret of 32 characters!!'], seconds(), report()));
  t.is(await mismatches(), before + 1);
});
