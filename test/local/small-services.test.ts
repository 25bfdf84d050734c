import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { containerEnvironment } from '../../local/container.ts';
import { createCredentials } from '../../local/credentials.ts';
import { type BusEvent, createEvents, matches, type Pattern } from '../../local/events.ts';
import { startDoor } from '../../local/front-door.ts';
import { startGateway } from '../../local/gateway.ts';
import type { Container, Role } from '../../local/graph/manifest.ts';
import { createIdentity } from '../../local/identity.ts';
import { createQueues } from '../../local/queues.ts';
import { createSecrets } from '../../local/secrets.ts';
import { createSecurityTokens } from '../../local/security-tokens.ts';
import { ACCOUNT, REGION, role } from '../support/front-door.ts';
import { send, signByHeader } from '../support/wire.ts';

const trusting = (name: string, Principal: unknown): Role => ({
  name,
  arn: role(name),
  trust: { Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }] },
  policies: [],
});
const roles = [
  trusting('backend', { Service: 'ecs-tasks.amazonaws.com' }),
  trusting('uploads', { AWS: role('backend') }),
  trusting('people', { AWS: `arn:aws:iam::${ACCOUNT}:root` }),
];
const arnOf = (name: string) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-a1B2c3`;
const secrets = createSecrets([
  { name: 'callback', arn: arnOf('callback'), value: 'first' },
  { name: 'database', arn: arnOf('database'), value: '{"username":"app","password":"p:w"}' },
  { name: 'empty', arn: arnOf('empty') },
]);
const topic = { name: 'alerts', arn: `arn:aws:sns:${REGION}:${ACCOUNT}:alerts` };
const failed = {
  source: ['aws.mediaconvert'],
  detail: { status: ['ERROR'], queue: [{ prefix: 'arn:aws:mediaconvert:' }] },
};
const directory = await mkdtemp(path.join(tmpdir(), 'toq-small-services-'));
const credentials = createCredentials();
const queue = { name: 'inbox', arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:inbox`, url: '', attributes: {} };
const services: Parameters<typeof startDoor>[0]['services'] = {};
const door = await startDoor({ services, credentials, region: REGION });
queue.url = `${door.url}/${ACCOUNT}/inbox`;
const queues = await createQueues({ queues: [queue], topics: [topic], region: REGION, directory });
const events = createEvents({
  manifest: {
    region: REGION,
    accountId: ACCOUNT,
    rules: [
      { name: 'failed', arn: 'arn:rule', pattern: failed, targets: [{ id: 'alerts', arn: topic.arn }] },
    ],
  },
  deliver: (target, event) => queues.publish(target, JSON.stringify(event)),
  report: (error) => {
    throw error;
  },
});
Object.assign(services, {
  secretsmanager: secrets.service,
  sts: createSecurityTokens({ roles, accountId: ACCOUNT }, credentials),
  events: events.service,
  sqs: queues.sqs,
  sns: queues.sns,
});
const as = (name: string) => ({
  endpoint: door.url,
  region: REGION,
  credentials: credentials.issueAccessKey(role(name)),
  maxAttempts: 1,
});
test.after.always(async () => {
  await door.close();
  await queues.close();
  await rm(directory, { recursive: true, force: true });
});

test.serial(
  'a secret is read by name or ARN, and a new version leaves the one before as AWSPREVIOUS',
  async (t) => {
    const client = new SecretsManagerClient(as('backend'));
    const read = async (SecretId: string, VersionStage?: string) =>
      (await client.send(new GetSecretValueCommand({ SecretId, VersionStage }))).SecretString;
    t.is(await read('callback'), 'first');
    t.is(await read(arnOf('callback')), 'first');
    t.is(await read(arnOf('callback').slice(0, -7)), 'first');
    t.is((await t.throwsAsync(read('callback', 'AWSPREVIOUS')))?.name, 'ResourceNotFoundException');

    await client.send(new PutSecretValueCommand({ SecretId: 'callback', SecretString: 'second' }));
    t.is(await read('callback'), 'second');
    t.is(await read('callback', 'AWSPREVIOUS'), 'first');
    await client.send(new PutSecretValueCommand({ SecretId: 'callback', SecretString: 'third' }));
    t.is(await read('callback', 'AWSPREVIOUS'), 'second');
    const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId: 'callback' }));
    t.deepEqual(
      Object.values(VersionIdsToStages ?? {})
        .flat()
        .sort(),
      ['AWSCURRENT', 'AWSPREVIOUS'],
    );

    const token = 'a'.repeat(32);
    const put = (SecretString: string) =>
      client.send(
        new PutSecretValueCommand({
          SecretId: 'callback',
          SecretString,
          ClientRequestToken: token,
          VersionStages: ['NEXT'],
        }),
      );
    await put('fourth');
    await put('fourth');
    t.is((await t.throwsAsync(put('fifth')))?.name, 'ResourceExistsException');
    t.is(await read('callback'), 'third');
    t.is(await read('callback', 'NEXT'), 'fourth');
    t.is((await t.throwsAsync(read('empty')))?.name, 'ResourceNotFoundException');
    t.is((await t.throwsAsync(read('nobody')))?.name, 'ResourceNotFoundException');
  },
);

