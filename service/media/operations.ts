import type { Callback, ErrorCode, UploadType } from '../../statemachines/contracts.ts';

/** Who asks, as the token says. Ids are those of the TOQ schema. */
export interface Caller {
  userId: number;
  role: 'photographer' | 'owner' | 'admin' | 'realtor';
}

/** W3C trace context of the request that asks; runs on through queue, machines and callback. */
export interface Trace {
  traceparent: string;
}

export interface UploadFile {
  clientId: string;
  assetType: UploadType;
  filename: string;
  contentType: string;
  bytes: number;
  /** SHA-256, 64 lower-case hex digits */
  checksumSha256: string;
  title?: string | undefined;
  sequence: number;
  metadata?: Record<string, string> | undefined;
}

export interface OpenUploads {
  listingIdentityId: number;
  batchReference?: string | undefined;
  batchId?: string | undefined;
  files: UploadFile[];
}

export interface UploadsAnswer {
  /** false: the same reference and manifest again */
  created: boolean;
  batchId: string;
  listingIdentityId: number;
  uploadUrlTtlSeconds: number;
  files: {
    clientId: string;
    assetType: UploadType;
    sequence: number;
    title: string | null;
    method: 'PUT';
    uploadUrl: string;
    headers: Record<string, string>;
    s3Key: string;
    objectKey: string;
  }[];
}

export interface CompleteUploads {
  listingIdentityId: number;
  batchId?: string | undefined;
  files?:
    | {
        clientId: string;
        s3Key?: string | undefined;
        etag?: string | undefined;
        bytes?: number | undefined;
      }[]
    | undefined;
}

export interface JobAnswer {
  listingIdentityId: number;
  batchId: string;
  jobId: number | null;
  status: 'PENDING_UPLOAD' | 'RECEIVED' | 'PROCESSING' | 'READY';
  estimatedDurationSeconds: number;
}

export type StepStatus = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED';

export interface StatusAnswer {
  batchId: string;
  listingIdentityId: number;
  status: 'PENDING_UPLOAD' | 'RECEIVED' | 'PROCESSING' | 'READY' | 'FAILED';
  submittedAt: string | null;
  processing: {
    /** execution ARN of the newest job */
    jobId: string | null;
    steps: {
      name: 'validate-raw-assets' | 'image-thumbnails' | 'video-transcode' | 'zip-bundle';
      status: StepStatus;
      done?: number;
      total?: number;
    }[];
  };
  availableDownloads: { type: 'ZIP_FULL' | 'THUMBNAILS'; ready: boolean }[];
  assets: {
    clientId: string;
    assetType: UploadType;
    sequence: number;
    title: string | null;
    status: 'PENDING_UPLOAD' | 'PROCESSING' | 'PROCESSED' | 'FAILED';
    errorCode?: ErrorCode;
    errorMessage?: string;
  }[];
  error?: { code: string; detail: string };
}

export interface DownloadItem {
  label: string;
  title: string | null;
  sequence: number;
  /** signed GET of the thumbnail */
  preview: string | null;
  /** signed GET of the best rendition */
  url: string;
  /** `4000x6000` */
  resolution: string | null;
  bytes: number;
  durationSeconds?: number;
  sizes: Partial<Record<'thumbnail' | 'small' | 'medium' | 'large', string>>;
}

export interface DownloadsAnswer {
  batchId: string;
  generatedAt: string;
  ttlSeconds: number;
  downloads: (
    | { type: 'ZIP_FULL'; url: string; expiresAt: string; bytes: number }
    | { type: UploadType; items: DownloadItem[] }
  )[];
}

export type CallbackAnswer = 'accepted' | 'duplicate' | 'stale';

/**
 * What the service can do. Each throws a `Problem` (service/errors.ts) for what the caller did wrong and changes
 * nothing then.
 */
export interface MediaOperations {
  openUploads(caller: Caller, request: OpenUploads, trace: Trace): Promise<UploadsAnswer>;
  processUploads(
    caller: Caller,
    request: {
      listingIdentityId: number;
      batchId?: string | undefined;
      files?: { clientId: string }[] | undefined;
    },
    trace: Trace,
  ): Promise<JobAnswer>;
  completeUploads(caller: Caller, request: CompleteUploads, trace: Trace): Promise<JobAnswer>;
  retryBatch(
    caller: Caller,
    request: { listingIdentityId: number; batchId: string; reason?: string | undefined },
    trace: Trace,
  ): Promise<{ batchId: string; listingIdentityId: number; jobId: number; status: 'PROCESSING' }>;
  batchStatus(caller: Caller, request: { listingIdentityId: number; batchId: string }): Promise<StatusAnswer>;
  /** null when no batch of the listing is READY */
  queryDownloads(
    caller: Caller,
    request: { listingIdentityId: number; batchId?: string | undefined },
  ): Promise<DownloadsAnswer | null>;
  /** `rawBody` is kept as it came. */
  applyCallback(callback: Callback, rawBody: string): Promise<CallbackAnswer>;
  /** Soft delete; its route comes later. */
  removeAsset(
    caller: Caller,
    request: { listingIdentityId: number; assetType: UploadType; sequence: number },
  ): Promise<void>;
}
