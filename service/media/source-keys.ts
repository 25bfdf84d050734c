import { cleanReference, rawKey, sequenceReference } from '../../statemachines/object-keys.ts';
import type { UploadFile } from './operations.ts';

/** As in statemachines/object-keys.ts. */
const REFERENCE_LENGTH = 48;

/** What variants and bundle are named after: the key without its extension, whatever the case. */
const stem = (key: string) => key.replace(/\.[^./]*$/, '').toLowerCase();

/**
 * Gives each file the key of its original. No two originals of a listing, past or present, share a stem, because a
 * variant is named after it and because an old signed URL must never reach a newer asset's object: a reference whose
 * key would collide gets a number.
 */
export function assignSourceKeys(
  listingIdentityId: number,
  files: UploadFile[],
  taken: Iterable<string>,
): Map<UploadFile, string> {
  const stems = new Set([...taken].map(stem));
  const keys = new Map<UploadFile, string>();
  for (const file of files) {
    const reference = cleanReference(file.clientId) || sequenceReference(file.assetType, file.sequence);
    for (let number = 1; ; number++) {
      const suffix = number === 1 ? '' : `-${number}`;
      const key = rawKey({
        listingIdentityId,
        type: file.assetType,
        reference: reference.slice(0, REFERENCE_LENGTH - suffix.length) + suffix,
        filename: file.filename,
        contentType: file.contentType,
      });
      if (stems.has(stem(key))) continue;
      stems.add(stem(key));
      keys.set(file, key);
      break;
    }
  }
  return keys;
}
