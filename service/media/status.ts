import { ErrorCode } from '../../statemachines/contracts.ts';
import type { Asset } from '../models/asset.ts';
import type { Batch } from '../models/batch.ts';
import { findBatchJobs, type Job } from '../models/job.ts';
import type { MediaDependencies } from './dependencies.ts';
import type { MediaOperations, StatusAnswer, StepStatus } from './operations.ts';
import { authorize } from './permissions.ts';
import { select } from './selection.ts';

/** `POST /uploads/status`: how far a batch is. */
export function batchStatus(dependencies: MediaDependencies): MediaOperations['batchStatus'] {
  return async (caller, request) => {
    const grant = await authorize(dependencies, caller, 'read', request.listingIdentityId);
    const { batch, assets } = await select(dependencies.knex, grant, request.batchId);
    return present(batch, assets, await findBatchJobs(dependencies.knex, batch.id));
  };
}

/** Codes that say an original was refused before anything was made of it. */
const REFUSED: readonly string[] = [
  'VALIDATION_ERROR',
  'UNSUPPORTED_CONTENT',
  'IMAGE_TOO_LARGE',
  'RAW_ARCHIVED',
] satisfies ErrorCode[];

/** A batch as a client sees it. `jobs` newest first. */
export function present(batch: Batch, assets: Asset[], jobs: Job[]): StatusAnswer {
  return {
    batchId: batch.publicId,
    listingIdentityId: batch.listingId,
    status: batch.status,
    submittedAt: batch.receivedAt?.toISOString() ?? null,
    processing: { jobId: jobs[0]?.externalId ?? null, steps: steps(assets, jobs) },
    availableDownloads: [
      { type: 'ZIP_FULL', ready: batch.status === 'READY' },
      { type: 'THUMBNAILS', ready: assets.some((asset) => asset.status === 'PROCESSED') },
    ],
    assets: assets.map((asset) => ({
      clientId: asset.clientId,
      assetType: asset.assetType,
      sequence: asset.sequence,
      title: asset.title,
      status: asset.status,
      ...(asset.errorCode ? { errorCode: ErrorCode.catch('VALIDATION_ERROR').parse(asset.errorCode) } : {}),
      ...(asset.errorDetail ? { errorMessage: asset.errorDetail } : {}),
    })),
    ...(batch.errorCode ? { error: { code: batch.errorCode, detail: batch.errorDetail ?? '' } } : {}),
  };
}

function steps(assets: Asset[], jobs: Job[]): StatusAnswer['processing']['steps'] {
  const running = new Set(jobs.filter((job) => job.status === 'RUNNING').map((job) => job.id));
  const isVideo = (asset: Asset) => asset.assetType.startsWith('VIDEO_');
  const processed = (asset: Asset) => asset.status === 'PROCESSED';
  const refused = (asset: Asset) => asset.status === 'FAILED' && REFUSED.includes(asset.errorCode ?? '');
  const passed = (asset: Asset) => processed(asset) || (asset.status === 'FAILED' && !refused(asset));

  const step = (group: Asset[], isDone: (asset: Asset) => boolean) => {
    const done = group.filter(isDone).length;
    return { status: statusOf(group, done, running), done, total: group.length };
  };
  return [
    { name: 'validate-raw-assets', ...step(assets, passed) },
    {
      name: 'image-thumbnails',
      ...step(
        assets.filter((asset) => !isVideo(asset)),
        processed,
      ),
    },
    { name: 'video-transcode', ...step(assets.filter(isVideo), processed) },
    { name: 'zip-bundle', status: bundleStatus(jobs) },
  ];
}

/** A step over a group of assets. With nothing to do it is done. */
function statusOf(group: Asset[], done: number, running: Set<number>): StepStatus {
  const atWork = group.filter((asset) => asset.status === 'PROCESSING');
  if (atWork.some((asset) => asset.jobId !== null && running.has(asset.jobId))) return 'RUNNING';
  if (atWork.length) return 'PENDING';
  if (done === group.length) return 'SUCCEEDED';
  return group.some((asset) => asset.status === 'FAILED') ? 'FAILED' : 'PENDING';
}

/** Only a bundle that nothing newer has overtaken counts. */
function bundleStatus([newest]: Job[]): StepStatus {
  if (newest?.provider !== 'STEP_FUNCTIONS_FINALIZATION') return 'PENDING';
  return newest.status === 'PARTIAL_SUCCESS' ? 'SUCCEEDED' : newest.status;
}
