import { createHmac } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { signCallback, verifyCallback } from '../../statemachines/callback-signature.ts';

const NOW = 1_790_000_000;
const body = '{"jobId":21,"status":"SUCCEEDED","note":"São Paulo"}';

test('the header is t and the hex HMAC-SHA256 of "{t}." and the raw body', (t) => {
  const expected = createHmac('sha256', 'one').update(`${NOW}.${body}`, 'utf8').digest('hex');
  t.is(signCallback(['one'], NOW, body), `t=${NOW},v1=${expected}`);
  t.is(signCallback(['one'], NOW + 0.9, Buffer.from(body)), `t=${NOW},v1=${expected}`);
});

test('either version of a secret in rotation verifies, on either side', (t) => {
  const both = signCallback(['new', 'old'], NOW, body);
  t.is(both.split('v1=').length, 3);
  t.is(verifyCallback(['old'], both, body, NOW), 'valid');
  t.is(verifyCallback(['new'], both, body, NOW), 'valid');
  t.is(verifyCallback(['new', 'old'], signCallback(['old'], NOW, body), body, NOW), 'valid');
  t.is(verifyCallback(['other'], both, body, NOW), 'mismatch');
});

test('five minutes of skew pass in both directions, one second more does not', (t) => {
  const header = signCallback(['one'], NOW, body);
  t.is(verifyCallback(['one'], header, body, NOW + 300), 'valid');
  t.is(verifyCallback(['one'], header, body, NOW - 300), 'valid');
  t.is(verifyCallback(['one'], header, body, NOW + 301), 'expired');
  t.is(verifyCallback(['one'], header, body, NOW - 301), 'expired');
});

test('a changed byte, a changed time and a foreign secret do not verify', (t) => {
  const header = signCallback(['one'], NOW, body);
  t.is(verifyCallback(['one'], header, `${body} `, NOW), 'mismatch');
  t.is(verifyCallback(['one'], header.replace(`t=${NOW}`, `t=${NOW + 1}`), body, NOW), 'mismatch');
  t.is(verifyCallback(['two'], header, body, NOW), 'mismatch');
});

test('a header that is absent, or not of the form, is told apart', (t) => {
  const signature = 'a'.repeat(64);
  t.is(verifyCallback(['one'], undefined, body, NOW), 'missing');
  t.is(verifyCallback(['one'], '', body, NOW), 'missing');
  for (const header of [
    'hello',
    `v1=${signature}`,
    `t=${NOW}`,
    `t=${NOW},v1=`,
    `t=${NOW},v1=${signature.toUpperCase()}`,
    `t=${NOW},t=${NOW},v1=${signature}`,
    `t=-1,v1=${signature}`,
    `t=NaN,v1=${signature}`,
    `t=${NOW},${Array(6).fill(`v1=${signature}`).join(',')}`,
  ]) {
    t.is(verifyCallback(['one'], header, body, NOW), 'malformed', header);
  }
});

test('a later scheme beside v1 is skipped', (t) => {
  t.is(verifyCallback(['one'], `${signCallback(['one'], NOW, body)},v2=later`, body, NOW), 'valid');
});

test('nobody signs or verifies without a secret', (t) => {
  t.throws(() => signCallback([], NOW, body));
  t.throws(() => signCallback([''], NOW, body));
  t.throws(() => verifyCallback([], 't=1,v1=a', body, NOW));
  t.throws(() => verifyCallback(['one', ''], undefined, body, NOW));
});

test('what is signed verifies, and no other header does', (t) => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.uint8Array(), fc.string(), (secret, bytes, noise) => {
      const header = signCallback([secret], NOW, Buffer.from(bytes));
      t.is(verifyCallback([secret], header, Buffer.from(bytes), NOW), 'valid');
      t.not(verifyCallback([secret], noise, Buffer.from(bytes), NOW), 'valid');
    }),
  );
});
