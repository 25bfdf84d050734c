import { Callback } from '../../statemachines/contracts.ts';
import type { Execution } from '../adapters/workflows.ts';
import { Problem } from '../errors.ts';
import type { MediaDependencies } from '../media/dependencies.ts';
import type { MediaOperations } from '../media/operations.ts';
import { executionArn, type GiveUp } from '../media/results.ts';
import { findOverdueJobs, type Job } from '../models/job.ts';
import { republish } from '../models/outbox.ts';
import { traceIdOf, withTraceId } from '../trace.ts';
import { createWorker, type Schedule, type Worker } from './worker.ts';

/** Jobs of one round, longest waiting first. */
const ROUND = 200;

/** So often is a job published before it is given up. */
const PUBLICATIONS = 3;

/** What a round did with the jobs whose callback is overdue. */
export interface Reconciliation {
  /** had ended: the result was applied */
  applied: number;
  /** had never started: published again, or about to be */
  republished: number;
  /** has started, though nobody had told us: it has its time from now on */
  started: number;
  /** given up */
  stuck: number;
  /** could not be looked at, and will be in the next round */
  failed: number;
}

interface Means {
  dependencies: MediaDependencies;
  applyCallback: MediaOperations['applyCallback'];
  giveUp: GiveUp;
}

/**
 * Asks Step Functions about jobs whose callback has not come in time: since their start, or since they were enqueued.
 * Only what it answers decides; a job is given up when it still runs, or still has not started after several messages.
 */
export function createReconciler(
  { dependencies, applyCallback, giveUp }: Means,
  schedule: Omit<Schedule, 'name'>,
): Worker<Reconciliation> {
  const { knex, workflows, config, log } = dependencies;
  const minutes = config.STUCK_JOB_TIMEOUT_MINUTES;

  async function reconcile(job: Job): Promise<keyof Reconciliation> {
    const arn = job.externalId ?? executionArn(workflows, job);
    const execution = await workflows.describe(arn);
    if (!execution) {
      const outcome = await republish(knex, job.id, PUBLICATIONS);
      if (outcome !== 'exhausted') return 'republished';
      await giveUp(job.id, `It was asked for ${PUBLICATIONS} times and did not start.`);
      return 'stuck';
    }
    if (execution.status === 'RUNNING' || execution.status === 'PENDING_REDRIVE') {
      if (job.status === 'PENDING') {
        await applyCallback(Callback.parse({ ...about(job), status: 'RUNNING' }), '');
        return 'started';
      }
      const reason = `It was still running after ${minutes} minutes.`;
      await workflows.stop(arn, reason);
      await giveUp(job.id, reason);
      return 'stuck';
    }
    await apply(job, execution);
    return 'applied';
  }

  async function apply(job: Job, execution: Execution) {
    const result = resultOf(job, execution);
    try {
      await applyCallback(result, execution.output ?? JSON.stringify(result));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const refused = failureOf(job, 'VALIDATION_ERROR', `Its result was refused: ${error.message}`);
      await applyCallback(refused, execution.output ?? '');
    }
  }

  return createWorker({ name: 'reconciler', ...schedule }, async () => {
    const report: Reconciliation = { applied: 0, republished: 0, started: 0, stuck: 0, failed: 0 };
    const jobs = await findOverdueJobs(knex, minutes * 60, ROUND);
    for (const job of jobs) {
      try {
        const traceId = traceIdOf(job.inputPayloadJson.traceparent);
        report[await withTraceId(traceId, () => reconcile(job))]++;
      } catch (error) {
        report.failed++;
        log.error({ err: error, job_id: job.id }, 'service.media.reconcile.failed');
      }
    }
    log.info(
      report,
      jobs.length ? 'service.media.reconcile.completed' : 'service.media.reconcile.no_stuck_jobs',
    );
    return report;
  });
}

const about = (job: Job) => ({
  jobId: job.id,
  listingIdentityId: job.listingIdentityId,
  batchId: job.inputPayloadJson.batchId,
  provider: job.provider,
});

/** What the callback would have said: the output of an execution that succeeded, or a failure report. */
function resultOf(job: Job, execution: Execution): Callback {
  if (execution.status !== 'SUCCEEDED') {
    const code = execution.error ?? execution.status;
    return failureOf(job, code, `The execution ended ${execution.status}: ${execution.cause ?? code}`);
  }
  const output = Callback.safeParse(parseJson(execution.output));
  if (output.success && output.data.jobId === job.id) return output.data;
  return failureOf(job, 'VALIDATION_ERROR', 'The execution succeeded, but left no readable result.');
}

const failureOf = (job: Job, code: string, message: string): Callback =>
  Callback.parse({
    ...about(job),
    status: job.provider === 'STEP_FUNCTIONS_FINALIZATION' ? 'FINALIZATION_FAILED' : 'PROCESSING_FAILED',
    failureReason: code,
    error: { code, message },
  });

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}
