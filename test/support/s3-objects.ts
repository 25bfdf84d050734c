import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CopyObjectCommand,
  type CopyObjectCommandInput,
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import type { ExecutionContext } from 'ava';
import { type ChecksumAlgorithm, createDigest } from '../../local/s3/checksums.ts';
import { type S3ServerOptions, startS3 } from './s3.ts';

/** The local S3 of a test, and what its one bucket is asked all the time. */
export async function openS3(t: ExecutionContext, options: S3ServerOptions = {}) {
  const s3 = await startS3(t, options);
  const { client, bucket: Bucket } = s3;
  const get = (Key: string, more: Partial<GetObjectCommandInput> = {}) =>
    client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return {
    ...s3,
    Bucket,
    get,
    put: (Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, ...more })),
    head: (Key: string) => client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' })),
    async read(Key: string, more: Partial<GetObjectCommandInput> = {}) {
      const { Body } = await get(Key, more);
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    copy: (Key: string, source: string, more: Partial<CopyObjectCommandInput> = {}) =>
      client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${source}`, ...more })),
    /** files that hold bytes of objects and parts */
    blobs: () => readdir(join(s3.directory, 'blobs')),
  };
}
export type OpenedS3 = Awaited<ReturnType<typeof openS3>>;

/** What the SDK throws: its name and HTTP status. */
export async function refusal(
  t: ExecutionContext,
  attempt: Promise<unknown>,
): Promise<[string, number | undefined]> {
  const error = await t.throwsAsync<S3ServiceException>(attempt);
  return [error?.name ?? '', error?.$metadata.httpStatusCode];
}

/** A checksum in base64, as S3's headers have it. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Buffer | string): string {
  const digest = createDigest(algorithm);
  digest.update(Buffer.from(bytes));
  return digest.digest().toString('base64');
}

/** No object, and nothing of one that was refused. */
export async function assertNothingStored(t: ExecutionContext, s3: OpenedS3) {
  t.deepEqual(await s3.blobs(), []);
  t.deepEqual(s3.created, []);
}
