import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { conflict, invalid, notFound } from '../errors.ts';
import {
  type Asset,
  findAssets,
  findOriginals,
  insertAssets,
  lockAssets,
  softDeleteAssets,
} from '../models/asset.ts';
import {
  type Batch,
  findBatch,
  findBatchByReference,
  findOpenBatch,
  insertBatch,
  lockBatch,
  updateBatch,
} from '../models/batch.ts';
import { brokenUniqueKey, transact } from '../models/database.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import { assertAwaitsMedia } from './listing-status.ts';
import { isSameFile, isSameManifest, validateManifest } from './manifest.ts';
import type { Caller, MediaOperations, OpenUploads, UploadFile, UploadsAnswer } from './operations.ts';
import { assertCovers, authorize, isProject } from './permissions.ts';
import { assignSourceKeys } from './source-keys.ts';
import { batchOpen, moveBatch } from './transitions.ts';

/** What SQS, Step Functions and the Lambdas take in one message (statemachines/contracts.ts). */
const GALLERY_LIMIT = 255;

interface Opened {
  created: boolean;
  batch: Batch;
  assets: Asset[];
}

/** `POST /uploads`: a manifest in, signed PUT URLs out. */
export function openUploads(dependencies: MediaDependencies): MediaOperations['openUploads'] {
  const { knex, config, log, metrics } = dependencies;

  return async (caller, request) => {
    const grant = await authorize(dependencies, caller, 'change', request.listingIdentityId);
    assertCovers(
      grant,
      request.files.map((file) => file.assetType),
    );
    const errors = validateManifest(request.files, config);
    if (errors.length) throw invalid(errors);
    assertAwaitsMedia(
      grant,
      request.files.map((file) => file.assetType),
    );

    const { created, batch, assets } = request.batchId
      ? await transact(knex, (transaction) =>
          addFiles(transaction, dependencies, request, String(request.batchId)),
        )
      : await openBatch(knex, caller, request);
    if (created && !request.batchId) metrics.batchCreated();
    log.info(
      {
        listing_identity_id: request.listingIdentityId,
        batch_id: batch.publicId,
        files: request.files.length,
        created,
      },
      'service.media.create_batch.success',
    );
    return answer(dependencies, request, created, batch, assets);
  };
}

/** A new batch, or the one that the same request has made before. */
async function openBatch(knex: Knex, caller: Caller, request: OpenUploads): Promise<Opened> {
  const { listingIdentityId, batchReference } = request;
  if (!batchReference) {
    throw invalid([{ pointer: '/batchReference', message: 'A new batch needs a batchReference.' }]);
  }
  const same = await findBatchByReference(knex, listingIdentityId, batchReference);
  if (same) return reopen(knex, same, request.files);
  try {
    return await transact(knex, (transaction) => createBatch(transaction, caller, request, batchReference));
  } catch (error) {
    const key = brokenUniqueKey(error);
    // the same request at the same time: the other one was first
    const twin = await findBatchByReference(knex, listingIdentityId, batchReference);
    if (twin && (key === 'uk_batches_reference' || key === 'uk_batches_open')) {
      return reopen(knex, twin, request.files);
    }
    if (key !== 'uk_batches_open') throw error;
    throw batchOpen((await findOpenBatch(knex, listingIdentityId))?.publicId);
  }
}

async function reopen(knex: Knex, batch: Batch, files: UploadFile[]): Promise<Opened> {
  const assets = await findAssets(knex, batch.id);
  if (!isSameManifest(files, assets)) {
    throw conflict(
      'batch_reference_conflict',
      `This batchReference belongs to another manifest: ${batch.publicId}.`,
    );
  }
  if (batch.status !== 'PENDING_UPLOAD') {
    throw conflict(
      'batch_reference_used',
      `The batch ${batch.publicId} of this batchReference is ${batch.status}.`,
    );
  }
  return { created: false, batch, assets };
}

async function createBatch(
  transaction: Knex,
  caller: Caller,
  { listingIdentityId, files }: OpenUploads,
  batchReference: string,
): Promise<Opened> {
  const batch = await insertBatch(transaction, {
    publicId: randomUUID(),
    listingId: listingIdentityId,
    photographerUserId: caller.userId,
    batchReference,
    status: 'PENDING_UPLOAD',
    uploadManifestJson: files,
    createdAt: now(),
    uploadActivityAt: now(),
  });
  await insertFiles(transaction, batch, files);
  return { created: true, batch, assets: await findAssets(transaction, batch.id) };
}

/** Adds files to an open or a FAILED batch; a file with the client id of an asset replaces it. */
async function addFiles(
  transaction: Knex,
  { config }: MediaDependencies,
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
    config,
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

/** Needs the batch locked, or new: a listing has one open batch, so no one else gives away keys of it meanwhile. */
async function insertFiles(transaction: Knex, batch: Batch, files: UploadFile[]) {
  const originals = await findOriginals(transaction, batch.listingId);
  const slots = new Set([...originals.filter((original) => !original.deletedAt), ...files].map(slot));
  if (slots.size > GALLERY_LIMIT) {
    throw conflict('gallery_full', `A listing has at most ${GALLERY_LIMIT} photos, videos and documents.`);
  }
  const keys = assignSourceKeys(
    batch.listingId,
    files,
    originals.map((original) => original.sourceKey),
  );
  await insertAssets(
    transaction,
    files.map((file) => ({
      batchId: batch.id,
      clientId: file.clientId,
      assetType: file.assetType,
      orientation: orientationOf(file),
      sequence: file.sequence,
      title: file.title ?? null,
      filename: file.filename,
      contentType: file.contentType,
      bytes: file.bytes,
      checksumSha256: file.checksumSha256,
      sourceKey: String(keys.get(file)),
      metadataJson: file.metadata ?? null,
    })),
  );
}

const slot = (file: { assetType: string; sequence: number }) => `${file.assetType}/${file.sequence}`;

function orientationOf({ assetType }: UploadFile) {
  if (assetType.endsWith('_VERTICAL')) return 'VERTICAL';
  return assetType.endsWith('_HORIZONTAL') ? 'HORIZONTAL' : null;
}

async function answer(
  { objects, config }: MediaDependencies,
  request: OpenUploads,
  created: boolean,
  batch: Batch,
  assets: Asset[],
): Promise<UploadsAnswer> {
  const byClientId = new Map(assets.map((asset) => [asset.clientId, asset]));
  const files = request.files.flatMap((file) => byClientId.get(file.clientId) ?? []);
  return {
    created,
    batchId: batch.publicId,
    listingIdentityId: batch.listingId,
    uploadUrlTtlSeconds: config.UPLOAD_URL_TTL_SECONDS,
    files: await Promise.all(
      files.map(async (asset) => {
        const { url, headers } = await objects.presignPut({
          key: asset.sourceKey,
          contentType: asset.contentType,
          bytes: asset.bytes,
          checksumSha256: asset.checksumSha256,
          project: isProject(asset.assetType),
          ttlSeconds: config.UPLOAD_URL_TTL_SECONDS,
        });
        return {
          clientId: asset.clientId,
          assetType: asset.assetType,
          sequence: asset.sequence,
          title: asset.title,
          method: 'PUT' as const,
          uploadUrl: url,
          headers,
          s3Key: asset.sourceKey,
          objectKey: asset.sourceKey,
        };
      }),
    ),
  };
}
