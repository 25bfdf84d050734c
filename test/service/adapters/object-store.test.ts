import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CopyObjectCommand, GetObjectTaggingCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import test from 'ava';
import { createCredentials } from '../../../local/credentials.ts';
import { startDoor } from '../../../local/front-door.ts';
import { createS3 } from '../../../local/s3/service.ts';
import { createSecurityTokens } from '../../../local/security-tokens.ts';
import { contentDisposition } from '../../../service/adapters/content-disposition.ts';
import { s3ObjectStore, type Upload } from '../../../service/adapters/object-store.ts';
import { assumedRole } from '../../../service/adapters/temporary-credentials.ts';
import { fakeObjectStore } from '../../support/fake-object-store.ts';
import { ACCOUNT, REGION, role } from '../../support/front-door.ts';
import { objectStoreConformance } from '../../support/port-conformance.ts';

const BACKEND = role('backend');
const PROJECT_UPLOADS = role('project-uploads');
const BUCKET = 'media-test';

const directory = await mkdtemp(path.join(tmpdir(), 'object-store-'));
const credentials = createCredentials();
const trust = {
  Statement: [{ Effect: 'Allow', Principal: { AWS: BACKEND }, Action: 'sts:AssumeRole' }],
};
const roles = [{ name: 'project-uploads', arn: PROJECT_UPLOADS, trust, policies: [] }];
const s3Service = createS3({
  buckets: [{ name: BUCKET, arn: `arn:aws:s3:::${BUCKET}`, versioned: true, cors: [] }],
  directory,
});
const door = await startDoor({
  services: { s3: s3Service.service, sts: createSecurityTokens({ accountId: ACCOUNT, roles }, credentials) },
  credentials,
  region: REGION,
});
const client = {
  endpoint: door.url,
  region: REGION,
  credentials: credentials.issueAccessKey(BACKEND),
  maxAttempts: 1,
};
const s3 = new S3Client(client);
const sts = new STSClient(client);
const openStore = (bucket: string) =>
  s3ObjectStore({
    bucket,
    projectCredentials: assumedRole(sts, PROJECT_UPLOADS, 'listing-media'),
    clientConfig: client,
  });
const store = openStore(BUCKET);
test.after.always(async () => {
  await door.close();
  s3Service.close();
  await rm(directory, { recursive: true, force: true });
});

objectStoreConformance(test, 'S3', () => ({
  store,
  put: async (key, content) => {
    await s3.send(
      new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: content, ChecksumAlgorithm: 'SHA256' }),
    );
  },
  archive: async (key) => {
    const copy = {
      Bucket: BUCKET,
      Key: key,
      CopySource: `${BUCKET}/${key}`,
      StorageClass: 'GLACIER',
    } as const;
    await s3.send(new CopyObjectCommand(copy));
  },
}));
objectStoreConformance(test, 'the fake bucket', () => {
  const fake = fakeObjectStore();
  return { store: fake, put: fake.put, archive: fake.archive };
});

const CONTENT = 'not quite a photograph';
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
const upload = (changes: Partial<Upload> = {}): Upload => ({
  key: '28/raw/photo/horizontal/one-garden.jpg',
  contentType: 'image/jpeg',
  bytes: CONTENT.length,
  checksumSha256: sha256(CONTENT),
  project: false,
  ttlSeconds: 900,
  ...changes,
});
const put = async (url: string, headers: Record<string, string>, body = CONTENT) => {
  const response = await fetch(url, { method: 'PUT', headers, body });
  return { status: response.status, code: /<Code>(.*?)<\/Code>/.exec(await response.text())?.[1] };
};

test('a signed upload binds length, type, checksum and tag by its signature, and nothing of it by the query', async (t) => {
  const { url, headers } = await store.presignPut(upload());
  const query = new URL(url).searchParams;
  t.is(
    query.get('X-Amz-SignedHeaders'),
    'content-length;content-type;host;x-amz-checksum-sha256;x-amz-tagging',
  );
  const names = [...query.keys()].map((name) => name.toLowerCase());
  t.false(
    names.some((name) => /checksum|tagging|content/.test(name) && name !== 'x-amz-content-sha256'),
    url,
  );
  t.is(query.get('X-Amz-Expires'), '900');
  t.deepEqual(Object.keys(headers), ['Content-Type', 'x-amz-checksum-sha256', 'x-amz-tagging']);
});

test('an upload as promised is taken, tagged and known by its checksum', async (t) => {
  const { url, headers } = await store.presignPut(upload({ key: '28/raw/photo/horizontal/taken.jpg' }));
  t.like(await put(url, headers), { status: 200 });
  t.like(await store.head('28/raw/photo/horizontal/taken.jpg'), {
    bytes: CONTENT.length,
    checksumSha256: sha256(CONTENT),
  });
  const { TagSet } = await s3.send(
    new GetObjectTaggingCommand({ Bucket: BUCKET, Key: '28/raw/photo/horizontal/taken.jpg' }),
  );
  t.deepEqual(TagSet, [{ Key: 'stage', Value: 'raw' }]);
});

