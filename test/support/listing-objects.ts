import { createHash } from 'node:crypto';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { mediaObjects, s3Client } from '../../lambdas/objects.ts';
import { type Asset, samples, type UploadType } from '../../statemachines/contracts.ts';
import { rawKey } from '../../statemachines/object-keys.ts';
import type { S3Server } from './s3.ts';

export const mp4 = Buffer.concat([
  Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42', 'latin1'),
  Buffer.alloc(500),
]);
export const pdf = Buffer.from('%PDF-1.7\n%%EOF\n');

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

export type Listing = ReturnType<typeof newListing>;
let listings = 100;

/** A listing of its own in the bucket, so that no test sees the objects of another. */
export function newListing({ bucket: Bucket, client, url, region, accessKey }: S3Server) {
  const id = ++listings;
  let uploads = 0;
  return {
    id,

    /** What the functions see, by another road to S3 where one is given. */
    objects: (endpoint = url) =>
      mediaObjects(Bucket, s3Client({ endpoint, region, credentials: accessKey, maxAttempts: 1 })),

    /** Uploads an original as its presigned URL makes a client do it. Returns the asset that promises it. */
    async upload(
      type: UploadType,
      filename: string,
      content: Buffer,
      contentType: string,
      changes: Partial<PutObjectCommandInput> = {},
    ): Promise<Required<Asset>> {
      const reference = `r${++uploads}`;
      const key = rawKey({ listingIdentityId: id, type, reference, filename, contentType });
      await client.send(
        new PutObjectCommand({
          Bucket,
          Key: key,
          Body: content,
          ContentType: contentType,
          ChecksumSHA256: sha256(content).toString('base64'),
          Tagging: 'stage=raw',
          ...changes,
        }),
      );
      return { key, type, bytes: content.length, checksumSha256: sha256(content).toString('hex') };
    },

    put: (Key: string, Body: Buffer) => client.send(new PutObjectCommand({ Bucket, Key, Body })),
    head: (Key: string) => client.send(new HeadObjectCommand({ Bucket, Key })),

    async get(Key: string) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },

    /** Keys of everything that was derived. */
    async processed() {
      const found = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${id}/processed/` }));
      return (found.Contents ?? []).map((object) => object.Key);
    },

    /** Multipart uploads that were neither completed nor aborted. */
    async unfinished() {
      const found = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: `${id}/` }));
      return found.Uploads ?? [];
    },

    machineInput: (assets: Asset[]) => ({ ...samples.machineInput, listingIdentityId: id, assets }),
  };
}
