import { z } from 'zod';
import { UploadType } from '../../statemachines/contracts.ts';
import type { ServiceConfig } from '../config.ts';

/** Older names of fields, still understood: `{old: new}`. A request that has both is refused for the old one. */
const renamed = <S extends z.ZodType>(names: Record<string, string>, schema: S) =>
  z.preprocess((input) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
    return Object.fromEntries(
      Object.entries(input).map(([name, value]) => {
        const newer = Object.hasOwn(names, name) ? names[name] : undefined;
        return [newer && !Object.hasOwn(input, newer) ? newer : name, value];
      }),
    );
  }, schema);

const LISTING = { listingId: 'listingIdentityId' };

// C0, DEL and C1 controls; line separators; marks that turn the direction of text (Unicode UAX #9, "Trojan Source")
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const BIDI = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u;

/** Text of a person: any script, but nothing that a log, a header or a screen could be fooled with. */
const text = (maximum: number, minimum = 1) =>
  z
    .string()
    .min(minimum)
    .max(maximum)
    .refine((value) => !CONTROL.test(value), 'must not contain control characters or line breaks')
    .refine((value) => !BIDI.test(value), 'must not contain characters that turn the direction of text')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode');

/** What tells two things apart in the database, where trailing spaces do not count. */
const name = (maximum: number) =>
  text(maximum).refine((value) => value.trim() === value, 'must not begin or end with a space');

const Filename = text(255)
  .refine((name) => !/[/\\]/.test(name), 'must not contain a path: a slash or a backslash')
  .refine((name) => !/^\.*$/.test(name), 'must not consist of dots')
  .meta({ description: 'name of the file on disk', examples: ['IMG_2907.jpg'] });

const Id = z.int().positive();
const ListingIdentityId = Id.meta({ description: 'the listing (alias `listingId`)', examples: [28] });
const BatchId = z
  .uuid()
  .transform((id) => id.toLowerCase())
  .meta({ description: 'as `POST /uploads` answered it' });
const ClientId = name(120).meta({
  description: "the client's own name for the file, unique in its batch",
  examples: ['horizontal-01'],
});

const CONTENT_TYPES: Record<UploadType, readonly string[]> = {
  PHOTO_VERTICAL: ['image/jpeg', 'image/png', 'image/heic'],
  PHOTO_HORIZONTAL: ['image/jpeg', 'image/png', 'image/heic'],
  PROJECT_RENDER: ['image/jpeg', 'image/png', 'image/heic'],
  VIDEO_VERTICAL: ['video/mp4', 'video/quicktime'],
  VIDEO_HORIZONTAL: ['video/mp4', 'video/quicktime'],
  PROJECT_DOC: ['application/pdf'],
};

const ORIENTATIONS = {
  VERTICAL: 'VERTICAL',
  PORTRAIT: 'VERTICAL',
  HORIZONTAL: 'HORIZONTAL',
  LANDSCAPE: 'HORIZONTAL',
} as const;

/** SHA-256 as `sha256:<hex>`, bare hex or base64 → 64 lower-case hex digits; null for anything else. */
function sha256Hex(checksum: string): string | null {
  const hex = checksum.replace(/^sha256:/i, '');
  if (/^[0-9a-f]{64}$/i.test(hex)) return hex.toLowerCase();
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(checksum)) return null;
  const bytes = Buffer.from(checksum, 'base64');
  // 43 digits hold 258 bits: the last two must be nought
  return bytes.toString('base64').startsWith(checksum.slice(0, 43)) ? bytes.toString('hex') : null;
}

const Checksum = z
  .string()
  .max(100)
  .transform((value, context) => {
    const hex = sha256Hex(value);
    if (hex) return hex;
    context.addIssue('must be a SHA-256 of 32 bytes: sha256:<hex>, hex or base64');
    return z.NEVER;
  })
  .meta({ description: 'SHA-256 of the file: `sha256:<hex>`, bare hex, or base64' });

const AssetType = UploadType.meta({ description: 'alias `mediaType`' });

