import {
  finalizationExecutionName,
  type MachineInput,
  processingExecutionName,
  QueueMessage,
  queueAttributes,
} from '../../statemachines/contracts.ts';
import { lockBatch } from '../models/batch.ts';
import { transact } from '../models/database.ts';
import { findJob, type Job, lockJob, UNFINISHED, updateJob } from '../models/job.ts';
import { markFailed, markPublished, type OutboxEntry } from '../models/outbox.ts';
import { now } from '../models/table.ts';
import { traceIdOf, withTraceId } from '../trace.ts';
import type { MediaDependencies } from './dependencies.ts';
import { moveBatch, moveJob } from './transitions.ts';

/** Longest pause between two tries, in seconds. */
const LONGEST_PAUSE = 300;

/**
 * Tells the queue or Step Functions about a job whose outbox entry the caller holds. At least once: who dies between
 * telling and noting it tells again, and the execution's name makes that harmless. Never throws: what fails is noted
 * and tried again later, with a growing pause.
 */
export type Publish = (entry: Pick<OutboxEntry, 'id' | 'jobId' | 'attempts'>) => Promise<boolean>;

export function createPublisher(dependencies: MediaDependencies): Publish {
  const { knex, log } = dependencies;

  async function publish(entry: Parameters<Publish>[0], job: Job) {
    try {
      // a result may have come although the note of the publication was lost
      if (!UNFINISHED.some((status) => status === job.status)) await markPublished(knex, entry.id);
      else if (job.provider === 'STEP_FUNCTIONS_FINALIZATION')
        await startFinalization(dependencies, entry.id, job);
      else await enqueue(dependencies, entry.id, job);
      return true;
    } catch (error) {
      const pause = Math.min(2 ** entry.attempts, LONGEST_PAUSE);
      log.warn(
        { ...ids(job), attempts: entry.attempts, retry_in_seconds: pause, err: error },
        job.provider === 'STEP_FUNCTIONS_FINALIZATION'
          ? 'service.media.complete.start_workflow_error'
          : 'adapter.sqs.media.send_failed',
      );
      // when this fails too, the lease runs out and the relay comes back to it
      await markFailed(knex, entry.id, String(error), pause).catch(() => {});
      return false;
    }
  }

  return async (entry) => {
    const job = await findJob(knex, entry.jobId).catch(() => undefined);
    if (!job) return false;
    // whoever publishes it, a request or the relay: the work belongs to the request that asked for it
    return withTraceId(traceIdOf(job.inputPayloadJson.traceparent), () => publish(entry, job));
  };
}

const machineInput = (job: Job): MachineInput => ({ jobId: job.id, ...job.inputPayloadJson });

const ids = (job: Job) => ({
  listing_identity_id: job.listingIdentityId,
  batch_id: job.inputPayloadJson.batchId,
  job_id: job.id,
});

async function enqueue({ knex, queue, workflows, log }: MediaDependencies, entryId: number, job: Job) {
  const input = machineInput(job);
  // the message is the input without the trace, which travels as an attribute
  const message = QueueMessage.parse(input);
  await queue.send(message, queueAttributes(message, input.traceparent));
  await transact(knex, async (transaction) => {
    await updateJob(transaction, job.id, {
      enqueuedAt: now(),
      externalId: workflows.processingExecutionArn(processingExecutionName(message)),
    });
    await markPublished(transaction, entryId);
  });
  log.info({ ...ids(job), assets_count: message.assets.length }, 'service.media.process.started');
}

async function startFinalization({ knex, workflows, log }: MediaDependencies, entryId: number, found: Job) {
  const input = machineInput(found);
  const { executionArn } = await workflows.startFinalization(finalizationExecutionName(input), input);
  await transact(knex, async (transaction) => {
    const batch = await lockBatch(transaction, found.batchId);
    const job = await lockJob(transaction, found.id);
    await updateJob(transaction, job.id, { enqueuedAt: now(), externalId: executionArn });
    // its result may have been quicker than this note
    if (job.status === 'PENDING') {
      await moveJob(transaction, job, 'RUNNING', { startedAt: now() });
      if (batch.status === 'RECEIVED') {
        await moveBatch(transaction, batch, 'PROCESSING', { processingStartedAt: now() });
      }
    }
    await markPublished(transaction, entryId);
  });
  log.info(
    { ...ids(found), execution_arn: executionArn, assets_count: input.assets.length },
    'service.media.complete.started_zip',
  );
}
