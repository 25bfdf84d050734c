import { Sha256 } from '@aws-crypto/sha256-js';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SignatureV4 } from '@smithy/signature-v4';
import test, { type ExecutionContext } from 'ava';
import { callbackBody, callbackDispatch } from '../../lambdas/callback-dispatch.ts';
import { verifyCallback } from '../../statemachines/callback-signature.ts';
import { Callback, type CallbackBody, CallbackDispatch, samples } from '../../statemachines/contracts.ts';
import { type Reply, recordingServer, type Seen } from '../support/recording-server.ts';

const CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret', sessionToken: 'token' };
const REGION = 'us-east-1';
const TRACEPARENT = samples.machineInput.traceparent;
const SECRET_ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:callback';

async function dispatching(
  t: ExecutionContext,
  answer: (seen: Seen) => Reply | 'hang up',
  versions: Record<string, string> = { AWSCURRENT: 'one' },
) {
  const service = await recordingServer(t, answer);
  const manager = await recordingServer(t, ({ body }) => {
    const { VersionStage } = JSON.parse(body);
    const SecretString = versions[VersionStage];
    return SecretString
      ? [200, { ARN: SECRET_ARN, SecretString, VersionStages: [VersionStage] }]
      : [400, { __type: 'ResourceNotFoundException', Message: 'no such version' }];
  });
  const client = new SecretsManagerClient({
    endpoint: manager.url,
    region: REGION,
    credentials: CREDENTIALS,
    maxAttempts: 1,
  });
  const dispatch = callbackDispatch(
    {
      CALLBACK_URL: `${service.url}/media-processing/callback`,
      CALLBACK_SECRET_ARN: SECRET_ARN,
      TRACE_HEADER_KEY: 'traceparent',
    },
    client,
  );
  const deliver = (body: unknown = samples.callback) => dispatch(CallbackDispatch.input.parse(body));
  return { deliver, service, manager, versions };
}

const accepted: Reply = [200, { success: true, data: { status: 'accepted' } }];
const verdictOf = (seen: Seen | undefined, secret: string) =>
  verifyCallback([secret], String(seen?.headers['x-toq-signature']), seen?.body ?? '', Date.now() / 1000);

test('a callback arrives signed for gateway and service, with its trace', async (t) => {
  const { deliver, service } = await dispatching(t, () => accepted);
  t.deepEqual(await deliver(), { delivered: true, answer: 'accepted' });
  const [seen] = service.requests;
  if (!seen) return t.fail('nothing arrived');
  t.like(seen, { method: 'POST', path: '/media-processing/callback' });
  t.like(seen.headers, { 'content-type': 'application/json', traceparent: TRACEPARENT });
  t.is(verdictOf(seen, 'one'), 'valid');
  t.is(verdictOf(seen, 'two'), 'mismatch');
  t.like(Callback.parse(JSON.parse(seen.body)), { jobId: 21, status: 'PARTIAL_SUCCESS' });

  // signed again from what arrived, with the same key and time
  const { authorization = '', 'x-amz-date': date = '' } = seen.headers;
  t.regex(authorization, /Credential=AKIATEST\/\d{8}\/us-east-1\/execute-api\/aws4_request/);
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
  for (const name of ['host', 'content-type', 'traceparent', 'x-toq-signature'])
    t.true(names.includes(name), name);
  const own = names.filter((name) => !name.startsWith('x-amz-'));
  const again = await new SignatureV4({
    service: 'execute-api',
    region: REGION,
    credentials: CREDENTIALS,
    sha256: Sha256,
  }).sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: seen.path,
      headers: Object.fromEntries(own.map((name) => [name, String(seen.headers[name])])),
      body: seen.body,
    },
    {
      signingDate: new Date(
        String(date).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
      ),
    },
  );
  t.is(again.headers.authorization, authorization);
});

test('while a secret rotates, both versions sign', async (t) => {
  const { deliver, service } = await dispatching(t, () => accepted, {
    AWSCURRENT: 'new',
    AWSPREVIOUS: 'old',
  });
  await deliver();
  t.is(verdictOf(service.requests[0], 'new'), 'valid');
  t.is(verdictOf(service.requests[0], 'old'), 'valid');
});

test('the secret is read once for several callbacks, and anew after a 401', async (t) => {
  const { deliver, service, manager, versions } = await dispatching(t, (seen) =>
    verdictOf(seen, 'two') === 'valid' || verdictOf(seen, 'one') === 'valid' ? accepted : [401, {}],
  );
  await deliver();
  await deliver();
  t.is(manager.requests.length, 2, 'AWSCURRENT and AWSPREVIOUS');

  versions.AWSCURRENT = 'two';
  const rotated = await dispatching(
    t,
    (seen) => (verdictOf(seen, 'two') === 'valid' ? accepted : [401, {}]),
    {
      AWSCURRENT: 'one',
    },
  );
  await t.throwsAsync(rotated.deliver(), { message: /401/ });
  rotated.versions.AWSCURRENT = 'two';
  t.like(await rotated.deliver(), { delivered: true });
  t.is(service.requests.length, 2);
});

test('a refusal is permanent; anything else is to be tried again', async (t) => {
  for (const status of [400, 404, 409, 413]) {
    const { deliver } = await dispatching(t, () => [status, { code: 'unknown_job' }]);
    await t.throwsAsync(deliver(), { name: 'CALLBACK_REFUSED', message: new RegExp(String(status)) });
  }
  for (const answer of [
    [401, {}],
    [403, {}],
    [429, {}],
    [500, 'oops'],
    [503, {}],
    [302, '', { location: 'http://127.0.0.1:1/elsewhere' }],
    [200, 'not json'],
    [200, { success: false }],
    'hang up',
  ] as (Reply | 'hang up')[]) {
    const { deliver } = await dispatching(t, () => answer);
    const error = await t.throwsAsync(deliver());
    t.not(error?.name, 'CALLBACK_REFUSED', JSON.stringify(answer));
  }
});

test('no error of a delivery tells a body, a secret or a signature', async (t) => {
  const { deliver } = await dispatching(t, () => [500, {}], { AWSCURRENT: 'hunter2-secret' });
  const error = await t.throwsAsync(deliver());
  t.notRegex(`${error?.message} ${error?.stack}`, /hunter2|v1=|IMG_2907/);
});

test('a failure report becomes reason, code and sentence', (t) => {
  const body = (status: CallbackBody['status'], error: { Error: string; Cause?: string }) =>
    callbackBody(
      CallbackDispatch.input.parse({
        jobId: 21,
        listingIdentityId: '28',
        status,
        traceparent: TRACEPARENT,
        error,
      }),
    );
  t.like(
    body('FINALIZATION_FAILED', {
      Error: 'RAW_ARCHIVED',
      Cause: JSON.stringify({ errorMessage: 'a.jpg is in the archive.' }),
    }),
    { failureReason: 'RAW_ARCHIVED', error: { code: 'RAW_ARCHIVED', message: 'a.jpg is in the archive.' } },
  );
  t.like(body('FINALIZATION_FAILED', { Error: 'States.Timeout' }), {
    failureReason: 'States.Timeout',
    error: { code: 'BUNDLE_FAILED' },
  });
  t.like(body('VALIDATION_FAILED', { Error: 'Lambda.Unknown', Cause: 'x' }), {
    error: { code: 'VALIDATION_ERROR' },
  });
  t.true(Callback.safeParse(body('PROCESSING_FAILED', { Error: 'States.TaskFailed' })).success);
});