test('S3 refuses what is not as promised', async (t) => {
  const key = '28/raw/photo/horizontal/refused.jpg';
  const { url, headers } = await store.presignPut(upload({ key }));
  const without = (name: string) =>
    Object.fromEntries(Object.entries(headers).filter(([header]) => header !== name));
  const wrongByte = CONTENT.replace('not', 'nut');

  const cases: [string, () => ReturnType<typeof put>, number, RegExp][] = [
    [
      'a wrong byte',
      () => put(url, headers, wrongByte),
      400,
      /BadDigest|XAmzContentChecksumMismatch|InvalidRequest/,
    ],
    ['a byte more', () => put(url, headers, `${CONTENT}!`), 403, /SignatureDoesNotMatch/],
    ['a byte less', () => put(url, headers, CONTENT.slice(1)), 403, /SignatureDoesNotMatch/],
    [
      'another type',
      () => put(url, { ...headers, 'Content-Type': 'text/html' }),
      403,
      /SignatureDoesNotMatch/,
    ],
    [
      'another checksum',
      () =>
        put(
          url,
          { ...headers, 'x-amz-checksum-sha256': Buffer.from(sha256(wrongByte), 'hex').toString('base64') },
          wrongByte,
        ),
      403,
      /SignatureDoesNotMatch/,
    ],
    [
      'no checksum',
      () => put(url, without('x-amz-checksum-sha256')),
      403,
      /SignatureDoesNotMatch|AccessDenied/,
    ],
    ['no tag', () => put(url, without('x-amz-tagging')), 403, /SignatureDoesNotMatch|AccessDenied/],
    [
      'another tag',
      () => put(url, { ...headers, 'x-amz-tagging': 'stage=final' }),
      403,
      /SignatureDoesNotMatch/,
    ],
    ['another key', () => put(url.replace('refused', 'other'), headers), 403, /SignatureDoesNotMatch/],
    [
      'a longer life',
      () => put(url.replace('Expires=900', 'Expires=9000'), headers),
      403,
      /SignatureDoesNotMatch/,
    ],
  ];
  for (const [title, attempt, status, code] of cases) {
    const answer = await attempt();
    t.is(answer.status, status, `${title}: ${answer.code}`);
    t.regex(answer.code ?? '', code, title);
  }
  t.is(await store.head(key), null);

  const { url: brief, headers: same } = await store.presignPut(upload({ key, ttlSeconds: 1 }));
  await sleep(2_100);
  t.is((await put(brief, same)).status, 403);
  t.is(await store.head(key), null);
});

test("a project's upload is signed with the role's session, which is kept while it lasts long enough", async (t) => {
  const keyOf = async (ttlSeconds: number) => {
    const { url } = await store.presignPut(
      upload({ key: '28/raw/project/doc/plan.pdf', project: true, ttlSeconds }),
    );
    const query = new URL(url).searchParams;
    t.truthy(query.get('X-Amz-Security-Token'));
    return query.get('X-Amz-Credential')?.split('/')[0] ?? '';
  };
  const [first, second] = await Promise.all([keyOf(900), keyOf(900)]);
  t.is(first, second);
  t.is(credentials.find(first)?.caller.roleArn, PROJECT_UPLOADS);
  t.is(await keyOf(900), first);

  // a session of an hour does not outlive an hour and a minute
  t.not(await keyOf(3600), first);

  const { url, headers } = await store.presignPut(
    upload({ key: '28/raw/project/doc/plan.pdf', project: true }),
  );
  t.like(await put(url, headers), { status: 200 });
});

test('a role that may not be assumed is tried again the next time', async (t) => {
  const assume = assumedRole(sts, role('late'), 'listing-media');
  await t.throwsAsync(assume(900), { name: 'AccessDenied' });
  roles.push({ name: 'late', arn: role('late'), trust, policies: [] });
  t.truthy((await assume(900)).sessionToken);
});

test('a signed download comes with its name, in every script', async (t) => {
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: '28/processed/x.jpg', Body: CONTENT }));
  const filename = 'Küche 台所 (1).jpg';
  const response = await fetch(
    await store.presignGet({ key: '28/processed/x.jpg', filename, ttlSeconds: 60 }),
  );
  t.is(await response.text(), CONTENT);
  t.is(response.headers.get('content-disposition'), contentDisposition(filename));
});

test('a file name fits into Content-Disposition whatever is in it', (t) => {
  t.is(contentDisposition('garden.jpg'), 'attachment; filename="garden.jpg"');
  t.is(contentDisposition('Küche.jpg'), `attachment; filename="Kuche.jpg"; filename*=UTF-8''K%C3%BCche.jpg`);
  t.is(
    contentDisposition('a"b\\c\r\nX: y\uD800*.jpg'),
    `attachment; filename="a_b_c__X: y_*.jpg"; filename*=UTF-8''a%22b%5Cc%0D%0AX%3A%20y%EF%BF%BD%2A.jpg`,
  );
});

test('a bucket that is not there is not reachable', async (t) => {
  const signal = AbortSignal.timeout(5_000);
  await t.notThrowsAsync(store.reachable(signal));
  await t.throwsAsync(openStore('another-bucket').reachable(signal), { name: 'NotFound' });
});
