import { Sha256 } from '@aws-crypto/sha256-js';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { SignatureV4 } from '@smithy/signature-v4';
import test from 'ava';
import type { PolicyDocument } from '../../../local/graph/manifest.ts';
import { createAuthority } from '../../../local/iam/authority.ts';
import { openDeclaredCloud } from '../../support/declared-cloud.ts';
import {
  explicit,
  identity,
  outcome,
  PROJECT,
  RAW,
  roleAttempts,
  VARIANT,
  ZIP,
} from '../../support/role-attempts.ts';

const cloud = await openDeclaredCloud();
test.after.always(cloud.close);
const { manifest, activity, roleArn, as } = cloud;
const { Bucket, fill, get, put, receive, s3, send } = roleAttempts(cloud);
test.before(fill);

test('a refusal is logged in the same words', async (t) => {
  const said = await outcome(get('lambda-validate', ZIP));
  t.true(activity.lines().some(({ source, text }) => source === 'iam' && `User: ${text}` === said));
  t.true(cloud.permissions().denied.some((sentence) => `User: ${sentence}` === said));
});

// before the others, which go over TLS
test.serial('nothing goes over plain HTTP, whoever asks', async (t) => {
  cloud.wire.tls = false;
  t.teardown(() => {
    cloud.wire.tls = true;
  });
  for (const attempt of [get('admin', RAW), put('backend', RAW), send('backend'), receive('lambda-start')]) {
    t.regex(await outcome(attempt), explicit);
  }
});

const without = (document: PolicyDocument, sid: string): PolicyDocument => ({
  ...document,
  Statement: [document.Statement].flat().filter((statement) => Object(statement).Sid !== sid),
});

test('a call to KMS is asked of the key as well, by role and by service', async (t) => {
  const { executionRoleArn, secrets: references } = manifest.container;
  const reference = references.CALLBACK_SECRET ?? '';
  const topicArn = manifest.topics[0]?.arn ?? '';
  const withKey = (...sids: string[]) =>
    createAuthority({
      declared: {
        ...manifest,
        keys: manifest.keys.map((declared) => ({
          ...declared,
          policy: sids.reduce(without, declared.policy),
        })),
      },
    });
  await t.notThrowsAsync(withKey().readSecret(executionRoleArn, reference));
  await t.notThrowsAsync(withKey().publish(topicArn));
  await t.throwsAsync(withKey('Use').readSecret(executionRoleArn, reference), {
    message: /kms:Decrypt on resource: .* because no resource-based policy allows the kms:Decrypt action$/,
  });
  await t.throwsAsync(withKey('Events').publish(topicArn), {
    message: /^User: events\.amazonaws\.com .*kms:/,
  });
});

test('a topic lets EventBridge publish, a role lets its own service act as it, and both nobody else', async (t) => {
  const authority = createAuthority({ declared: manifest });
  const closed = createAuthority({
    declared: {
      ...manifest,
      topics: manifest.topics.map((topic) => ({
        ...topic,
        ...(topic.policy && { policy: without(topic.policy, 'Events') }),
      })),
    },
  });
  await t.throwsAsync(closed.publish(manifest.topics[0]?.arn ?? ''), { message: /sns:Publish/ });
  await t.notThrowsAsync(authority.assume('lambda.amazonaws.com', roleArn('lambda-zip')));
  await t.throwsAsync(authority.assume('lambda.amazonaws.com', roleArn('backend')), {
    message: /sts:AssumeRole/,
  });
  await t.throwsAsync(authority.assume('mediaconvert.amazonaws.com', roleArn('stepfunctions')), {
    message: /sts:AssumeRole/,
  });
});

test('a log group takes the events of its own rule, as long as the program lets EventBridge write there', async (t) => {
  const targets = manifest.rules.flatMap((rule) => rule.targets.map(({ arn }) => ({ rule: rule.arn, arn })));
  const kept = targets.find(({ arn }) => arn.startsWith('arn:aws:logs:'));
  if (!kept) throw new Error('no rule has a log group for a target');
  const another = manifest.rules.find(({ arn }) => arn !== kept.rule)?.arn ?? '';
  const authority = createAuthority({ declared: manifest });
  await t.notThrowsAsync(authority.logEvent(kept.arn, kept.rule));
  await t.throwsAsync(authority.logEvent(kept.arn, another), { message: /logs:PutLogEvents on resource: / });
  await t.throwsAsync(authority.logEvent(`${kept.arn}-another`, kept.rule), {
    message: /logs:CreateLogStream/,
  });
  const closed = createAuthority({ declared: { ...manifest, logPolicies: [] } });
  await t.throwsAsync(closed.logEvent(kept.arn, kept.rule), { message: /logs:CreateLogStream/ });
});

