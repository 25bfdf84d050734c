import {
  GetBucketCorsCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectCommand,
  RestoreObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import test from 'ava';
import fc from 'fast-check';
import { MEDIA_BUCKET } from '../../support/s3.ts';
import { openS3, refusal } from '../../support/s3-objects.ts';

test('a bucket tells where it is and what is declared of it', async (t) => {
  const { client, Bucket } = await openS3(t);
  t.deepEqual(
    (await client.send(new ListBucketsCommand())).Buckets?.map(({ Name }) => Name),
    [Bucket],
  );
  t.is((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1');
  t.falsy((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint);
  t.is((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status, 'Enabled');
  const { CORSRules } = await client.send(new GetBucketCorsCommand({ Bucket }));
  t.deepEqual(CORSRules?.[0]?.AllowedOrigins, MEDIA_BUCKET.cors[0]?.allowedOrigins);
  const other = { Bucket: 'other', Key: 'k' };
  t.deepEqual(await refusal(t, client.send(new HeadBucketCommand(other))), ['NotFound', 404]);
  t.deepEqual(await refusal(t, client.send(new PutObjectCommand({ ...other, Body: 'x' }))), [
    'NoSuchBucket',
    404,
  ]);
});

test('what the local S3 does not have it refuses, rather than do something else', async (t) => {
  const { client, Bucket, put } = await openS3(t);
  await put('k', 'x');
  t.is((await refusal(t, client.send(new GetObjectAclCommand({ Bucket, Key: 'k' }))))[1], 501);
  t.is((await refusal(t, client.send(new RestoreObjectCommand({ Bucket, Key: 'k' }))))[1], 501);
  t.deepEqual(await refusal(t, put('k', 'x', { ACL: 'public-read' })), [
    'AccessControlListNotSupported',
    400,
  ]);
  t.is((await refusal(t, put('k', 'x', { ObjectLockMode: 'GOVERNANCE' })))[1], 501);
  t.deepEqual(await refusal(t, put('k', 'x', { StorageClass: 'CHEAP' as never })), [
    'InvalidStorageClass',
    400,
  ]);
});

test('a browser may do what the declared CORS rules allow, and reads refusals too', async (t) => {
  const { url, client, Bucket } = await openS3(t);
  const preflight = (origin: string, method: string, headers = 'content-type, X-Amz-Checksum-Sha256') =>
    fetch(`${url}/${Bucket}/k`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers },
    });
  const allowed = await preflight('https://app.example.com', 'PUT');
  t.is(allowed.status, 200);
  t.is(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com');
  t.is(allowed.headers.get('access-control-allow-headers'), 'content-type, x-amz-checksum-sha256');
  t.is(allowed.headers.get('access-control-max-age'), '3600');
  t.is((await preflight('https://pr-7.preview.example.com', 'GET')).status, 200);
  t.is((await preflight('https://evil.example.com', 'PUT')).status, 403);
  t.is((await preflight('https://app.example.com', 'DELETE')).status, 403);
  t.is((await preflight('https://app.example.com', 'PUT', 'x-amz-acl')).status, 403);
  t.is((await fetch(`${url}/${Bucket}/k`, { method: 'OPTIONS' })).status, 400);

  const headers = { origin: 'https://app.example.com' };
  const signed = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'none' }));
  for (const target of [signed, signed.replace(/Signature=../, 'Signature=00')]) {
    const answer = await fetch(target, { headers });
    t.true(answer.status >= 400);
    t.is(answer.headers.get('access-control-allow-origin'), headers.origin);
    t.is(answer.headers.get('access-control-expose-headers'), 'ETag, x-amz-checksum-sha256');
  }
  const foreign = await fetch(signed, { headers: { origin: 'https://evil.example.com' } });
  t.is(foreign.headers.get('access-control-allow-origin'), null);
});

test('keys of any kind are kept apart and listed in the order of their UTF-8 bytes', async (t) => {
  const { put, read, client, Bucket } = await openS3(t);
  const fixed = [
    'a/../b',
    'a/./b',
    'a//b',
    '/a',
    'a b',
    'a+b',
    'a%20b',
    'a%2Fb',
    'a?b#c',
    'é',
    'e\u0301',
    '\u{1f3e0}',
    '\uffee',
    '<&">',
  ];
  const wild = fc.sample(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), {
    numRuns: 60,
    seed: 7,
  });
  const keys = [...new Set([...fixed, ...wild])].filter((key) => !/[\ufffe\uffff]/.test(key));
  for (const key of keys) await put(key, `content of ${key}`);
  for (const key of keys) t.is((await read(key)).toString(), `content of ${key}`, key);

  const listed: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 7, ContinuationToken }));
    listed.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  t.deepEqual(
    listed,
    keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  t.deepEqual(await refusal(t, put('k'.repeat(1025), '')), ['KeyTooLongError', 400]);
});

test('a listing rolls up by delimiter, starts after a key and continues on the next page', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const keys = ['1/raw/a', '1/raw/b', '1/raw/sub/c', '1/raw/sub/d', '1/zip', '10/raw/a', '2/raw/a'];
  for (const key of keys) await put(key, 'x');
  const list = async (input: object) => {
    const page = await client.send(new ListObjectsV2Command({ Bucket, ...input }));
    const names = [
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    ];
    return { names, next: page.NextContinuationToken, truncated: page.IsTruncated, count: page.KeyCount };
  };
  t.deepEqual((await list({ Delimiter: '/' })).names, ['1/', '10/', '2/']);
  t.deepEqual((await list({ Prefix: '1/raw/', Delimiter: '/' })).names, ['1/raw/a', '1/raw/b', '1/raw/sub/']);
  t.deepEqual((await list({ Prefix: '1/', StartAfter: '1/raw/b' })).names, [
    '1/raw/sub/c',
    '1/raw/sub/d',
    '1/zip',
  ]);
  const first = await list({ Delimiter: '/', MaxKeys: 1 });
  t.like(first, { names: ['1/'], truncated: true, count: 1 });
  const second = await list({ Delimiter: '/', MaxKeys: 2, ContinuationToken: first.next });
  t.like(second, { names: ['10/', '2/'], truncated: false, next: undefined });
  t.like(await list({ Prefix: 'none' }), { names: [], truncated: false, count: 0 });
  t.deepEqual((await list({ Prefix: '1/raw/', EncodingType: 'url' })).names.length, 4);
  t.deepEqual(await refusal(t, list({ ContinuationToken: '!' })), ['InvalidArgument', 400]);
});

test('a listing of versions continues in the middle of a key', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const written: (string | undefined)[] = [];
  for (const key of ['a', 'a', 'a', 'b', 'c/1', 'c/2']) written.push((await put(key, key)).VersionId);
  const seen: (string | undefined)[] = [];
  const prefixes: (string | undefined)[] = [];
  let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (marker) {
    const page: ListObjectVersionsCommandOutput = await client.send(
      new ListObjectVersionsCommand({ Bucket, MaxKeys: 2, Delimiter: '/', ...marker }),
    );
    seen.push(...(page.Versions ?? []).map(({ VersionId }) => VersionId));
    prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix));
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    marker =
      page.IsTruncated && KeyMarker !== undefined
        ? { KeyMarker, ...(VersionIdMarker !== undefined && { VersionIdMarker }) }
        : undefined;
  }
  t.deepEqual(seen, [written[2], written[1], written[0], written[3]]);
  t.deepEqual(prefixes, ['c/']);
});
