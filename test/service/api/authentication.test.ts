import test from 'ava';
import { SignJWT, UnsecuredJWT } from 'jose';
import { startApi } from '../../support/api.ts';
import { BATCH_ID } from '../../support/fake-media.ts';
import { problemOf } from '../../support/problems.ts';
import { manifest } from '../../support/upload-manifest.ts';

const api = await startApi();
test.after.always(() => api[Symbol.asyncDispose]());

const BATCH = { listingIdentityId: 28, batchId: BATCH_ID };

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
    const answer = await api.post('/uploads', manifest(), { authorization });
    const problem = problemOf(t, answer, 401, code);
    t.regex(problem.detail, words);
    const challenge = answer.headers.get('www-authenticate') ?? '';
    t.is(challenge, `Bearer realm="toq-media"${code === 'token_missing' ? '' : ', error="invalid_token"'}`);
  }
  t.is(api.store.batches.length, 0);
});

test('a token half a minute past its end is still good: clocks differ', async (t) => {
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
