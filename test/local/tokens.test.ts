import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createCredentials } from '../../local/credentials.ts';
import { createIdentity } from '../../local/identity.ts';
import { createSecurityTokens } from '../../local/security-tokens.ts';
import { ACCOUNT, openDoor, role, trusting } from '../support/front-door.ts';
import { serve } from '../support/serve.ts';

const roles = [
  trusting('backend', { Service: 'ecs-tasks.amazonaws.com' }),
  trusting('uploads', { AWS: role('backend') }),
  trusting('people', { AWS: `arn:aws:iam::${ACCOUNT}:root` }),
];

test('a role is assumed by whom its trust policy names, and its keys are its own', async (t) => {
  const credentials = createCredentials();
  const door = await openDoor(credentials);
  t.teardown(door.close);
  door.services.sts = createSecurityTokens({ roles, accountId: ACCOUNT }, credentials);
  const assume = (caller: string, target: string, about = {}) =>
    new STSClient(door.client(caller)).send(
      new AssumeRoleCommand({ RoleArn: role(target), RoleSessionName: 'upload-7', ...about }),
    );
  const { Credentials, AssumedRoleUser } = await assume('backend', 'uploads', { DurationSeconds: 900 });
  t.is(AssumedRoleUser?.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/uploads/upload-7`);
  t.true(Math.abs(Number(Credentials?.Expiration) - Date.now() - 900_000) < 10_000);
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  const session = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const identity = await new STSClient({ ...door.client('backend'), credentials: session }).send(
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

test('tokens are verified by the published key and name the user and the role', async (t) => {
  const identity = await createIdentity({ issuer: 'here', audience: 'us' });
  await using server = await serve((_, response) => response.end(JSON.stringify(identity.jwks)));
  const keys = createRemoteJWKSet(new URL(server.origin));
  const token = await identity.token({ id: 4, role: 'photographer' });
  const { payload } = await jwtVerify(token, keys, { issuer: 'here', audience: 'us', algorithms: ['ES256'] });
  t.like(payload, { sub: '4', role: 'photographer' });
  t.deepEqual(
    identity.jwks.keys.map(({ d }) => d),
    [undefined],
    'the private half stays',
  );
});
