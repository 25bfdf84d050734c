import type { Knex } from 'knex';
import {
  type Callback,
  finalizationExecutionName,
  processingExecutionName,
} from '../../statemachines/contracts.ts';
import type { Workflows } from '../adapters/workflows.ts';
import { notFound } from '../errors.ts';
import { finishAssets, lockAssets } from '../models/asset.ts';
import { lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { findJob, hasNewerJob, type Job, lockJob, UNFINISHED, updateJob } from '../models/job.ts';
import { now } from '../models/table.ts';
import type { MediaDependencies } from './dependencies.ts';
import type { CallbackAnswer, MediaOperations } from './operations.ts';
import { assertFits, finalizationOutcome, type Outcome, processingOutcome } from './outcome.ts';
import type { Publish } from './publisher.ts';
import { closeFinalization, reopenForLateResult, type Settled, settle } from './settlement.ts';
import { moveBatch, moveJob } from './transitions.ts';

interface Applied extends Settled {
  answer: CallbackAnswer;
  /** the job, if this ended it */
  ended?: Job;
}

const isFinalization = (job: Job) => job.provider === 'STEP_FUNCTIONS_FINALIZATION';
const isUnfinished = (job: Job) => UNFINISHED.some((status) => status === job.status);

/**
 * Applies what a state machine says of its job. Terminal states are final; the same result twice has one effect; the
 * result of a job whose work has been given to a newer one has none.
 */
export function applyCallback(
  dependencies: MediaDependencies,
  publish: Publish,
): MediaOperations['applyCallback'] {
  const { knex, log } = dependencies;

  return async (callback, rawBody) => {
    const found = await findJob(knex, callback.jobId);
    if (!found) {
      log.warn({ job_id: callback.jobId }, 'service.media.callback.job_not_found');
      throw notFound('job_not_found', `There is no job ${callback.jobId}.`);
    }
    assertFits(callback, found);
    const applied = await transact(knex, (transaction) =>
      callback.status === 'RUNNING'
        ? begin(transaction, dependencies.workflows, found)
        : conclude(transaction, dependencies, found, callback, rawBody),
    );
    log.info(
      {
        listing_identity_id: found.listingIdentityId,
        batch_id: found.inputPayloadJson.batchId,
        job_id: found.id,
        provider: found.provider,
        status: callback.status,
        answer: applied.answer,
      },
      'service.media.callback.received',
    );
    await follow(dependencies, publish, applied);
    return applied.answer;
  };
}

/** Gives a job up: it, and the assets it is still at work on, become FAILED `STUCK`. False: it had ended already. */
export type GiveUp = (jobId: number, detail: string) => Promise<boolean>;

export function giveUp(dependencies: MediaDependencies, publish: Publish): GiveUp {
  return async (jobId, detail) => {
    const found = await findJob(dependencies.knex, jobId);
    if (!found) return false;
    const applied = await transact(dependencies.knex, async (transaction): Promise<Applied | null> => {
      const batch = await lockBatch(transaction, found.batchId);
      const job = await lockJob(transaction, found.id);
      if (!isUnfinished(job)) return null;
      await moveJob(transaction, job, 'FAILED', {
        errorCode: 'STUCK',
        lastError: detail,
        completedAt: now(),
      });
      if (isFinalization(job)) {
        const failure = { errorCode: 'STUCK', detail };
        const settled = await closeFinalization(transaction, dependencies, batch, failure);
        return { ...settled, answer: 'accepted', ended: job };
      }
      const assets = (await lockAssets(transaction, batch.id)).filter((asset) => asset.jobId === job.id);
      const results = assets.map((asset) => ({
        id: asset.id,
        status: 'FAILED' as const,
        errorCode: 'STUCK',
        errorDetail: detail,
      }));
      await finishAssets(transaction, job.id, results, null);
      const settled = await settle(transaction, batch, job, 'STUCK');
      return { ...settled, answer: 'accepted', ended: job };
    });
    if (applied) await follow(dependencies, publish, applied);
    return applied !== null;
  };
}

/** What comes after the commit. */
async function follow({ log, metrics }: MediaDependencies, publish: Publish, applied: Applied) {
  const { ended, failed, assignment } = applied;
  if (ended) {
    const seconds = Math.max(0, (Date.now() - ended.createdAt.getTime()) / 1000);
    metrics.jobFinished({ provider: ended.provider, status: ended.status, seconds });
    log.info(
      { job_id: ended.id, batch_id: ended.inputPayloadJson.batchId, status: ended.status, seconds },
      ended.status === 'SUCCEEDED'
        ? 'service.media.callback.assets_processed'
        : 'service.media.callback.assets_failed',
    );
  }
  if (failed) metrics.batchFailed(failed);
  if (assignment) await publish({ id: assignment.entryId, jobId: assignment.jobId, attempts: 1 });
}

/** RUNNING: the machine has started. */
async function begin(transaction: Knex, workflows: Workflows, found: Job): Promise<Applied> {
  const batch = await lockBatch(transaction, found.batchId);
  const job = await lockJob(transaction, found.id);
  if (!isUnfinished(job)) return { answer: 'stale' };
  if (job.status === 'RUNNING') return { answer: 'duplicate' };
  await moveJob(transaction, job, 'RUNNING', {
    startedAt: now(),
    externalId: job.externalId ?? executionArn(workflows, job),
  });
  if (batch.status === 'RECEIVED') {
    await moveBatch(transaction, batch, 'PROCESSING', { processingStartedAt: now() });
  }
  return { answer: 'accepted' };
}

/** The ARN under which the job's execution runs or will run. */
export function executionArn(workflows: Workflows, job: Job): string {
  const ids = { jobId: job.id, listingIdentityId: job.listingIdentityId };
  return isFinalization(job)
    ? workflows.finalizationExecutionArn(finalizationExecutionName(ids))
    : workflows.processingExecutionArn(processingExecutionName(ids));
}

async function conclude(
  transaction: Knex,
  dependencies: MediaDependencies,
  found: Job,
  callback: Callback,
  rawBody: string,
): Promise<Applied> {
  const batch = await lockBatch(transaction, found.batchId);
  const job = await lockJob(transaction, found.id);
  const assets = await lockAssets(transaction, batch.id);
  const late = !isUnfinished(job);

  const inputs = new Set(job.inputPayloadJson.assets.map((asset) => asset.key));
  const newer = await hasNewerJob(transaction, job);
  const passedOn = isFinalization(job)
    ? newer
    : assets.some((asset) => inputs.has(asset.sourceKey) && asset.jobId !== job.id);
  if (passedOn || (late && newer && job.errorCode === 'STUCK')) return { answer: 'stale' };
  if (late && job.errorCode !== 'STUCK') return { answer: 'duplicate' };

  const own = assets.filter((asset) => asset.jobId === job.id);
  const outcome = isFinalization(job) ? finalizationOutcome(callback) : processingOutcome(callback, own);
  await record(transaction, dependencies.workflows, job, outcome, rawBody);
  if (late) await reopenForLateResult(transaction, batch, job);
  else if (batch.status === 'RECEIVED') {
    await moveBatch(transaction, batch, 'PROCESSING', { processingStartedAt: now() });
  }
  if (isFinalization(job)) {
    const settled = await closeFinalization(transaction, dependencies, batch, outcome);
    return { ...settled, answer: 'accepted', ended: job };
  }
  await finishAssets(transaction, job.id, outcome.results, late ? 'STUCK' : null);
  const settled = await settle(transaction, batch, job, outcome.errorCode);
  return { ...settled, answer: 'accepted', ended: job };
}

async function record(transaction: Knex, workflows: Workflows, job: Job, outcome: Outcome, rawBody: string) {
  await moveJob(transaction, job, outcome.status, {
    externalId: job.externalId ?? executionArn(workflows, job),
    outputPayloadJson: outcome.bundle,
    callbackBody: rawBody,
    errorCode: outcome.errorCode,
    lastError: outcome.detail,
    completedAt: now(),
  });
  // a result implies a start, also when the news of it was lost
  if (job.startedAt === null) await updateJob(transaction, job.id, { startedAt: now() });
}
