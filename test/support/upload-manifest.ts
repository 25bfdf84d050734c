/** SHA-256 of the file, in hexadecimal */
export const CHECKSUM = 'ab'.repeat(32);

type Changes = Record<string, unknown>;

/** A file of a manifest, as a client writes it. */
export const manifestFile = (changes: Changes = {}) => ({
  clientId: 'one',
  assetType: 'PHOTO_HORIZONTAL',
  orientation: 'LANDSCAPE',
  filename: 'IMG_2907.jpg',
  contentType: 'image/jpeg',
  bytes: 1_000,
  checksum: `sha256:${CHECKSUM}`,
  title: 'The garden',
  sequence: 1,
  metadata: { room: 'garden' },
  ...changes,
});

/** As many files as there are changes, each with a name and a place of its own. */
export const manifestFiles = (changes: Changes[]) =>
  changes.map((own, index) =>
    manifestFile({ clientId: `c${index}`, sequence: index + 1, title: undefined, ...own }),
  );

/** What a client sends to open a batch. */
export const manifest = (files: unknown[] = [manifestFile()], changes: Changes = {}) => ({
  listingIdentityId: 28,
  batchReference: 'tuesday',
  files,
  ...changes,
});
