import type { Knex } from 'knex';
import { conflict, invalid, notFound } from '../errors.ts';
import { type Asset, findAssets, lockAssets, softDeleteAssets } from '../models/asset.ts';
import { findBatch, lockBatch, updateBatch } from '../models/batch.ts';
import { now } from '../models/table.ts';
import { assertAwaitsMedia } from './listing-status.ts';
import { isSameFile, type Limits, validateManifest } from './manifest.ts';
import { insertFiles } from './new-assets.ts';
import type { OpenUploads, UploadFile } from './operations.ts';
import { assertCovers, type Grant } from './permissions.ts';
import type { Opened } from './selection.ts';
import { moveBatch } from './transitions.ts';

/** Adds files to an open or a FAILED batch, which reopens; a file with the client id of an asset replaces it. */
export async function addFiles(
  transaction: Knex,
  limits: Limits,
  grant: Grant,
  { listingIdentityId, files }: OpenUploads,
  publicId: string,
): Promise<Opened> {
  const found = await findBatch(transaction, listingIdentityId, publicId);
  if (!found) throw notFound('batch_not_found', `Listing ${listingIdentityId} has no batch ${publicId}.`);
  const batch = await lockBatch(transaction, found.id);
  if (batch.status !== 'PENDING_UPLOAD' && batch.status !== 'FAILED') {
    throw conflict('batch_not_open', `Batch ${publicId} is ${batch.status}: it takes no more files.`);
  }
  const assets = await lockAssets(transaction, batch.id);
  const types = assets.map((asset) => asset.assetType);
  assertCovers(grant, types);
  assertAwaitsMedia(grant, types);
  const byClientId = new Map(assets.map((asset) => [asset.clientId, asset]));

  // the same request again: its files are waiting for their uploads already
  const fresh = files.filter((file) => {
    const asset = byClientId.get(file.clientId);
    return !(asset?.status === 'PENDING_UPLOAD' && isSameFile(file, asset));
  });
  const replaced = fresh.flatMap((file) => byClientId.get(file.clientId) ?? []);
  for (const asset of replaced) {
    if (asset.status === 'PROCESSED') {
      throw conflict('asset_processed', `${asset.clientId} is PROCESSED: it cannot be replaced.`);
    }
    if (asset.status === 'PROCESSING') {
      throw conflict('asset_processing', `${asset.clientId} is being processed: it cannot be replaced now.`);
    }
  }
  const named = new Set(files.map((file) => file.clientId));
  const errors = validateManifest(
    files,
    limits,
    assets.filter((asset) => !named.has(asset.clientId)),
  );
  if (errors.length) throw invalid(errors);

  const changes = {
    uploadActivityAt: now(),
    uploadManifestJson: [...assets.filter((asset) => !named.has(asset.clientId)).map(asFile), ...files],
  };
  if (batch.status === 'FAILED') {
    await moveBatch(transaction, batch, 'PENDING_UPLOAD', {
      ...changes,
      errorCode: null,
      errorDetail: null,
      processingFinishedAt: null,
    });
  } else await updateBatch(transaction, batch.id, changes);
  if (replaced.length) {
    await softDeleteAssets(
      transaction,
      replaced.map((asset) => asset.id),
    );
  }
  if (fresh.length) await insertFiles(transaction, batch, fresh);
  return { created: fresh.length > 0, batch, assets: await findAssets(transaction, batch.id) };
}

const asFile = (asset: Asset): UploadFile => ({
  clientId: asset.clientId,
  assetType: asset.assetType,
  filename: asset.filename,
  contentType: asset.contentType,
  bytes: asset.bytes,
  checksumSha256: asset.checksumSha256,
  ...(asset.title === null ? {} : { title: asset.title }),
  sequence: asset.sequence,
  ...(asset.metadataJson === null ? {} : { metadata: asset.metadataJson }),
});