test('a container gets its declared variables, its secrets and its keys, and nothing else', (t) => {
  t.throws(() => secrets.resolve(`${arnOf('database')}:nothing::`), { message: /no key nothing/ });
  const container: Container = {
    name: 'service',
    taskRoleArn: role('backend'),
    executionRoleArn: role('backend'),
    port: 3000,
    environment: { ENV: 'local', LOG_LEVEL: 'info' },
    secrets: {
      DATABASE_USER: `${arnOf('database')}:username::`,
      DATABASE_PASSWORD: `${arnOf('database')}:password:AWSCURRENT:`,
      WHOLE: arnOf('database'),
    },
    stopTimeoutSeconds: 30,
  };
  const given = containerEnvironment({
    container,
    resolveSecret: secrets.resolve,
    credentials: { accessKeyId: 'AKIA', secretAccessKey: 'key' },
    awsEndpointUrl: 'http://127.0.0.1:1',
    region: REGION,
    overrides: { LOG_LEVEL: 'debug' },
  });
  t.deepEqual(given, {
    ENV: 'local',
    LOG_LEVEL: 'debug',
    DATABASE_USER: 'app',
    DATABASE_PASSWORD: 'p:w',
    WHOLE: '{"username":"app","password":"p:w"}',
    HOST: '127.0.0.1',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SECRET_ACCESS_KEY: 'key',
  });
});

