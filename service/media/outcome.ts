import {
  type Callback,
  type CallbackOutput,
  ErrorCode,
  type UploadType,
} from '../../statemachines/contracts.ts';
import { bundleKey } from '../../statemachines/object-keys.ts';
import { type FieldError, invalid } from '../errors.ts';
import type { Asset, AssetResult } from '../models/asset.ts';
import type { BundleFacts, Job, JobStatus } from '../models/job.ts';

/** What a callback says, in the words of our tables. */
export interface Outcome {
  status: Exclude<JobStatus, 'PENDING' | 'RUNNING'>;
  /** of the job's assets; none for a finalization */
  results: AssetResult[];
  bundle: BundleFacts | null;
  /** null when all went well */
  errorCode: string | null;
  /** a sentence for people */
  detail: string | null;
}

/**
 * Refuses (400) a callback that is not about this job: another listing or batch, a kind of result that its machine has
 * not, an original that is not among its inputs, a derived object outside the listing's `processed/`.
 */
export function assertFits(callback: Callback, job: Job) {
  const errors: FieldError[] = [];
  const complain = (pointer: string, message: string) => errors.push({ pointer, message });
  const { listingIdentityId, batchId, assets } = job.inputPayloadJson;
  if (callback.listingIdentityId !== listingIdentityId) {
    complain('/listingIdentityId', `Job ${job.id} is of another listing.`);
  }
  if (callback.batchId !== undefined && callback.batchId.toLowerCase() !== batchId) {
    complain('/batchId', `Job ${job.id} is of another batch.`);
  }
  const finalization = job.provider === 'STEP_FUNCTIONS_FINALIZATION';
  if (!statusesOf(finalization).includes(callback.status)) {
    complain('/status', `${callback.status} is no result of a ${job.provider} job.`);
  }
  const keys = new Set(assets.map((asset) => asset.key));
  const processed = `${listingIdentityId}/processed/`;
  for (const [index, output] of callback.outputs.entries()) {
    if (finalization || !keys.has(output.rawKey)) {
      complain(`/outputs/${index}/rawKey`, `${output.rawKey} is no original of job ${job.id}.`);
    }
    for (const key of [output.processedKey, output.thumbnailKey, ...Object.values(output.outputs)]) {
      if (key && !key.startsWith(processed))
        complain(`/outputs/${index}`, `${key} does not belong to the listing.`);
    }
  }
  for (const [index, key] of (callback.zipBundles ?? []).entries()) {
    if (key !== bundleKey(listingIdentityId))
      complain(`/zipBundles/${index}`, `${key} is not the listing's bundle.`);
  }
  if (errors.length) throw invalid(errors);
}

const statusesOf = (finalization: boolean): Callback['status'][] =>
  finalization
    ? ['RUNNING', 'SUCCEEDED', 'FINALIZATION_FAILED']
    : ['RUNNING', 'SUCCEEDED', 'PARTIAL_SUCCESS', 'VALIDATION_FAILED', 'PROCESSING_FAILED'];

/**
 * What became of a processing job. Not what the callback calls itself decides, but what it says of each asset: all
 * PROCESSED is SUCCEEDED, none is FAILED.
 */
export function processingOutcome(callback: Callback, assets: Asset[]): Outcome {
  const outputs = new Map(callback.outputs.map((output) => [output.rawKey, output]));
  const failed = callback.status === 'VALIDATION_FAILED' || callback.status === 'PROCESSING_FAILED';
  const results = assets.map((asset): AssetResult => {
    const output = outputs.get(asset.sourceKey);
    if (output) return assetResult(asset, output);
    const errorCode = failed ? jobCode(callback, asset.assetType) : 'MISSING_PROCESSED_KEY';
    return { id: asset.id, status: 'FAILED', errorCode, errorDetail: sentence(callback) ?? undefined };
  });
  const processed = results.filter((result) => result.status === 'PROCESSED').length;
  const status = processed === results.length ? 'SUCCEEDED' : processed ? 'PARTIAL_SUCCESS' : 'FAILED';
  if (status === 'SUCCEEDED') return { status, results, bundle: null, errorCode: null, detail: null };
  const errorCode = failed ? jobCode(callback) : 'DERIVATIVE_ERRORS_DETECTED';
  return { status, results, bundle: null, errorCode, detail: sentence(callback) };
}

function assetResult(asset: Asset, output: CallbackOutput): AssetResult {
  const [width, height] = (output.resolution ?? '').split('x').map(Number);
  const facts = {
    id: asset.id,
    thumbnailKey: output.thumbnailKey ?? undefined,
    resolution: output.resolution ?? undefined,
    width: width || undefined,
    height: height || undefined,
    durationSeconds: output.durationSeconds ?? undefined,
    variants: output.outputs,
  };
  if (output.errorCode || output.errorMessage) {
    const known = ErrorCode.safeParse(output.errorCode);
    return {
      ...facts,
      status: 'FAILED',
      errorCode: known.success ? known.data : typicalCode(asset.assetType),
      errorDetail: output.errorMessage ?? `${asset.filename} could not be processed.`,
    };
  }
  if (!output.processedKey) {
    const errorDetail = `Nothing was made of ${asset.filename}.`;
    return { ...facts, status: 'FAILED', errorCode: 'MISSING_PROCESSED_KEY', errorDetail };
  }
  return { ...facts, status: 'PROCESSED', processedKey: output.processedKey };
}

/** What became of a finalization job. A success without a bundle is none. */
export function finalizationOutcome(callback: Callback): Outcome {
  const zipBundles = callback.zipBundles ?? [];
  if (callback.status === 'SUCCEEDED' && zipBundles.length) {
    const bundle = {
      zipBundles,
      assetsZipped: callback.assetsZipped ?? 0,
      zipSizeBytes: callback.zipSizeBytes ?? 0,
      unzippedSizeBytes: callback.unzippedSizeBytes ?? 0,
    };
    return { status: 'SUCCEEDED', results: [], bundle, errorCode: null, detail: null };
  }
  const archived = [callback.error?.code, callback.failureReason].includes('RAW_ARCHIVED');
  return {
    status: 'FAILED',
    results: [],
    bundle: null,
    errorCode: archived ? 'RAW_ARCHIVED' : 'BUNDLE_FAILED',
    detail: sentence(callback) ?? 'The bundle could not be made.',
  };
}

/** The contract's code that the callback gives for the whole job, or the one that fits best. */
function jobCode(callback: Callback, type?: UploadType): ErrorCode {
  for (const candidate of [callback.error?.code, callback.failureReason]) {
    const known = ErrorCode.safeParse(candidate);
    if (known.success) return known.data;
  }
  return callback.status === 'VALIDATION_FAILED' ? 'VALIDATION_ERROR' : typicalCode(type);
}

const typicalCode = (type?: UploadType): ErrorCode =>
  type?.startsWith('VIDEO_') ? 'VIDEO_TRANSCODE_FAILED' : 'THUMBNAIL_PROCESSING_FAILED';

/** Longest text that is kept of a failure, in characters. */
const DETAIL_LENGTH = 2000;

const sentence = (callback: Callback) =>
  (callback.error?.message || callback.failureReason || '').slice(0, DETAIL_LENGTH) || null;
