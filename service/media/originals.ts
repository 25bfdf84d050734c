import pLimit from 'p-limit';
import type { ObjectStore, StoredObject } from '../adapters/object-store.ts';
import type { FieldError } from '../errors.ts';
import type { Asset } from '../models/asset.ts';

/** HeadObject requests under way at once, for one request of ours. */
const CONCURRENCY = 16;

/** What is in S3 for each asset; null where there is nothing. Never call it inside a transaction. */
export async function inspect(
  objects: ObjectStore,
  assets: Asset[],
): Promise<Map<Asset, StoredObject | null>> {
  const limit = pLimit(CONCURRENCY);
  const found = await Promise.all(
    assets.map((asset) => limit(async () => [asset, await objects.head(asset.sourceKey)] as const)),
  );
  return new Map(found);
}

/** What the client says it has uploaded. */
export interface Claim {
  clientId: string;
  s3Key?: string | undefined;
  etag?: string | undefined;
  bytes?: number | undefined;
}

/** Clients hand on the ETag as S3 gave it, with quotes, or without. */
const bare = (etag: string) => etag.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');

/** What is wrong with an original: against the manifest, and against the client's own claim. Null: nothing. */
export function difference(
  asset: Asset,
  object: StoredObject | null,
  claim?: Claim,
): Omit<FieldError, 'pointer'> | null {
  const name = `${asset.clientId} (${asset.filename})`;
  if (!object) {
    return { code: 'upload_not_found', message: `${name} has not been uploaded.` };
  }
  const claimed = claim?.bytes ?? asset.bytes;
  if (object.bytes !== asset.bytes || object.bytes !== claimed) {
    return {
      code: 'upload_size_mismatch',
      message: `${name} has ${object.bytes} bytes in storage; ${claimed === object.bytes ? asset.bytes : claimed} were announced.`,
    };
  }
  if (object.checksumSha256 !== null && object.checksumSha256 !== asset.checksumSha256) {
    return { code: 'upload_checksum_mismatch', message: `${name} is not the file that was announced.` };
  }
  if (claim?.etag !== undefined && bare(claim.etag) !== bare(object.etag)) {
    return { code: 'upload_etag_mismatch', message: `${name} has another ETag in storage.` };
  }
  return null;
}
