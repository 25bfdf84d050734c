import type { z } from 'zod';
import {
  type Asset,
  type CallbackBody,
  type CallbackOutput,
  type CaughtError,
  Consolidate,
  SIZES_BEST_FIRST,
  type Variants,
} from '../statemachines/contracts.ts';
import { explain } from './errors.ts';
import { task } from './task.ts';

type Input = z.output<typeof Consolidate.input>;

/** Best first: a photo's largest still, a video's best MP4, a document's copy. */
const BEST_FIRST = ['original_1080p', 'original_720p', 'original', ...SIZES_BEST_FIRST];

const failed = (rawKey: string, errorCode: string, errorMessage: string): CallbackOutput => ({
  rawKey,
  outputs: {},
  errorCode,
  errorMessage,
});

function processed(asset: Asset, { variants, width, height, durationSeconds }: Variants): CallbackOutput {
  const best = BEST_FIRST.find((size) => variants[size]);
  if (!best) return missing(asset);
  const type = asset.type.toLowerCase();
  return {
    rawKey: asset.key,
    processedKey: variants[best],
    thumbnailKey: variants.thumbnail,
    outputs: Object.fromEntries(Object.entries(variants).map(([size, key]) => [`${size}_${type}`, key])),
    ...(width && height && { resolution: `${width}x${height}` }),
    ...(durationSeconds !== undefined && { durationSeconds }),
    errorCode: null,
    errorMessage: null,
  };
}

const missing = (asset: Asset) =>
  failed(asset.key, 'MISSING_PROCESSED_KEY', 'The file was not processed. Please try again.');

/**
 * Everything that the branches said → the body of the callback: one output for each asset, in the order of the input.
 * An asset of which nobody said anything is an error too.
 */
export function consolidate(input: Input): CallbackBody {
  const results = input.results.flat();
  const invalid = new Map(input.validationErrors.map((error) => [error.sourceKey, error]));
  const done = new Map(
    results.flatMap((one): [string, Variants][] => ('rawKey' in one ? [[one.rawKey, one]] : [])),
  );
  const caught = new Map(
    results.flatMap((one): [string, CaughtError][] => ('sourceKey' in one ? [[one.sourceKey, one]] : [])),
  );

  const outputs = input.assets.map((asset): CallbackOutput => {
    const refused = invalid.get(asset.key);
    if (refused) return failed(asset.key, refused.errorCode, refused.errorMessage);
    const variants = done.get(asset.key);
    if (variants) return processed(asset, variants);
    const error = caught.get(asset.key);
    if (!error) return missing(asset);
    const { code, message } = explain(error.error, error.errorCode);
    return failed(asset.key, code, message);
  });

  return {
    executionArn: input.executionArn,
    jobId: input.jobId,
    listingIdentityId: input.listingIdentityId,
    batchId: input.batchId,
    provider: 'STEP_FUNCTIONS',
    startedAt: input.startedAt,
    traceparent: input.traceparent,
    ...verdict(outputs, input),
    outputs,
  };
}

function verdict(outputs: CallbackOutput[], { assets, validationErrors }: Input) {
  const errors = outputs.filter((output) => output.errorCode).length;
  if (errors === 0) return { status: 'SUCCEEDED', failureReason: null, error: null } as const;
  const failureReason = 'DERIVATIVE_ERRORS_DETECTED';
  if (errors < outputs.length) return { status: 'PARTIAL_SUCCESS', failureReason, error: null } as const;
  const byValidation = validationErrors.length === assets.length;
  return {
    status: byValidation ? 'VALIDATION_FAILED' : 'PROCESSING_FAILED',
    failureReason: byValidation ? 'VALIDATION_ERROR' : failureReason,
    error: {
      code: byValidation ? 'VALIDATION_ERROR' : failureReason,
      message: 'None of the files could be processed.',
    },
  } as const;
}

export const handler = task('consolidate', Consolidate, () => consolidate);
