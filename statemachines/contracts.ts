import { z } from 'zod';

/** What a photographer or an owner may upload. */
export const UploadType = z.enum([
  'PHOTO_VERTICAL',
  'PHOTO_HORIZONTAL',
  'VIDEO_VERTICAL',
  'VIDEO_HORIZONTAL',
  'PROJECT_DOC',
  'PROJECT_RENDER',
]);
export type UploadType = z.infer<typeof UploadType>;

/** Still sizes: name → width in pixels after EXIF orientation. Nothing is ever enlarged. */
export const VARIANT_WIDTHS = { thumbnail: 200, small: 400, medium: 800, large: 1200 } as const;
export type Size = keyof typeof VARIANT_WIDTHS;
/** Best first: the order in which a photo's `processedKey` is chosen. */
export const SIZES_BEST_FIRST = ['large', 'medium', 'small', 'thumbnail'] as const satisfies readonly Size[];

/** Why an asset or a batch failed; stable, shown to clients. Lambda errors carry one of these as their `name`. */
export const ErrorCode = z.enum([
  'VALIDATION_ERROR',
  'THUMBNAIL_PROCESSING_FAILED',
  'VIDEO_TRANSCODE_FAILED',
  'VIDEO_THUMBNAIL_FAILED',
  'DERIVATIVE_ERRORS_DETECTED',
  'MISSING_PROCESSED_KEY',
  'ASSETS_FAILED',
  'BUNDLE_FAILED',
  'UNSUPPORTED_CONTENT',
  'IMAGE_TOO_LARGE',
  'RAW_ARCHIVED',
  'UPLOAD_EXPIRED',
  'STUCK',
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

const Id = z.int().positive();
const Key = z.string().min(1).max(512);

/**
 * One original. `bytes` and `checksumSha256` (hex) are what the manifest promised; a sender that does not know them
 * leaves them out, and validation then checks only that the object exists and is what its type says.
 */
export const Asset = z.object({
  key: Key,
  type: UploadType,
  bytes: z.int().positive().optional(),
  checksumSha256: z.string().length(64).optional(),
});
export type Asset = z.infer<typeof Asset>;

/** SQS body on `listing-media-processing-{env}`. `retry` counts the earlier runs of the batch. */
export const QueueMessage = z.object({
  jobId: Id,
  listingIdentityId: Id,
  batchId: z.uuid(),
  assets: z.array(Asset).min(1).max(255),
  retry: z.int().nonnegative(),
});
export type QueueMessage = z.infer<typeof QueueMessage>;

/** SQS string attributes beside the body. `ListingId` repeats `ListingIdentityId` for older consumers. */
export const queueAttributes = (message: QueueMessage, traceparent: string) => ({
  Traceparent: traceparent,
  ListingIdentityId: String(message.listingIdentityId),
  ListingId: String(message.listingIdentityId),
  BatchId: message.batchId,
  JobId: String(message.jobId),
  RetryCount: String(message.retry),
});

/** Input of both machines. */
export const MachineInput = QueueMessage.extend({ traceparent: z.string() });
export type MachineInput = z.infer<typeof MachineInput>;

/** Deterministic: a redelivered message or a repeated StartExecution starts nothing twice. */
export const processingExecutionName = (job: { jobId: number; listingIdentityId: number }) =>
  `process-${job.listingIdentityId}-${job.jobId}`;
export const finalizationExecutionName = (job: { jobId: number; listingIdentityId: number }) =>
  `finalization-${job.listingIdentityId}-${job.jobId}`;

/** An asset that failed validation, told by the task itself. */
export const AssetError = z.object({ sourceKey: Key, errorCode: ErrorCode, errorMessage: z.string() });
export type AssetError = z.infer<typeof AssetError>;

/** What a machine catches. `Cause` of a failed Lambda is JSON with an `errorMessage`; it may be missing. */
export const CaughtState = z.object({ Error: z.string(), Cause: z.string().optional() });

/** An asset that failed in a Map item: the item's error code, unless the caught name is a better one. */
export const CaughtError = z.object({ sourceKey: Key, errorCode: ErrorCode, error: CaughtState });
export type CaughtError = z.infer<typeof CaughtError>;

/** ValidateRawAssets: sorts the originals by what has to be done to them. `images` also holds documents. */
export const Validate = {
  input: MachineInput,
  output: z.object({
    images: z.array(Asset),
    videos: z.array(Asset.extend({ input: z.string(), destination: z.string() })),
    errors: z.array(AssetError),
  }),
};

/** MediaConvert's OutputDetails, as far as they are read: milliseconds and pixels. */
export const TranscodeOutput = z.object({
  DurationInMs: z.number().nonnegative().optional(),
  VideoDetails: z.object({ WidthInPx: z.int(), HeightInPx: z.int() }).optional(),
});

/**
 * GenerateVariants, GeneratePosterSizes: one asset in, its derived objects out. A video's four sizes come from the
 * poster frame that MediaConvert left beside its MP4s; a document is copied.
 */
export const Thumbnails = {
  input: z.object({
    asset: Asset,
    traceparent: z.string(),
    transcode: z.object({ outputDetails: z.array(TranscodeOutput) }).optional(),
  }),
  output: z.object({
    rawKey: Key,
    /** size → key; a video has `original_1080p` and `original_720p` too, a document only `original` */
    variants: z.record(z.string(), Key),
    width: z.int().positive().optional(),
    height: z.int().positive().optional(),
    durationSeconds: z.number().nonnegative().optional(),
  }),
};
export type Variants = z.infer<typeof Thumbnails.output>;

export const CallbackStatus = z.enum([
  'RUNNING',
  'SUCCEEDED',
  'PARTIAL_SUCCESS',
  'VALIDATION_FAILED',
  'PROCESSING_FAILED',
  'FINALIZATION_FAILED',
]);
export type CallbackStatus = z.infer<typeof CallbackStatus>;

export const JobProvider = z.enum(['STEP_FUNCTIONS', 'STEP_FUNCTIONS_FINALIZATION', 'MEDIACONVERT']);
export type JobProvider = z.infer<typeof JobProvider>;

const LooseId = z.union([
  z.int().positive(),
  z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .transform(Number),
]);

/** What became of one original. `outputs` is keyed `{size}_{asset type in lower case}`. */
export const CallbackOutput = z.object({
  rawKey: Key,
  processedKey: Key.nullish(),
  thumbnailKey: Key.nullish(),
  outputs: z.record(z.string(), Key).default({}),
  /** `{width}x{height}` in pixels of the original, upright */
  resolution: z
    .string()
    .regex(/^\d{1,6}x\d{1,6}$/)
    .nullish(),
  durationSeconds: z.number().nonnegative().nullish(),
  errorCode: z.string().max(50).nullish(),
  errorMessage: z.string().max(2000).nullish(),
});
export type CallbackOutput = z.infer<typeof CallbackOutput>;

/** Body of the signed callback: how a state machine tells the service how it went. */
export const Callback = z.object({
  executionArn: z.string().max(2048).optional(),
  jobId: LooseId,
  listingIdentityId: LooseId,
  batchId: z.uuid().optional(),
  provider: JobProvider.default('STEP_FUNCTIONS'),
  status: CallbackStatus,
  startedAt: z.iso.datetime({ offset: true }).optional(),
  traceparent: z.string().max(200).optional(),
  outputs: z.array(CallbackOutput).max(255).default([]),
  assetsZipped: z.int().nonnegative().optional(),
  zipBundles: z.array(Key).optional(),
  zipSizeBytes: z.int().nonnegative().optional(),
  unzippedSizeBytes: z.int().nonnegative().optional(),
  failureReason: z.string().nullish(),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});
export type Callback = z.infer<typeof Callback>;
/** What a sender may leave out, it may leave out. */
export type CallbackBody = z.input<typeof Callback>;

/** ConsolidateResults: everything the branches said → the body of the callback. */
export const Consolidate = {
  input: MachineInput.extend({
    executionArn: z.string(),
    startedAt: z.string(),
    validationErrors: z.array(AssetError),
    /** one array a branch of ParallelProcessing */
    results: z.array(z.array(z.union([Thumbnails.output, CaughtError]))),
  }),
  output: Callback,
};

/** CreateZipBundle: the originals of the gallery, in order → one stored archive. */
export const Zip = {
  input: MachineInput,
  output: z.object({
    zipKey: Key,
    zipBundles: z.array(Key),
    assetsZipped: z.int().nonnegative(),
    zipSizeBytes: z.int().nonnegative(),
    unzippedSizeBytes: z.int().nonnegative(),
  }),
};

/**
 * ReportStarted, FinalizeAndCallback, ValidationFailed, ReportFailure: a callback to deliver. A failure report carries
 * the caught error as it is; the task turns it into `failureReason` and `error: {code, message}`.
 */
export const CallbackDispatch = {
  input: z.union([Callback, Callback.omit({ error: true }).extend({ error: CaughtState })]),
  output: z.object({ delivered: z.literal(true), answer: z.enum(['accepted', 'duplicate', 'stale']) }),
};

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const photo = {
  key: '28/raw/photo/horizontal/horizontal-01-IMG_2907.jpg',
  type: 'PHOTO_HORIZONTAL',
} as const;
const video = { key: '28/raw/video/vertical/tour-clip.mov', type: 'VIDEO_VERTICAL' } as const;
const message: QueueMessage = {
  jobId: 21,
  listingIdentityId: 28,
  batchId: '0b9f4f0e-8a3c-4f57-9d55-6f3d7f6f2b11',
  assets: [photo, video],
  retry: 0,
};
const executionArn = `arn:aws:states:us-east-1:000000000000:execution:listing-media-processing-sm-local:${processingExecutionName(message)}`;
const variants: Variants = {
  rawKey: photo.key,
  variants: {
    large: '28/processed/photo/horizontal/large/horizontal-01-IMG_2907.jpg',
    thumbnail: '28/processed/photo/horizontal/thumbnail/horizontal-01-IMG_2907.jpg',
  },
  width: 6000,
  height: 4000,
};
const caught: CaughtError = {
  sourceKey: video.key,
  errorCode: 'VIDEO_TRANSCODE_FAILED',
  error: { Error: 'States.TaskFailed', Cause: 'The job ended with status ERROR.' },
};

/** One valid example of each message, for tests and documentation. */
export const samples = {
  queueMessage: message,
  machineInput: { ...message, traceparent } satisfies MachineInput,
  validate: {
    images: [photo],
    videos: [
      {
        ...video,
        input: `s3://toq-listing-medias-local/${video.key}`,
        destination: 's3://toq-listing-medias-local/28/processed/video/vertical/original/',
      },
    ],
    errors: [],
  } satisfies z.infer<typeof Validate.output>,
  thumbnails: variants,
  caughtError: caught,
  consolidate: {
    ...message,
    traceparent,
    executionArn,
    startedAt: '2026-11-21T10:00:00.000Z',
    validationErrors: [],
    results: [[variants], [caught]],
  } satisfies z.infer<typeof Consolidate.input>,
  zip: {
    zipKey: '28/processed/zip/listing-media.zip',
    zipBundles: ['28/processed/zip/listing-media.zip'],
    assetsZipped: 2,
    zipSizeBytes: 1_048_900,
    unzippedSizeBytes: 1_048_576,
  } satisfies z.infer<typeof Zip.output>,
  callback: {
    executionArn,
    jobId: 21,
    listingIdentityId: '28',
    batchId: message.batchId,
    provider: 'STEP_FUNCTIONS',
    status: 'PARTIAL_SUCCESS',
    startedAt: '2026-11-21T10:00:00.000Z',
    traceparent,
    outputs: [
      {
        rawKey: photo.key,
        processedKey: variants.variants.large,
        thumbnailKey: variants.variants.thumbnail,
        outputs: { large_photo_horizontal: '28/processed/photo/horizontal/large/horizontal-01-IMG_2907.jpg' },
        resolution: '6000x4000',
        errorCode: null,
        errorMessage: null,
      },
      {
        rawKey: video.key,
        errorCode: 'VIDEO_TRANSCODE_FAILED',
        errorMessage: 'The video could not be converted.',
      },
    ],
    failureReason: 'DERIVATIVE_ERRORS_DETECTED',
    error: null,
  } satisfies CallbackBody,
};
