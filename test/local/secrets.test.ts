import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import test from 'ava';
import { containerEnvironment } from '../../local/container.ts';
import type { Container } from '../../local/graph/manifest.ts';
import { createSecrets } from '../../local/secrets.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';

const arnOf = (name: string) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-a1B2c3`;

const declared = [
  { name: 'callback', arn: arnOf('callback'), value: 'first' },
  { name: 'database', arn: arnOf('database'), value: '{"username":"app","password":"p:w"}' },
  { name: 'empty', arn: arnOf('empty') },
];

test('a secret is read by name or ARN, and a new version leaves the one before as AWSPREVIOUS', async (t) => {
  const door = await openDoor();
  t.teardown(door.close);
  door.services.secretsmanager = createSecrets(declared).service;
  const client = new SecretsManagerClient(door.client());
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
});

test('a container gets its declared variables, its secrets and its keys, and nothing else', (t) => {
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
    resolveSecret: createSecrets(declared).resolve,
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

test('a key that a secret does not have is named', (t) => {
  const { resolve } = createSecrets(declared);
  t.throws(() => resolve(`${arnOf('database')}:nothing::`), { message: /no key nothing/ });
});
