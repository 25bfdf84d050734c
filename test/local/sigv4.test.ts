import test from 'ava';
import fc from 'fast-check';
import { readAuthorization } from '../../local/authorization.ts';
import { AwsError } from '../../local/aws-error.ts';
import { type Credentials, createCredentials } from '../../local/credentials.ts';
import { verifySignature } from '../../local/sigv4.ts';
import { openEchoDoor, REGION, role } from '../support/front-door.ts';
import { send, sha256, signByHeader, signByQuery, type WireRequest } from '../support/wire.ts';

const ROLE = role('photographer-api');

const put: WireRequest = { method: 'PUT', path: '/media/a/b.txt', body: 'hello' };

/** The account that AWS's own documents sign their examples with. */
const documented: Credentials = {
  ...createCredentials(),
  find: (accessKeyId) => ({
    accessKeyId,
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    caller: { accessKeyId, roleArn: ROLE, principalArn: ROLE },
  }),
};

function verifyDocumented(method: string, url: string, headers: Record<string, string>, payloadHash: string) {
  const head = { method, url, rawHeaders: Object.entries(headers).flat() };
  const authorization = readAuthorization(head);
  if (!authorization) throw new Error('no signature');
  return verifySignature(head, authorization, payloadHash, {
    credentials: documented,
    region: REGION,
    now: new Date('2013-05-24T00:00:00Z'),
  });
}

test("the examples of AWS's S3 documentation verify", (t) => {
  const empty = sha256('');
  const scope = 'Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';
  const common = { Host: 'examplebucket.s3.amazonaws.com', 'x-amz-date': '20130524T000000Z' };
  t.notThrows(() =>
    verifyDocumented(
      'GET',
      '/test.txt',
      {
        ...common,
        Range: 'bytes=0-9',
        'x-amz-content-sha256': empty,
        Authorization: `AWS4-HMAC-SHA256 ${scope},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41`,
      },
      empty,
    ),
  );
  const welcome = sha256('Welcome to Amazon S3.');
  t.notThrows(() =>
    verifyDocumented(
      'PUT',
      '/test$file.text',
      {
        ...common,
        Date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        'x-amz-content-sha256': welcome,
        Authorization: `AWS4-HMAC-SHA256 ${scope},SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd`,
      },
      welcome,
    ),
  );
  t.notThrows(() =>
    verifyDocumented(
      'GET',
      '/?lifecycle',
      {
        ...common,
        'x-amz-content-sha256': empty,
        Authorization: `AWS4-HMAC-SHA256 ${scope},SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543`,
      },
      empty,
    ),
  );
  const presigned = (signature: string) =>
    `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=${signature}`;
  const { Host } = common;
  const right = 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
  t.notThrows(() => verifyDocumented('GET', presigned(right), { Host }, 'UNSIGNED-PAYLOAD'));
  t.throws(() => verifyDocumented('GET', presigned(right.replace('a', 'b')), { Host }, 'UNSIGNED-PAYLOAD'), {
    instanceOf: AwsError,
    message: /signature we calculated/,
  });
});

test('one changed byte of a signed request breaks its signature', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const signed = await signByHeader(url, { ...put, path: '/media/a/b.txt?x-id=PutObject' }, { key });
  const changes: WireRequest[] = [
    { ...signed, method: 'POST' },
    { ...signed, path: '/media/a/c.txt?x-id=PutObject' },
    { ...signed, path: '/media/a/b.txt?x-id=GetObject' },
    { ...signed, path: '/media/a/b.txt?x-id=PutObject&acl' },
    { ...signed, headers: { ...signed.headers, 'x-amz-content-sha256': sha256('hell0') } },
  ];
  for (const change of changes) {
    const answer = await send(url, change);
    t.deepEqual([answer.status, answer.code], [403, 'SignatureDoesNotMatch'], change.path);
  }
  t.is((await send(url, signed)).status, 200);
});

test('whatever the path, query and headers are, what AWS signs verifies', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const encode = (name: string) =>
    encodeURIComponent(name).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('s3', 'lambda', 'execute-api'),
      fc.array(
        word.map((text) => text.replaceAll('/', '+')),
        { minLength: 1, maxLength: 4 },
      ),
      fc.dictionary(word, word, { maxKeys: 4 }),
      fc.stringMatching(/^[ -~]{0,30}$/),
      async (service, segments, query, header) => {
        const search = Object.entries(query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
        const request = {
          method: 'POST',
          path: `/${segments.map(encode).join('/')}?${search.join('&')}`,
          headers: { 'x-amz-meta-note': header },
          body: JSON.stringify(segments),
        };
        const signed = await signByHeader(url, request, { key, service });
        const answer = await send(url, signed);
        t.is(answer.status, 200, answer.body);
      },
    ),
    { numRuns: 150 },
  );
});

