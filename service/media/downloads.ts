import { SIZES_BEST_FIRST, type UploadType } from '../../statemachines/contracts.ts';
import type { ObjectStore } from '../adapters/object-store.ts';
import { notFound } from '../errors.ts';
import { type Asset, findAssets, findGallery } from '../models/asset.ts';
import { findBatch, findNewestReadyBatch } from '../models/batch.ts';
import { findLatestBundle } from '../models/job.ts';
import type { MediaDependencies } from './dependencies.ts';
import type { DownloadItem, DownloadsAnswer, MediaOperations } from './operations.ts';
import { authorize } from './permissions.ts';

/**
 * `POST /downloads/query`: signed GET URLs of the listing's gallery, once a batch of it is READY; or, for a named batch,
 * of whatever of it is PROCESSED, READY or not.
 */
export function queryDownloads(dependencies: MediaDependencies): MediaOperations['queryDownloads'] {
  const { knex, objects, config } = dependencies;

  return async (caller, request) => {
    const { listing } = await authorize(dependencies, caller, 'read', request.listingIdentityId);
    const batch = request.batchId
      ? await findBatch(knex, listing.id, request.batchId)
      : await findNewestReadyBatch(knex, listing.id);
    if (!batch && request.batchId) {
      throw notFound('batch_not_found', `Listing ${listing.id} has no batch ${request.batchId}.`);
    }
    if (!batch) return null;
    const assets = (
      request.batchId ? await findAssets(knex, batch.id) : await findGallery(knex, listing.id)
    ).filter((asset) => asset.status === 'PROCESSED');
    const bundle = batch.status === 'READY' ? await findLatestBundle(knex, listing.id) : undefined;
    if (assets.length === 0 && !bundle) return null;

    const ttlSeconds = config.DOWNLOAD_URL_TTL_SECONDS;
    const generatedAt = new Date();
    const downloads: DownloadsAnswer['downloads'] = [];
    const zip = bundle?.outputPayloadJson;
    if (zip?.zipBundles[0]) {
      const filename = `listing-${listing.id}-media.zip`;
      downloads.push({
        type: 'ZIP_FULL',
        url: await objects.presignGet({ key: zip.zipBundles[0], filename, ttlSeconds }),
        expiresAt: new Date(generatedAt.getTime() + ttlSeconds * 1000).toISOString(),
        bytes: zip.zipSizeBytes,
      });
    }
    const byType = new Map<UploadType, Asset[]>();
    for (const asset of assets) byType.set(asset.assetType, [...(byType.get(asset.assetType) ?? []), asset]);
    for (const [type, group] of byType) {
      const items = await Promise.all(group.map((asset) => item(objects, asset, ttlSeconds)));
      downloads.push({ type, items });
    }
    return { batchId: batch.publicId, generatedAt: generatedAt.toISOString(), ttlSeconds, downloads };
  };
}

async function item(objects: ObjectStore, asset: Asset, ttlSeconds: number): Promise<DownloadItem> {
  const sign = (key: string, size: string) =>
    objects.presignGet({ key, filename: filenameOf(asset, key, size), ttlSeconds });
  const suffix = asset.assetType.toLowerCase();
  const sizes: DownloadItem['sizes'] = {};
  for (const size of SIZES_BEST_FIRST) {
    const key = asset.variantMetadataJson?.[`${size}_${suffix}`];
    if (key) sizes[size] = await sign(key, size);
  }
  const best = asset.processedKey ?? asset.sourceKey;
  return {
    label: asset.title ?? asset.filename,
    title: asset.title,
    sequence: asset.sequence,
    preview: sizes.thumbnail ?? null,
    url: await sign(best, ''),
    resolution: asset.resolution,
    bytes: asset.bytes,
    ...(asset.durationSeconds === null ? {} : { durationSeconds: asset.durationSeconds }),
    sizes,
  };
}

/** What the browser should call the file: the title, or else the name the photographer gave it, and the object's own
 * extension. */
function filenameOf(asset: Asset, key: string, size: string) {
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(key)?.[0].toLowerCase() ?? '';
  const name = (asset.title ?? asset.filename.replace(/\.[^.]*$/, ''))
    .normalize('NFC')
    // \p{C}: controls, also those that turn the direction of text; the rest is what file systems or headers reserve
    .replace(/[\p{C}\p{Zl}\p{Zp}"'\\/:*?<>|%;]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '');
  const stem =
    Array.from(name).slice(0, 100).join('') || `${asset.assetType.toLowerCase()}-${asset.sequence}`;
  return `${stem}${size ? `-${size}` : ''}${extension}`;
}
