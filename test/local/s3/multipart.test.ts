import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectAttributesCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import test from 'ava';
import { type OpenedS3, openS3, refusal } from '../../support/s3-objects.ts';

const MIB = 1_048_576;

/** Uploads the parts one by one and returns what Complete needs. */
async function uploadParts(
  { client, Bucket }: OpenedS3,
  Key: string,
  bodies: Buffer[],
  input: Partial<CreateMultipartUploadCommandInput> = {},
) {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...input }));
  const parts: CompletedPart[] = [];
  for (const [i, Body] of bodies.entries()) {
    const { $metadata: _, ...part } = await client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId,
        PartNumber: i + 1,
        Body,
        ...(input.ChecksumAlgorithm && { ChecksumAlgorithm: input.ChecksumAlgorithm }),
      }),
    );
    parts.push({ ...part, PartNumber: i + 1 });
  }
  const complete = (Parts = parts, more = {}) =>
    client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }),
    );
  return { UploadId, parts, complete };
}

test('lib-storage uploads a stream in parts, and the object reads as one', async (t) => {
  const s3 = await openS3(t);
  const body = randomBytes(12 * MIB + 5);
  const pieces = Readable.from(Array.from({ length: 13 }, (_, i) => body.subarray(i * MIB, (i + 1) * MIB)));
  await new Upload({
    client: s3.client,
    params: { Bucket: s3.Bucket, Key: 'multi', Body: pieces, ContentType: 'application/zip', Tagging: 'a=b' },
  }).done();
  const head = await s3.head('multi');
  t.regex(String(head.ETag), /^"[0-9a-f]{32}-3"$/);
  t.like(head, { ContentLength: body.length, ContentType: 'application/zip', ChecksumType: 'COMPOSITE' });
  t.regex(String(head.ChecksumCRC32), /-3$/);
  t.true((await s3.read('multi')).equals(body));
  const across = await s3.read('multi', { Range: `bytes=${5 * MIB - 10}-${10 * MIB + 9}` });
  t.true(across.equals(body.subarray(5 * MIB - 10, 10 * MIB + 10)));
  const third = await s3.get('multi', { PartNumber: 3 });
  t.is(third.PartsCount, 3);
  t.is(third.ContentLength, 2 * MIB + 5);
  await third.Body?.transformToByteArray();
  t.deepEqual(await refusal(t, s3.get('multi', { PartNumber: 4 })), ['InvalidPartNumber', 416]);
  t.deepEqual(
    s3.created.map(({ reason, bytes }) => [reason, bytes]),
    [['CompleteMultipartUpload', body.length]],
  );
});

test('a copy of an object in parts is one in one piece', async (t) => {
  const s3 = await openS3(t);
  const bodies = [randomBytes(5 * MIB), randomBytes(3)];
  await (await uploadParts(s3, 'multi', bodies)).complete();
  await s3.copy('copy', 'multi');
  const head = await s3.head('copy');
  t.regex(String(head.ETag), /^"[0-9a-f]{32}"$/);
  t.is(head.ChecksumType, 'FULL_OBJECT');
  t.true((await s3.read('copy')).equals(Buffer.concat(bodies)));
});

test('a full-object checksum of an upload in parts is checked when it is completed', async (t) => {
  const s3 = await openS3(t);
  const bodies = [randomBytes(5 * MIB), randomBytes(77)];
  const upload = await uploadParts(s3, 'parts', bodies, {
    ChecksumAlgorithm: 'CRC32',
    ChecksumType: 'FULL_OBJECT',
  });
  await s3.put('one piece', Buffer.concat(bodies), { ChecksumAlgorithm: 'CRC32' });
  const { ChecksumCRC32 } = await s3.head('one piece');
  t.deepEqual(await refusal(t, upload.complete(upload.parts, { ChecksumCRC32: 'AAAAAA==' })), [
    'BadDigest',
    400,
  ]);
  t.deepEqual(await refusal(t, upload.complete(upload.parts, { MpuObjectSize: 3 })), ['InvalidRequest', 400]);
  await upload.complete(upload.parts, { ChecksumCRC32 });
  t.like(await s3.head('parts'), { ChecksumCRC32, ChecksumType: 'FULL_OBJECT' });
});

test('an upload in parts is refused as S3 refuses it', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const small = await uploadParts(s3, 'small', [Buffer.from('x'), Buffer.from('y')]);
  t.deepEqual(await refusal(t, small.complete()), ['EntityTooSmall', 400]);
  const [first, last] = small.parts;
  t.deepEqual(await refusal(t, small.complete([{ ...last }, { ...first }])), ['InvalidPartOrder', 400]);
  t.deepEqual(await refusal(t, small.complete([{ ...first, ETag: '"x"' }])), ['InvalidPart', 400]);
  t.deepEqual(
    await refusal(t, small.complete([{ ...first, ChecksumCRC32: undefined }])),
    ['InvalidPart', 400],
    'the checksum that came with the part is missing',
  );
  t.deepEqual(await refusal(t, small.complete([{ ...first, PartNumber: 9 }])), ['InvalidPart', 400]);
  t.deepEqual(await refusal(t, small.complete([])), ['MalformedXML', 400]);

  const sums = await uploadParts(s3, 'sums', [Buffer.from('x')], { ChecksumAlgorithm: 'SHA256' });
  const [{ ETag, PartNumber } = {}] = sums.parts;
  t.deepEqual(
    await refusal(t, sums.complete([{ ETag, PartNumber }])),
    ['InvalidRequest', 400],
    'its checksum is missing',
  );
  const part = { Bucket, Key: 'sums', UploadId: sums.UploadId, PartNumber: 1, Body: 'x' };
  t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, ChecksumAlgorithm: 'CRC32' }))), [
    'InvalidRequest',
    400,
  ]);
  for (const wrong of [0, 10_001]) {
    t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, PartNumber: wrong }))), [
      'InvalidArgument',
      400,
    ]);
  }
  const create = (input: Partial<CreateMultipartUploadCommandInput>) =>
    client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k', ...input }));
  t.deepEqual(await refusal(t, create({ ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' })), [
    'InvalidRequest',
    400,
  ]);
  t.deepEqual(await refusal(t, create({ ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'COMPOSITE' })), [
    'InvalidRequest',
    400,
  ]);
  t.deepEqual(await refusal(t, client.send(new UploadPartCommand({ ...part, Key: 'other' }))), [
    'NoSuchUpload',
    404,
  ]);
  t.deepEqual(await refusal(t, s3.head('small')), ['NotFound', 404]);
});