test('a clock may be a quarter of an hour off, and no more', async (t) => {
  const now = new Date('2026-11-21T12:00:00Z');
  const { url, key } = await openEchoDoor(t, { now: () => now });
  const ask = async (minutes: number) =>
    send(url, await signByHeader(url, put, { key, at: new Date(now.getTime() + minutes * 60_000) }));
  for (const minutes of [-15, 0, 15]) t.is((await ask(minutes)).status, 200, `${minutes}`);
  for (const minutes of [-16, 16]) {
    const answer = await ask(minutes);
    t.deepEqual([answer.status, answer.code], [403, 'RequestTimeTooSkewed'], `${minutes}`);
  }
});

test('a presigned URL works from its signing to its expiry', async (t) => {
  const signedAt = new Date('2026-11-21T12:00:00Z');
  let now = signedAt;
  const { url, key } = await openEchoDoor(t, { now: () => now });
  const get = { method: 'GET', path: '/media/a' };
  const signed = await signByQuery(url, get, { key, at: signedAt, expiresIn: 60 });
  const after = async (seconds: number) => {
    now = new Date(signedAt.getTime() + seconds * 1000);
    return send(url, signed);
  };
  t.is((await after(0)).status, 200);
  t.is((await after(60)).status, 200);
  const late = await after(61);
  t.deepEqual([late.status, late.code], [403, 'AccessDenied']);
  t.regex(late.body, /<Message>Request has expired<\/Message>.*<X-Amz-Expires>60</);
  t.is((await after(-16 * 60)).code, 'AccessDenied');
});

test('the lifetime of a presigned URL is one second to seven days', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const signed = await signByQuery(url, { method: 'GET', path: '/media/a' }, { key });
  for (const expires of ['0', '-1', '604801', 'soon', '']) {
    const answer = await send(url, {
      ...signed,
      path: signed.path.replace(/X-Amz-Expires=\d+/, `X-Amz-Expires=${expires}`),
    });
    t.deepEqual([answer.status, answer.code], [400, 'AuthorizationQueryParametersError'], expires);
  }
  const week = await signByQuery(url, { method: 'GET', path: '/media/a' }, { key, expiresIn: 604_800 });
  t.is((await send(url, week)).status, 200);
});

test('headers that are sent with x-amz- in their name must be signed, and signed ones must be sent', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const signed = await signByQuery(url, { ...put, headers: { 'content-type': 'image/jpeg' } }, { key });
  t.is((await send(url, signed)).status, 200);
  t.is(
    (await send(url, { ...signed, headers: { 'content-type': 'image/png' } })).code,
    'SignatureDoesNotMatch',
  );
  t.is((await send(url, { ...signed, headers: {} })).code, 'SignatureDoesNotMatch');
  const added = await send(url, { ...signed, headers: { ...signed.headers, 'x-amz-tagging': 'a=b' } });
  t.deepEqual([added.status, added.code], [403, 'AccessDenied']);
  t.regex(added.body, /<HeadersNotSigned>x-amz-tagging</);
  const hostless = signed.path.replace('content-type%3Bhost', 'content-type');
  t.not(hostless, signed.path);
  t.regex((await send(url, { ...signed, path: hostless })).body, /<HeadersNotSigned>host</);
});

test('anonymous and malformed authorisation is refused in the words of S3', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const signed = await signByHeader(url, put, { key });
  const { authorization = '' } = signed.headers ?? {};
  const as = (value: string) => ({ ...signed, headers: { ...signed.headers, authorization: value } });
  const both = await signByQuery(url, put, { key });
  const { 'x-amz-content-sha256': _, ...unhashed } = signed.headers ?? {};
  const cases: [WireRequest, number, string][] = [
    [put, 403, 'AccessDenied'],
    [as('Bearer abc'), 400, 'InvalidArgument'],
    [as('AWS4-HMAC-SHA256 nonsense'), 400, 'AuthorizationHeaderMalformed'],
    [as(authorization.replace('us-east-1', 'eu-west-1')), 400, 'AuthorizationHeaderMalformed'],
    [as(authorization.replace(/\/\d{8}\//, '/20200101/')), 400, 'AuthorizationHeaderMalformed'],
    [as(authorization.replace(key.accessKeyId, 'AKIAIOSFODNN7EXAMPLE')), 403, 'InvalidAccessKeyId'],
    [as(authorization.replace(/Signature=.*/, 'Signature=00')), 403, 'SignatureDoesNotMatch'],
    [{ ...signed, path: both.path }, 400, 'InvalidArgument'],
    [{ ...signed, headers: unhashed }, 400, 'InvalidRequest'],
    [
      { ...put, path: both.path.replace('%2Fus-east-1', '%2Feu-west-1') },
      400,
      'AuthorizationQueryParametersError',
    ],
    [{ ...put, path: both.path.replace(/X-Amz-Date=[^&]+&/, '') }, 400, 'AuthorizationQueryParametersError'],
    [{ ...put, path: '/media/%ff' }, 403, 'AccessDenied'],
    [{ ...put, path: both.path.replace('/a/', '/%ff/') }, 400, 'InvalidURI'],
  ];
  for (const [request, status, code] of cases) {
    const answer = await send(url, request);
    t.deepEqual([answer.status, answer.code], [status, code], answer.body);
  }
});
