import { Readable } from 'node:stream';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { openS3, refusal } from '../../support/s3-objects.ts';

test('a write keeps its conditions', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const { ETag } = await put('w', 'one', { IfNoneMatch: '*' });
  t.deepEqual(await refusal(t, put('w', 'two', { IfNoneMatch: '*' })), ['PreconditionFailed', 412]);
  t.deepEqual(await refusal(t, put('w', 'two', { IfMatch: '"other"' })), ['PreconditionFailed', 412]);
  t.deepEqual(await refusal(t, put('none', 'two', { IfMatch: ETag })), ['NoSuchKey', 404]);
  t.truthy((await put('w', 'two', { IfMatch: ETag })).ETag);
  const remove = client.send(new DeleteObjectCommand({ Bucket, Key: 'w', IfMatch: ETag }));
  t.deepEqual(await refusal(t, remove), ['PreconditionFailed', 412]);
});

test('an object that goes away while its successor is on the way is a conflict', async (t) => {
  const { put, client, Bucket } = await openS3(t);
  const { ETag } = await put('w', 'one');
  async function* slowly() {
    yield Buffer.alloc(10_000);
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'w' }));
    yield Buffer.alloc(10_000);
  }
  const late = client.send(
    new PutObjectCommand({
      Bucket,
      Key: 'w',
      IfMatch: ETag,
      Body: Readable.from(slowly()),
      ContentLength: 20_000,
    }),
  );
  t.deepEqual(await refusal(t, late), ['ConditionalRequestConflict', 409]);
});
