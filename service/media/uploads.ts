import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { conflict, forbidden, invalid } from '../errors.ts';
import { type Asset, findAssets } from '../models/asset.ts';
import { type Batch, findBatchByReference, findOpenBatch, insertBatch } from '../models/batch.ts';
import { brokenUniqueKey, isMissingReference, transact } from '../models/database.ts';
import { now } from '../models/table.ts';
import { addFiles } from './additions.ts';
import type { MediaDependencies } from './dependencies.ts';
import { assertAwaitsMedia } from './listing-status.ts';
import { isSameManifest, validateManifest } from './manifest.ts';
import { insertFiles } from './new-assets.ts';
import type { Caller, MediaOperations, OpenUploads, UploadFile, UploadsAnswer } from './operations.ts';
import { assertCovers, authorize, isProject } from './permissions.ts';
import type { Opened } from './selection.ts';
import { batchOpen } from './transitions.ts';

/** `POST /uploads`: a manifest in, signed PUT URLs out. */
export function openUploads(dependencies: MediaDependencies): MediaOperations['openUploads'] {
  const { knex, config, log, metrics } = dependencies;

  return async (caller, request) => {
    const grant = await authorize(dependencies, caller, 'change', request.listingIdentityId);
    const types = request.files.map((file) => file.assetType);
    assertCovers(grant, types);
    const errors = validateManifest(request.files, config);
    if (errors.length) throw invalid(errors);
    assertAwaitsMedia(grant, types);

    const { batchId } = request;
    const { created, batch, assets } = batchId
      ? await transact(knex, (transaction) => addFiles(transaction, config, grant, request, batchId))
      : await openBatch(knex, caller, request);
    if (created && !batchId) metrics.batchCreated();
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
    if (isMissingReference(error)) {
      throw forbidden(`There is no user ${caller.userId}, as whom a batch could be opened.`);
    }
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