test('a role is assumed by whom its trust policy names, and its keys are its own', async (t) => {
  const assume = (caller: string, target: string, about = {}) =>
    new STSClient(as(caller)).send(
      new AssumeRoleCommand({ RoleArn: role(target), RoleSessionName: 'upload-7', ...about }),
    );
  const { Credentials, AssumedRoleUser } = await assume('backend', 'uploads', { DurationSeconds: 900 });
  t.is(AssumedRoleUser?.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/uploads/upload-7`);
  t.true(Math.abs(Number(Credentials?.Expiration) - Date.now() - 900_000) < 10_000);
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  const session = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const identity = await new STSClient({ ...as('backend'), credentials: session }).send(
    new GetCallerIdentityCommand({}),
  );
  t.is(identity.Arn, AssumedRoleUser?.Arn);

  t.truthy((await assume('uploads', 'people')).Credentials, 'its account is trusted');
  for (const [caller, target] of [
    ['people', 'uploads'],
    ['uploads', 'backend'],
    ['backend', 'nobody'],
  ] as const) {
    t.is((await t.throwsAsync(assume(caller, target)))?.name, 'AccessDenied', `${caller} → ${target}`);
  }
  t.regex(String(await t.throwsAsync(assume('backend', 'uploads', { DurationSeconds: 60 }))), /900/);
});

test('PutEvents reaches the topics of the rules that match, and says which entries it did not understand', async (t) => {
  const inbox = new SQSClient(as('people'));
  await new SNSClient(as('people')).send(
    new SubscribeCommand({ TopicArn: topic.arn, Protocol: 'sqs', Endpoint: queue.arn }),
  );
  const entry = (Detail: string) => ({ Source: 'aws.mediaconvert', DetailType: 'Job', Detail });
  const { FailedEntryCount, Entries } = await new EventBridgeClient(as('backend')).send(
    new PutEventsCommand({
      Entries: [
        entry(JSON.stringify({ status: 'COMPLETE', queue: 'arn:aws:mediaconvert:q' })),
        entry(JSON.stringify({ status: 'ERROR', queue: 'arn:aws:mediaconvert:q', jobId: '7' })),
        entry('no json'),
      ],
    }),
  );
  t.is(FailedEntryCount, 1);
  t.is(Entries?.[2]?.ErrorCode, 'MalformedDetail');
  const receive = async (seconds: number) => {
    const command = new ReceiveMessageCommand({
      QueueUrl: queue.url,
      WaitTimeSeconds: seconds,
      MaxNumberOfMessages: 10,
    });
    return (await inbox.send(command)).Messages ?? [];
  };
  const [message, ...others] = await receive(10);
  t.is(others.length, 0);
  const { Message } = JSON.parse(String(message?.Body)) as { Message: string };
  const event: BusEvent = JSON.parse(Message);
  t.is(event.id, String(Entries?.[1]?.EventId));
  t.like(event, { version: '0', source: 'aws.mediaconvert', region: REGION, detail: { jobId: '7' } });
  t.deepEqual(await receive(0), []);
});

test('a pattern matches any of its values in every field, and arrays by any element', (t) => {
  const event = {
    source: 'a',
    resources: ['x', 'y'],
    detail: { n: 3, flag: true, gone: null, name: 'poster.jpg' },
  };
  const cases: [Pattern, boolean][] = [
    [{ source: ['b', 'a'] }, true],
    [{ source: ['b'] }, false],
    [{ resources: ['y'] }, true],
    [{ detail: { n: [3], flag: [true], gone: [null] } }, true],
    [{ detail: { n: ['3'] } }, false],
    [{ detail: { name: [{ suffix: '.jpg' }] } }, true],
    [{ detail: { name: [{ prefix: 'x' }, { prefix: 'post' }] } }, true],
    [{ detail: { other: [{ exists: false }], n: [{ exists: true }] } }, true],
    [{ detail: { n: [{ 'anything-but': [1, 2] }] } }, true],
    [{ detail: { n: [{ 'anything-but': 3 }] } }, false],
    [{ detail: { missing: { deeper: ['x'] } } }, false],
  ];
  for (const [pattern, expected] of cases) t.is(matches(pattern, event), expected, JSON.stringify(pattern));
  const unsupported = {
    rules: [{ name: 'odd', arn: '', pattern: { n: [{ numeric: ['>', 1] }] }, targets: [] }],
  };
  t.throws(
    () =>
      createEvents({
        manifest: { region: REGION, accountId: ACCOUNT, ...unsupported },
        deliver() {},
        report() {},
      }),
    { message: /rule odd/ },
  );
});

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A service behind the gateway that tells what reached it. */
async function echo() {
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    response.writeHead(incoming.url === '/api/v2/teapot' ? 418 : 200, {
      'content-type': 'application/json',
      connection: 'x-hop, keep-alive',
      'x-hop': 'for one connection',
      'set-cookie': ['a=1', 'b=2'],
    });
    const { method, url, headers } = incoming;
    response.end(JSON.stringify({ method, url, headers, body } satisfies Seen));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, url: new URL(`http://127.0.0.1:${port}`) };
}

test('the gateway passes declared routes on, signed where they ask for it, and nothing else', async (t) => {
  const service = await echo();
  t.teardown(() => service.server.close());
  const gateway = await startGateway({
    api: {
      id: 'local',
      arn: 'arn',
      executionArn: 'arn',
      endpoint: '',
      routes: [
        { key: 'ANY /api/v2/{proxy+}', authorization: 'NONE' },
        { key: 'GET /api/v2/items/{id}', authorization: 'NONE', overwritePath: '/item' },
        {
          key: 'POST /media-processing/callback',
          authorization: 'AWS_IAM',
          overwritePath: '/internal/media-processing/callback',
        },
      ],
    },
    target: service.url,
    credentials,
    region: REGION,
  });
  t.teardown(gateway.close);

  const plain = await send(gateway.url, {
    method: 'PATCH',
    path: '/api/v2/a%20b?x=1&y=%2F',
    headers: {
      connection: 'x-mine',
      'x-mine': '1',
      te: 'trailers',
      'x-forwarded-for': '10.0.0.1',
      'x-kept': 'yes',
    },
    body: 'hello',
  });
  t.is(plain.status, 200);
  t.deepEqual(plain.headers['set-cookie'], ['a=1', 'b=2']);
  t.is(plain.headers['x-hop'], undefined);
  const seen: Seen = JSON.parse(plain.body);
  t.like(seen, { method: 'PATCH', url: '/api/v2/a%20b?x=1&y=%2F', body: 'hello' });
  t.is(seen.headers['x-mine'], undefined);
  t.is(seen.headers.te, undefined);
  t.is(seen.headers['x-kept'], 'yes');
  t.is(seen.headers['x-forwarded-for'], '10.0.0.1, 127.0.0.1');
  t.is(seen.headers.host, service.url.host);

  t.is((await send(gateway.url, { method: 'GET', path: '/api/v2/teapot' })).status, 418);
  const item: Seen = JSON.parse(
    (await send(gateway.url, { method: 'GET', path: '/api/v2/items/7?q=1' })).body,
  );
  t.is(item.url, '/item?q=1', 'the more specific route wins');

  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/internal/media-processing/callback'],
    ['POST', '/internal/media-processing/callback'],
    ['GET', '/media-processing/callback'],
    ['GET', '/api/v2'],
    ['GET', '/xapi/v2/a'],
    ['GET', '/api/v2/../../internal/x'],
  ] as const) {
    t.is((await send(gateway.url, { method, path })).status, 404, `${method} ${path}`);
  }

  const callback = { method: 'POST', path: '/media-processing/callback', body: '{"jobId":1}' };
  const key = credentials.issueAccessKey(role('backend'));
  const signed = await signByHeader(gateway.url, callback, { key, service: 'execute-api' });
  const delivered = await send(gateway.url, signed);
  t.is(delivered.status, 200);
  t.like(JSON.parse(delivered.body), { url: '/internal/media-processing/callback', body: '{"jobId":1}' });

  const wrongService = await signByHeader(gateway.url, callback, { key, service: 's3' });
  const stranger = { ...key, accessKeyId: 'AKIANOBODYNOBODYNOBO' };
  const unknown = await signByHeader(gateway.url, callback, { key: stranger, service: 'execute-api' });
  for (const refused of [callback, { ...signed, body: '{"jobId":2}' }, wrongService, unknown]) {
    const answer = await send(gateway.url, refused);
    t.is(answer.status, 403);
    t.deepEqual(JSON.parse(answer.body), { message: 'Forbidden' });
  }
});

