import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import { AwsError } from '../../local/aws-error.ts';
import { createCredentials } from '../../local/credentials.ts';
import { openEchoDoor, REGION, role } from '../support/front-door.ts';
import { exchange, headerLines, send, signByHeader, signByQuery, type WireRequest } from '../support/wire.ts';

const ROLE = role('photographer-api');

const put: WireRequest = { method: 'PUT', path: '/media/a/b.txt', body: 'hello' };

test('a signed request reaches its service with the role of its key', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const answer = await send(url, await signByHeader(url, put, { key }));
  t.is(answer.status, 200);
  t.deepEqual(JSON.parse(answer.body), {
    service: 's3',
    body: 'hello',
    presigned: false,
    caller: {
      accessKeyId: key.accessKeyId,
      roleArn: ROLE,
      principalArn: 'arn:aws:sts::000000000000:assumed-role/photographer-api/local',
    },
  });
  t.regex(String(answer.headers['x-amz-request-id']), /^[0-9A-F]{16}$/);
});

test('each role has one key of its own', (t) => {
  const credentials = createCredentials();
  const key = credentials.issueAccessKey(ROLE);
  const other = credentials.issueAccessKey(`${ROLE}-2`);
  t.regex(key.accessKeyId, /^AKIA[A-Z2-7]{16}$/);
  t.is(key.secretAccessKey.length, 40);
  t.deepEqual(credentials.issueAccessKey(ROLE), key);
  t.not(other.accessKeyId, key.accessKeyId);
  t.is(credentials.find(other.accessKeyId)?.caller.roleArn, `${ROLE}-2`);
  t.throws(() => credentials.issueAccessKey('photographer'), { instanceOf: TypeError });
});

test('a session works with its token until it expires', async (t) => {
  let now = new Date();
  const { url, credentials } = await openEchoDoor(t, { now: () => now });
  const session = credentials.issueSession(ROLE, 'visit', 900);
  t.regex(session.accessKeyId, /^ASIA/);
  const ask = async (key: Parameters<typeof signByHeader>[2]['key']) =>
    send(url, await signByHeader(url, put, { key, at: now }));

  const answer = await ask(session);
  t.like(JSON.parse(answer.body), {
    caller: { roleArn: ROLE, principalArn: 'arn:aws:sts::000000000000:assumed-role/photographer-api/visit' },
  });
  const { sessionToken: _, ...bare } = session;
  t.is((await ask(bare)).code, 'InvalidAccessKeyId');
  t.is((await ask({ ...session, sessionToken: `${session.sessionToken}x` })).code, 'InvalidToken');
  const long = await signByQuery(
    url,
    { method: 'GET', path: '/media/a' },
    { key: session, at: now, expiresIn: 7200 },
  );
  t.is((await send(url, long)).status, 200);

  now = new Date(now.getTime() + 901_000);
  t.is((await ask(session)).code, 'ExpiredToken');
  t.is((await send(url, long)).code, 'ExpiredToken', 'a URL dies with the session that signed it');
});

test("a SDK hears refusals as its own service's exceptions", async (t) => {
  const { url, key } = await openEchoDoor(t, {
    services: {
      states: async () => {
        throw new AwsError('ExecutionAlreadyExists', 400, 'Execution already exists');
      },
      lambda: async () => {
        throw new Error('a bug');
      },
    },
    report: () => {},
  });
  const config = { endpoint: url, region: REGION, maxAttempts: 1 };
  const wrong = { ...key, secretAccessKey: 'x' };
  const start = new StartExecutionCommand({ stateMachineArn: 'arn' });
  const states = (credentials: typeof key) => new SFNClient({ ...config, credentials }).send(start);
  await t.throwsAsync(states(key), { name: 'ExecutionAlreadyExists' });
  await t.throwsAsync(states(wrong), { name: 'InvalidSignatureException' });
  await t.throwsAsync(states({ ...key, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }), {
    name: 'UnrecognizedClientException',
  });

  const identity = (credentials: typeof key) =>
    new STSClient({ ...config, credentials }).send(new GetCallerIdentityCommand());
  await t.throwsAsync(identity(wrong), { name: 'SignatureDoesNotMatch' });
  await t.throwsAsync(identity(key), { name: 'UnknownService' }, 'what is not declared to run is said');

  const lambda = new LambdaClient({ ...config, credentials: key });
  await t.throwsAsync(
    lambda.send(new InvokeCommand({ FunctionName: 'arn:aws:lambda:us-east-1:0:function:f' })),
    {
      name: 'InternalServerException',
    },
  );
});

test('an unsigned call of a JSON protocol lacks its authentication token', async (t) => {
  const { url } = await openEchoDoor(t);
  const answer = await send(url, {
    method: 'POST',
    path: '/',
    headers: {
      'x-amz-target': 'AWSStepFunctions.StartExecution',
      'content-type': 'application/x-amz-json-1.0',
    },
    body: '{}',
  });
  t.is(answer.status, 403);
  t.is(JSON.parse(answer.body).__type, 'MissingAuthenticationTokenException');
});

test('the body of a service other than S3 is signed, whole and of bounded size', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const post = {
    method: 'POST',
    path: '/2015-03-31/functions/arn%3Aaws%3Alambda/invocations',
    body: '{"a":1}',
  };
  const signed = await signByHeader(url, post, { key, service: 'lambda' });
  t.like(JSON.parse((await send(url, signed)).body), { body: '{"a":1}', service: 'lambda' });
  t.is((await send(url, { ...signed, body: '{"a":2}' })).status, 403);
  const huge = await signByHeader(url, { ...post, body: 'x'.repeat(10_485_761) }, { key, service: 'lambda' });
  t.is((await send(url, huge)).status, 413);
});

test('what the role may not do is refused after its signature is known to be right', async (t) => {
  const { url, key } = await openEchoDoor(t, {
    authorize({ caller, request }) {
      if (request.method === 'PUT') throw new AwsError('AccessDenied', 403, `${caller.roleArn} may not`);
    },
  });
  const refused = await send(url, await signByHeader(url, put, { key }));
  t.deepEqual([refused.status, refused.code], [403, 'AccessDenied']);
  t.true(refused.body.includes(ROLE));
  const get = { method: 'GET', path: '/media/a' };
  t.is((await send(url, await signByHeader(url, get, { key }))).status, 200);
});

test('a body that is not wanted is never asked for', async (t) => {
  const { url } = await openEchoDoor(t);
  const answer = await exchange(url, [
    'PUT /media/a HTTP/1.1',
    'Host: x',
    'Content-Length: 5',
    'Expect: 100-continue',
  ]);
  t.regex(answer, /^HTTP\/1\.1 403 /);
  t.false(answer.includes('100 Continue'));
});

test('a body that ends early is an IncompleteBody, and what is no HTTP a bad request', async (t) => {
  const { url, key } = await openEchoDoor(t);
  const signed = await signByHeader(url, put, { key });
  const head = ['PUT /media/a/b.txt HTTP/1.1', ...headerLines(signed), 'Content-Length: 5'];
  const short = await exchange(url, head, 'hel');
  t.regex(short, /^HTTP\/1\.1 400 .*<Code>IncompleteBody</s);
  t.regex(await exchange(url, ['nonsense']), /^HTTP\/1\.1 400 /);
});
