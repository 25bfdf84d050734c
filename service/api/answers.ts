import { z } from 'zod';
import { ErrorCode, UploadType } from '../../statemachines/contracts.ts';

const Id = z.int().positive();
const Time = z.iso.datetime();
const SignedUrl = z.url().meta({ description: 'signed; whoever has it may use it until it expires' });
const BatchStatus = z.enum(['PENDING_UPLOAD', 'RECEIVED', 'PROCESSING', 'READY', 'FAILED']);

export const Uploads = z
  .object({
    batchId: z.uuid(),
    listingIdentityId: Id,
    uploadUrlTtlSeconds: z.int(),
    files: z.array(
      z.object({
        clientId: z.string(),
        assetType: UploadType,
        sequence: z.int(),
        title: z.string().nullable(),
        method: z.literal('PUT'),
        uploadUrl: SignedUrl,
        headers: z
          .record(z.string(), z.string())
          .meta({ description: 'to be sent as they are; all are signed, and so is Content-Length' }),
        s3Key: z.string(),
        objectKey: z.string().meta({ description: 'the same as `s3Key`' }),
      }),
    ),
  })
  .meta({ id: 'Uploads' });

export const Job = z
  .object({
    listingIdentityId: Id,
    batchId: z.uuid(),
    jobId: Id.nullable(),
    status: BatchStatus.exclude(['FAILED']),
    estimatedDurationSeconds: z.int(),
  })
  .meta({ id: 'Job' });

export const Retry = z
  .object({ batchId: z.uuid(), listingIdentityId: Id, jobId: Id, status: z.literal('PROCESSING') })
  .meta({ id: 'Retry' });

export const Status = z
  .object({
    batchId: z.uuid(),
    listingIdentityId: Id,
    status: BatchStatus,
    submittedAt: Time.nullable(),
    processing: z.object({
      jobId: z.string().nullable().meta({ description: 'ARN of the execution of the newest job' }),
      steps: z.array(
        z.object({
          name: z.enum(['validate-raw-assets', 'image-thumbnails', 'video-transcode', 'zip-bundle']),
          status: z.enum(['PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED']),
          done: z.int().optional(),
          total: z.int().optional(),
        }),
      ),
    }),
    availableDownloads: z.array(z.object({ type: z.enum(['ZIP_FULL', 'THUMBNAILS']), ready: z.boolean() })),
    assets: z.array(
      z.object({
        clientId: z.string(),
        assetType: UploadType,
        sequence: z.int(),
        title: z.string().nullable(),
        status: z.enum(['PENDING_UPLOAD', 'PROCESSING', 'PROCESSED', 'FAILED']),
        errorCode: ErrorCode.optional(),
        errorMessage: z.string().optional(),
      }),
    ),
    error: z.object({ code: z.string(), detail: z.string() }).optional(),
  })
  .meta({ id: 'Status' });

const DownloadItem = z.object({
  label: z.string(),
  title: z.string().nullable(),
  sequence: z.int(),
  preview: SignedUrl.nullable(),
  url: SignedUrl,
  resolution: z
    .string()
    .nullable()
    .meta({ examples: ['4000x6000'] }),
  bytes: z.int(),
  durationSeconds: z.number().optional(),
  sizes: z.object({
    thumbnail: SignedUrl.optional(),
    small: SignedUrl.optional(),
    medium: SignedUrl.optional(),
    large: SignedUrl.optional(),
  }),
});

export const Downloads = z
  .object({
    batchId: z.uuid(),
    generatedAt: Time,
    ttlSeconds: z.int(),
    downloads: z.array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('ZIP_FULL'), url: SignedUrl, expiresAt: Time, bytes: z.int() }),
        z.object({ type: UploadType, items: z.array(DownloadItem) }),
      ]),
    ),
  })
  .meta({ id: 'Downloads' });

export const CallbackAccepted = z
  .object({
    success: z.literal(true),
    data: z.object({ status: z.enum(['accepted', 'duplicate', 'stale']) }),
  })
  .meta({ id: 'CallbackAccepted' });

/** RFC 9457 problem details. */
export const ProblemDetails = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string().meta({ description: 'stable', examples: ['invalid_request'] }),
    traceId: z.string(),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({ description: 'RFC 6901', examples: ['/files/3/bytes'] }),
          message: z.string(),
          code: z.string().optional(),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Problem' });