test('a completed upload may be completed again with the same answer, and never differently', async (t) => {
  const s3 = await openS3(t);
  const upload = await uploadParts(s3, 'twice', [Buffer.from('only')]);
  const once = await upload.complete();
  const { $metadata: _, ...again } = await upload.complete();
  t.like(once, again);
  const [first] = upload.parts;
  t.deepEqual(await refusal(t, upload.complete([{ ...first, ETag: '"x"' }])), ['NoSuchUpload', 404]);
  t.is(s3.created.length, 1);
  const { Versions } = await s3.client.send(new ListObjectVersionsCommand({ Bucket: s3.Bucket }));
  t.is(Versions?.length, 1);
});

test('uploads and parts are listed until they are aborted, and then leave nothing', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const one = await uploadParts(s3, 'l/one', [Buffer.from('x'), Buffer.from('yy')]);
  await uploadParts(s3, 'l/two', []);
  const first = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'l/', MaxUploads: 1 }));
  t.like(first, { IsTruncated: true, NextKeyMarker: 'l/one' });
  const second = await client.send(new ListMultipartUploadsCommand({ Bucket, KeyMarker: 'l/one' }));
  t.deepEqual(
    second.Uploads?.map(({ Key }) => Key),
    ['l/two'],
  );
  const address = { Bucket, Key: 'l/one', UploadId: one.UploadId };
  const parts = await client.send(new ListPartsCommand({ ...address, MaxParts: 1 }));
  t.like(parts, { IsTruncated: true, NextPartNumberMarker: '1' });
  t.is(parts.Parts?.[0]?.ETag, one.parts[0]?.ETag);
  const rest = await client.send(new ListPartsCommand({ ...address, PartNumberMarker: '1' }));
  t.deepEqual(
    rest.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
    [[2, 2]],
  );
  t.is((await s3.blobs()).length, 2);
  await client.send(new AbortMultipartUploadCommand(address));
  t.deepEqual(await s3.blobs(), []);
  t.deepEqual(await refusal(t, client.send(new ListPartsCommand(address))), ['NoSuchUpload', 404]);
});

test('parts can be copied from objects, whole or by range', async (t) => {
  const s3 = await openS3(t);
  const { client, Bucket } = s3;
  const source = randomBytes(6 * MIB);
  await s3.put('source', source);
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'target' }));
  const copy = (PartNumber: number, CopySourceRange?: string) =>
    client.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'target',
        UploadId,
        PartNumber,
        CopySource: `${Bucket}/source`,
        CopySourceRange,
      }),
    );
  const whole = await copy(1);
  const range = await copy(2, 'bytes=10-19');
  t.deepEqual(await refusal(t, copy(3, `bytes=0-${source.length}`)), ['InvalidArgument', 400]);
  t.deepEqual(await refusal(t, copy(3, 'bytes=-5')), ['InvalidArgument', 400]);
  const Parts = [whole, range].map(({ CopyPartResult }, i) => ({
    PartNumber: i + 1,
    ETag: CopyPartResult?.ETag,
  }));
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key: 'target', UploadId, MultipartUpload: { Parts } }),
  );
  t.true((await s3.read('target')).equals(Buffer.concat([source, source.subarray(10, 20)])));
});

test('attributes tell size, checksum and parts', async (t) => {
  const s3 = await openS3(t);
  const attributes = (Key: string) =>
    s3.client.send(
      new GetObjectAttributesCommand({
        Bucket: s3.Bucket,
        Key,
        ObjectAttributes: ['ETag', 'Checksum', 'ObjectParts', 'ObjectSize', 'StorageClass'],
      }),
    );
  const bodies = [randomBytes(5 * MIB), randomBytes(9)];
  const upload = await uploadParts(s3, 'parts', bodies, { ChecksumAlgorithm: 'SHA256' });
  const { ETag } = await upload.complete();
  const found = await attributes('parts');
  t.like(found, { ETag: ETag?.replaceAll('"', ''), ObjectSize: 5 * MIB + 9, StorageClass: 'STANDARD' });
  t.is(found.Checksum?.ChecksumType, 'COMPOSITE');
  t.is(found.ObjectParts?.TotalPartsCount, 2);
  t.deepEqual(
    found.ObjectParts?.Parts?.map(({ Size, ChecksumSHA256 }) => [Size, ChecksumSHA256]),
    [
      [5 * MIB, upload.parts[0]?.ChecksumSHA256],
      [9, upload.parts[1]?.ChecksumSHA256],
    ],
  );
  await s3.put('single', 'x', { ChecksumAlgorithm: 'SHA256' });
  t.like(await attributes('single'), { ObjectSize: 1, ObjectParts: undefined });
});
