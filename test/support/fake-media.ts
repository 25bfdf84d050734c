import { conflict, invalid, notFound } from '../../service/errors.ts';
import { validateManifest } from '../../service/media/manifest.ts';
import type {
  Caller,
  DownloadsAnswer,
  MediaOperations,
  OpenUploads,
  StatusAnswer,
} from '../../service/media/operations.ts';
import type { Callback } from '../../statemachines/contracts.ts';

export const BATCH_ID = '0b9f4f0e-8a3c-4f57-9d55-6f3d7f6f2b11';

export const LIMITS = {
  MAX_FILES_PER_REQUEST: 60,
  MAX_FILES_PER_BATCH: 100,
  MAX_FILE_BYTES: 256 * 1024 ** 2,
  MAX_BATCH_BYTES: 1024 ** 3,
};

/** What the fake has been brought to keep. */
export interface FakeStore {
  batches: { caller: Caller; traceparent: string; request: OpenUploads }[];
  callbacks: { callback: Callback; rawBody: string }[];
  status: StatusAnswer['status'];
  /** thrown by every operation */
  failure: Error | null;
}

/** The operations of the service without its rules: one batch of listing 28, which goes where the test says. */
export function fakeMedia(): { media: MediaOperations; store: FakeStore } {
  const store: FakeStore = { batches: [], callbacks: [], status: 'PENDING_UPLOAD', failure: null };

  const enter = (request: { listingIdentityId: number; batchId?: string | undefined }) => {
    if (store.failure) throw store.failure;
    if (request.listingIdentityId !== 28) throw notFound('listing_not_found', 'There is no such listing.');
    if (request.batchId && request.batchId !== BATCH_ID) {
      throw notFound('batch_not_found', 'There is no such batch.');
    }
  };
  const job = (status: 'RECEIVED' | 'PROCESSING' | 'READY') => ({
    listingIdentityId: 28,
    batchId: BATCH_ID,
    jobId: 21,
    status,
    estimatedDurationSeconds: 40,
  });

  const media: MediaOperations = {
    async openUploads(caller, request, { traceparent }) {
      enter(request);
      const errors = validateManifest(request.files, LIMITS);
      if (errors.length > 0) throw invalid(errors);
      const same = store.batches.find((batch) => batch.request.batchReference === request.batchReference);
      if (same && JSON.stringify(same.request) !== JSON.stringify(request)) {
        throw conflict('reference_in_use', 'Another manifest has this reference.');
      }
      if (!same) store.batches.push({ caller, traceparent, request });
      return {
        created: !same,
        batchId: BATCH_ID,
        listingIdentityId: 28,
        uploadUrlTtlSeconds: 900,
        files: request.files.map((file) => {
          const key = `28/raw/photo/horizontal/${file.clientId}-${file.filename}`;
          return {
            clientId: file.clientId,
            assetType: file.assetType,
            sequence: file.sequence,
            title: file.title ?? null,
            method: 'PUT',
            uploadUrl: `https://bucket.test/${key}?X-Amz-Signature=hush`,
            headers: { 'Content-Type': file.contentType },
            s3Key: key,
            objectKey: key,
          };
        }),
      };
    },
    async processUploads(_, request) {
      enter(request);
      return job('RECEIVED');
    },
    async completeUploads(_, request) {
      enter(request);
      return job(store.status === 'READY' ? 'READY' : 'RECEIVED');
    },
    async retryBatch(_, request) {
      enter(request);
      if (store.status === 'PROCESSING') throw conflict('batch_running', 'The batch is on its way.');
      return { batchId: BATCH_ID, listingIdentityId: 28, jobId: 22, status: 'PROCESSING' };
    },
    async batchStatus(_, request) {
      enter(request);
      return {
        batchId: BATCH_ID,
        listingIdentityId: 28,
        status: store.status,
        submittedAt: '2026-11-21T10:00:00.000Z',
        processing: { jobId: null, steps: [{ name: 'validate-raw-assets', status: 'PENDING' }] },
        availableDownloads: [{ type: 'ZIP_FULL', ready: store.status === 'READY' }],
        assets: [],
      };
    },
    async queryDownloads(_, request): Promise<DownloadsAnswer | null> {
      enter(request);
      if (store.status !== 'READY') return null;
      return {
        batchId: BATCH_ID,
        generatedAt: '2026-11-21T10:00:00.000Z',
        ttlSeconds: 3600,
        downloads: [
          {
            type: 'ZIP_FULL',
            url: 'https://bucket.test/28/processed/zip/listing-media.zip',
            expiresAt: '2026-11-21T11:00:00.000Z',
            bytes: 1,
          },
        ],
      };
    },
    async applyCallback(callback, rawBody) {
      if (store.failure) throw store.failure;
      if (callback.jobId !== 21) throw notFound('job_not_found', 'There is no such job.');
      const seen = store.callbacks.some((earlier) => earlier.rawBody === rawBody);
      if (!seen) store.callbacks.push({ callback, rawBody });
      return seen ? 'duplicate' : 'accepted';
    },
    async removeAsset(_, request) {
      enter(request);
    },
  };
  return { media, store };
}
