import { createHash } from 'node:crypto';
import type { ObjectStore, StoredObject } from '../../service/adapters/object-store.ts';

export interface FakeObjectStore extends ObjectStore {
  objects: Map<string, StoredObject>;
  /** Puts an object as a client would have. */
  put(key: string, content: string | Buffer): Promise<void>;
  /** Moves an object to Glacier, as the lifecycle rule does. */
  archive(key: string): Promise<void>;
}

const hash = (algorithm: string, content: string | Buffer) =>
  createHash(algorithm).update(content).digest('hex');

/** A bucket in memory; its signed URLs lead nowhere. */
export function fakeObjectStore(): FakeObjectStore {
  const objects = new Map<string, StoredObject>();
  const url = (key: string, ttlSeconds: number, more = '') =>
    `https://bucket.test/${key.split('/').map(encodeURIComponent).join('/')}?X-Amz-Expires=${ttlSeconds}${more}`;

  return {
    objects,
    head: async (key) => objects.get(key) ?? null,
    presignPut: async ({ key, contentType, checksumSha256, project, ttlSeconds }) => ({
      url: url(key, ttlSeconds, project ? '&role=project-uploads' : ''),
      headers: {
        'Content-Type': contentType,
        'x-amz-checksum-sha256': Buffer.from(checksumSha256, 'hex').toString('base64'),
        'x-amz-tagging': 'stage=raw',
      },
    }),
    presignGet: async ({ key, filename, ttlSeconds }) =>
      url(key, ttlSeconds, `&response-content-disposition=${encodeURIComponent(filename)}`),
    async put(key, content) {
      objects.set(key, {
        bytes: Buffer.byteLength(content),
        etag: hash('md5', content),
        checksumSha256: hash('sha256', content),
        archived: false,
      });
    },
    async archive(key) {
      const object = objects.get(key);
      if (object) objects.set(key, { ...object, archived: true });
    },
  };
}