test('the gateway streams, caps a body at 10 MiB, and answers 503 for a service that is away', async (t) => {
  const service = await echo();
  const gateway = await startGateway({
    api: {
      id: 'local',
      arn: 'arn',
      executionArn: 'arn',
      endpoint: '',
      routes: [{ key: '$default', authorization: 'NONE' }],
    },
    target: service.url,
    credentials,
    region: REGION,
  });
  t.teardown(gateway.close);
  const streamed = await new Promise<string>((resolve, reject) => {
    const outgoing = request(`${gateway.url}/stream`, { method: 'POST' }, async (incoming) => {
      let body = '';
      for await (const chunk of incoming) body += chunk;
      resolve(body);
    });
    outgoing.on('error', reject);
    outgoing.write('one ');
    setTimeout(() => outgoing.end('two'), 50);
  });
  t.is(JSON.parse(streamed).body, 'one two');

  const large = await send(gateway.url, {
    method: 'POST',
    path: '/large',
    headers: { 'content-length': String(11 * 1024 ** 2) },
  }).catch((error: NodeJS.ErrnoException) => error);
  t.like(large, { status: 413 });

  await new Promise((resolve) => {
    service.server.close(resolve);
    service.server.closeAllConnections();
  });
  t.is((await send(gateway.url, { method: 'GET', path: '/' })).status, 503);
});

test('tokens are verified by the published key and name the user and the role', async (t) => {
  const identity = await createIdentity({ issuer: 'here', audience: 'us' });
  const server = createServer((_, response) => response.end(JSON.stringify(identity.jwks)));
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${port}/`));
  const token = await identity.token({ id: 4, role: 'photographer' });
  const { payload } = await jwtVerify(token, keys, { issuer: 'here', audience: 'us', algorithms: ['ES256'] });
  t.like(payload, { sub: '4', role: 'photographer' });
  t.deepEqual(
    identity.jwks.keys.map(({ d }) => d),
    [undefined],
    'the private half stays',
  );
});
