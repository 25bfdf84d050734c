import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type AccessKey, type Credentials, createCredentials } from '../../local/credentials.ts';
import { startDoor } from '../../local/front-door.ts';
import type { Bucket } from '../../local/graph/manifest.ts';
import { createS3 } from '../../local/s3/service.ts';
import type { ObjectCreated } from '../../local/s3/store.ts';

export const REGION = 'us-east-1';
export const ROLE_ARN = 'arn:aws:iam::000000000000:role/test-role';
const KEY_ARN = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000';

export interface S3Server {
  /** endpoint of the front door, path-style */
  url: string;
  bucket: string;
  region: string;
  /** the long-lived key of `ROLE_ARN` */
  accessKey: AccessKey;
  credentials: Credentials;
  /** a client of `ROLE_ARN`; closed with the server */
  client: S3Client;
  createClient(config?: S3ClientConfig): S3Client;
  /** what an SDK in another process reads: endpoint, region and key of `ROLE_ARN` */
  environment: Record<string, string>;
  /** every object created so far */
  created: ObjectCreated[];
  directory: string;
  close(): Promise<void>;
}

export interface S3ServerOptions {
  /** replaces what is declared of the one bucket, `media` */
  bucket?: Partial<Bucket>;
  /** kept by `close()` when it is given */
  directory?: string;
  now?: () => Date;
}

/** Encrypted, versioned and with CORS, as the program declares it. */
export const MEDIA_BUCKET: Bucket = {
  name: 'media',
  arn: 'arn:aws:s3:::media',
  versioned: true,
  kmsKeyArn: KEY_ARN,
  cors: [
    {
      allowedOrigins: ['https://app.example.com', 'https://*.preview.example.com'],
      allowedMethods: ['GET', 'PUT', 'HEAD'],
      allowedHeaders: ['content-type', 'content-length', 'x-amz-checksum-sha256', 'x-amz-tagging'],
      exposeHeaders: ['ETag', 'x-amz-checksum-sha256'],
      maxAgeSeconds: 3600,
    },
  ],
};

/** The local S3 behind its front door, with one bucket and one role. Give it a test to have it closed at its end. */
export async function startS3(
  t?: { teardown(end: () => Promise<void>): void },
  options: S3ServerOptions = {},
): Promise<S3Server> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'toq-s3-')));
  const bucket = { ...MEDIA_BUCKET, ...options.bucket };
  const now = options.now ?? (() => new Date());
  const credentials = createCredentials(now);
  const created: ObjectCreated[] = [];
  const s3 = createS3({
    buckets: [bucket],
    directory,
    region: REGION,
    onObjectCreated: (event) => created.push(event),
    now,
  });
  const door = await startDoor({
    services: { s3: s3.service },
    credentials,
    region: REGION,
    crossOrigin: s3.crossOrigin,
    now,
  });
  const accessKey = credentials.issueAccessKey(ROLE_ARN);
  const clients: S3Client[] = [];
  function createClient(config: S3ClientConfig = {}) {
    const client = new S3Client({
      endpoint: door.url,
      region: REGION,
      credentials: accessKey,
      forcePathStyle: true,
      ...config,
    });
    clients.push(client);
    return client;
  }
  const server: S3Server = {
    url: door.url,
    bucket: bucket.name,
    region: REGION,
    accessKey,
    credentials,
    client: createClient(),
    createClient,
    environment: {
      AWS_ENDPOINT_URL: door.url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
      AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
    },
    created,
    directory,
    async close() {
      for (const client of clients) client.destroy();
      await door.close();
      s3.close();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
  t?.teardown(server.close);
  return server;
}
