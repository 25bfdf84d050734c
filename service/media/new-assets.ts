import type { Knex } from 'knex';
import { conflict } from '../errors.ts';
import { findOriginals, insertAssets } from '../models/asset.ts';
import type { Batch } from '../models/batch.ts';
import type { UploadFile } from './operations.ts';
import { assignSourceKeys } from './source-keys.ts';

/** What SQS, Step Functions and the Lambdas take in one message (statemachines/contracts.ts). */
const GALLERY_LIMIT = 255;

/**
 * Writes the assets of files, waiting for their uploads. Needs the batch open and locked, or new: a listing has one open
 * batch, so nobody else gives away keys of the listing meanwhile.
 */
export async function insertFiles(transaction: Knex, batch: Batch, files: UploadFile[]) {
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