test('the callback route is for callback-dispatch alone', async (t) => {
  const call = async (role: string) => {
    const signer = new SignatureV4({
      service: 'execute-api',
      region: manifest.region,
      credentials: as(role).credentials,
      sha256: Sha256,
    });
    const { hostname, port, host, origin } = new URL(cloud.gatewayUrl);
    const signed = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname,
      port: Number(port),
      path: '/media-processing/callback',
      headers: { host, 'content-type': 'application/json' },
      body: '{}',
      query: {},
    });
    const { host: _, ...headers } = signed.headers;
    return (await fetch(`${origin}${signed.path}`, { method: 'POST', headers, body: '{}' })).status;
  };
  // there is no service behind the gateway here
  t.is(await call('lambda-callback-dispatch'), 503);
  t.is(await call('lambda-zip'), 403);
  t.is(await call('backend'), 403);
});

test('who may not list is not told whether an object is there; who may is', async (t) => {
  const missing = await t.throwsAsync(get('lambda-validate', '7/raw/photo/horizontal/none.jpg'));
  t.is(missing?.name, 'NoSuchKey');
  const hidden = await t.throwsAsync(get('mediaconvert', '7/raw/video/horizontal/none.mp4'));
  t.is(hidden?.name, 'AccessDenied');
  t.regex(String(hidden?.message), /s3:ListBucket/);
});

test('a presigned upload may do what its signer may, and its tags need a permission of their own', async (t) => {
  const url = async (role: string, Tagging?: string) =>
    getSignedUrl(s3(role), new PutObjectCommand({ Bucket, Key: PROJECT, ...(Tagging && { Tagging }) }), {
      unhoistableHeaders: new Set(['x-amz-tagging']),
    });
  const status = async (address: string, headers: Record<string, string> = {}) =>
    (await fetch(address, { method: 'PUT', body: 'x', headers })).status;
  const tagged = { 'x-amz-tagging': 'stage=raw' };
  t.is(await status(await url('project-uploads')), 200);
  t.is(await status(await url('project-uploads', 'stage=raw'), tagged), 200);
  t.is(await status(await url('lambda-zip')), 403);
  t.is(await status(await url('mediaconvert', 'stage=raw'), tagged), 403);
});

test('a presigned URL is refused when it is older than ours live, however long it says it lives', async (t) => {
  const MINUTE = 60_000;
  const signed = (minutesAgo: number) => ({
    expiresIn: 6 * 3600,
    signingDate: new Date(Date.now() - minutesAgo * MINUTE),
  });
  const upload = async (minutesAgo: number) => {
    const url = await getSignedUrl(
      s3('project-uploads'),
      new PutObjectCommand({ Bucket, Key: PROJECT }),
      signed(minutesAgo),
    );
    return (await fetch(url, { method: 'PUT', body: 'x' })).status;
  };
  const download = async (minutesAgo: number) => {
    const url = await getSignedUrl(
      s3('backend'),
      new GetObjectCommand({ Bucket, Key: VARIANT }),
      signed(minutesAgo),
    );
    return (await fetch(url)).status;
  };
  t.deepEqual([await upload(14), await upload(16)], [200, 403]);
  t.deepEqual([await download(59), await download(61)], [200, 403]);
});

test('of several objects to delete, each refused one is named', async (t) => {
  const { Errors, Deleted } = await s3('backend').send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: RAW }, { Key: VARIANT }] } }),
  );
  t.is(Deleted, undefined);
  t.deepEqual(
    Errors?.map(({ Key, Code }) => [Key, Code]),
    [
      [RAW, 'AccessDenied'],
      [VARIANT, 'AccessDenied'],
    ],
  );
  t.is(await outcome(get('backend', RAW)), 'allowed');
  t.regex(await outcome(s3('lambda-zip').send(new GetObjectTaggingCommand({ Bucket, Key: RAW }))), identity);
});
