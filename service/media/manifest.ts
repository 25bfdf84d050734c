import type { ServiceConfig } from '../config.ts';
import type { FieldError } from '../errors.ts';
import type { Asset } from '../models/asset.ts';
import type { UploadFile } from './operations.ts';

export type Limits = Pick<ServiceConfig, 'MAX_FILES_PER_BATCH' | 'MAX_FILE_BYTES' | 'MAX_BATCH_BYTES'>;

/** A file that is in the batch already and stays there. */
type Kept = Pick<Asset, 'clientId' | 'assetType' | 'sequence' | 'title' | 'bytes'>;

interface Unique {
  field: 'clientId' | 'sequence' | 'title';
  words: string;
  of(file: UploadFile | Kept): string | null;
}

/** What must tell two files of a batch apart. */
const UNIQUE: Unique[] = [
  { field: 'clientId', words: 'clientId', of: (file) => file.clientId },
  {
    field: 'sequence',
    words: 'asset type and sequence',
    of: (file) => `${file.assetType}/${file.sequence}`,
  },
  {
    field: 'title',
    words: 'title',
    of: (file) => (file.title ? `${file.assetType}/${file.title}` : null),
  },
];

/**
 * The rules between files: unique client ids, slots and titles, and the limits of a batch. `kept` are the files that the
 * batch has besides. Answers what is wrong, by JSON pointer into the request; nothing wrong: an empty list.
 */
export function validateManifest(files: UploadFile[], limits: Limits, kept: Kept[] = []): FieldError[] {
  const errors: FieldError[] = [];
  const count = files.length + kept.length;
  if (files.length === 0) errors.push({ pointer: '/files', message: 'There is no file.' });
  if (count > limits.MAX_FILES_PER_BATCH) {
    errors.push({
      pointer: '/files',
      message: `The batch would have ${count} files; ${limits.MAX_FILES_PER_BATCH} are allowed.`,
    });
  }
  const bytes = [...files, ...kept].reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > limits.MAX_BATCH_BYTES) {
    errors.push({
      pointer: '/files',
      message: `The batch would have ${bytes} bytes; ${limits.MAX_BATCH_BYTES} are allowed.`,
    });
  }
  for (const [index, file] of files.entries()) {
    if (file.bytes < 1 || file.bytes > limits.MAX_FILE_BYTES) {
      errors.push({
        pointer: `/files/${index}/bytes`,
        message: `${file.clientId}: ${limits.MAX_FILE_BYTES} bytes are allowed a file.`,
      });
    }
  }
  for (const { field, words, of } of UNIQUE) {
    const taken = new Set(kept.map(of));
    for (const [index, file] of files.entries()) {
      const value = of(file);
      if (value !== null && taken.has(value)) {
        errors.push({
          pointer: `/files/${index}/${field}`,
          message: `${file.clientId}: another file of the batch has this ${words}.`,
        });
      }
      taken.add(value);
    }
  }
  return errors;
}

const sortedEntries = (metadata: Record<string, string> | null | undefined) =>
  JSON.stringify(Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Whether an asset is what the file says, so that the same upload would do for both. */
export const isSameFile = (file: UploadFile, asset: Asset) =>
  file.clientId === asset.clientId &&
  file.assetType === asset.assetType &&
  file.sequence === asset.sequence &&
  file.filename === asset.filename &&
  file.contentType === asset.contentType &&
  file.bytes === asset.bytes &&
  file.checksumSha256 === asset.checksumSha256 &&
  (file.title ?? null) === asset.title &&
  sortedEntries(file.metadata) === sortedEntries(asset.metadataJson);

/** Whether the assets are exactly what the manifest says. */
export function isSameManifest(files: UploadFile[], assets: Asset[]): boolean {
  const byClientId = new Map(assets.map((asset) => [asset.clientId, asset]));
  return (
    files.length === assets.length &&
    files.every((file) => {
      const asset = byClientId.get(file.clientId);
      return asset !== undefined && isSameFile(file, asset);
    })
  );
}