const Metadata = z
  .record(text(64), text(500, 0))
  .refine((entries) => Object.keys(entries).length <= 20, 'must have at most 20 entries');

/** The limits that hold for one request; those of a batch are the domain's. */
export type RequestLimits = Pick<ServiceConfig, 'MAX_FILES_PER_REQUEST' | 'MAX_FILE_BYTES'>;

const uploadFile = (limits: RequestLimits) =>
  renamed(
    { mediaType: 'assetType' },
    z
      .strictObject({
        clientId: ClientId,
        assetType: AssetType,
        orientation: z
          .enum(['VERTICAL', 'PORTRAIT', 'HORIZONTAL', 'LANDSCAPE'])
          .optional()
          .meta({ description: 'must fit the asset type' }),
        filename: Filename,
        contentType: z
          .string()
          .max(100)
          .transform((type) => type.toLowerCase()),
        bytes: z.int().min(1).max(limits.MAX_FILE_BYTES),
        checksum: Checksum,
        title: text(255).optional(),
        sequence: z.int().min(1).max(9999),
        metadata: Metadata.optional(),
      })
      .superRefine((file, context) => {
        const types = CONTENT_TYPES[file.assetType];
        if (!types.includes(file.contentType)) {
          const message = `must be ${types.join(' or ')} for ${file.assetType}`;
          context.addIssue({ code: 'custom', path: ['contentType'], message });
        }
        const turned = file.assetType.split('_')[1];
        const fits = file.assetType.startsWith('PROJECT_') || !file.orientation;
        if (!fits && ORIENTATIONS[file.orientation ?? 'VERTICAL'] !== turned) {
          const message = `${file.orientation} does not fit ${file.assetType}`;
          context.addIssue({ code: 'custom', path: ['orientation'], message });
        }
      })
      .transform(({ checksum, orientation: _, ...file }) => ({ ...file, checksumSha256: checksum })),
  );

/** Body of `POST /uploads`: the manifest. The rules between its files are the domain's (media/manifest.ts). */
export const uploadsRequest = (limits: RequestLimits) =>
  renamed(
    LISTING,
    z
      .strictObject({
        listingIdentityId: ListingIdentityId,
        batchReference: name(120)
          .optional()
          .meta({ description: 'names a new batch; the same again is the same batch' }),
        batchId: BatchId.optional().meta({ description: 'adds to an open or a failed batch' }),
        files: z.array(uploadFile(limits)).min(1).max(limits.MAX_FILES_PER_REQUEST),
      })
      .refine(({ batchReference, batchId }) => batchReference ?? batchId, {
        path: ['batchReference'],
        message: 'is required where there is no batchId',
      }),
  );

export const ProcessRequest = renamed(
  LISTING,
  z.strictObject({
    listingIdentityId: ListingIdentityId,
    batchId: BatchId.optional(),
    files: z
      .array(z.strictObject({ clientId: ClientId }))
      .min(1)
      .max(255)
      .optional()
      .meta({ description: 'only these; without it, all that have been uploaded' }),
  }),
);

export const CompleteRequest = renamed(
  LISTING,
  z.strictObject({
    listingIdentityId: ListingIdentityId,
    batchId: BatchId.optional().meta({
      description: 'else the open, or else the newest batch of the listing',
    }),
    files: z
      .array(
        renamed(
          { objectKey: 's3Key' },
          z.strictObject({
            clientId: ClientId,
            s3Key: text(512).optional(),
            etag: text(100).optional().meta({ description: 'as S3 answered the PUT' }),
            bytes: z.int().min(1).optional(),
          }),
        ),
      )
      .max(255)
      .optional(),
  }),
);

export const BatchRequest = renamed(
  LISTING,
  z.strictObject({ listingIdentityId: ListingIdentityId, batchId: BatchId }),
);

export const RetryRequest = renamed(
  LISTING,
  z.strictObject({ listingIdentityId: ListingIdentityId, batchId: BatchId, reason: text(255).optional() }),
);

export const DownloadsRequest = renamed(
  LISTING,
  z.strictObject({ listingIdentityId: ListingIdentityId, batchId: BatchId.optional() }),
);
