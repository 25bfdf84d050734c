import { randomBytes } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { z } from 'zod';
import type { JobTemplate, Role } from '../graph/manifest.ts';
import type { Watchdog } from '../watchdog.ts';
import { badRequest, conflict, JobError, notFound, timeLimitError } from './errors.ts';
import { JobSettings, overlay } from './settings.ts';
import { type Rendition, transcode } from './transcode.ts';

/** MediaConvert forgets a ClientRequestToken after a minute (API reference, "Preventing duplicate jobs"). */
const TOKEN_LIFETIME_MS = 60_000;
const JOBS_KEPT = 1_000;

export type JobStatus = 'SUBMITTED' | 'PROGRESSING' | 'COMPLETE' | 'CANCELED' | 'ERROR';

const CreateJob = z.object({
  Role: z.string(),
  Queue: z.string().optional(),
  JobTemplate: z.string().optional(),
  ClientRequestToken: z.string().optional(),
  Settings: z.looseObject({}),
  UserMetadata: z.record(z.string(), z.string()).default({}),
});

export interface Job {
  Id: string;
  Arn: string;
  Status: JobStatus;
  Role: string;
  Queue: string;
  JobTemplate?: string;
  Settings: JobSettings;
  UserMetadata: Record<string, string>;
  CreatedAt: Date;
  StartedAt?: Date;
  FinishedAt?: Date;
  JobPercentComplete: number;
  ErrorCode?: number;
  ErrorMessage?: string;
  /** by output group; empty until the job is complete */
  renditions: Rendition[][];
  /** settles when the job has come to rest; never rejects */
  finished: Promise<void>;
  cancel(): void;
}

export interface JobsOptions {
  region: string;
  accountId: string;
  roles: Role[];
  queues: { name: string; arn: string }[];
  templates: JobTemplate[];
  /** client that signs as the given role */
  s3: (roleArn: string) => S3Client;
  /** scratch space */
  directory: string;
  /** told after each change of a job's status */
  onStatus: (job: Job) => void;
  /** jobs that run ffmpeg at the same time */
  concurrency?: number;
  timeLimitMinutes?: number;
  watchdog?: Pick<Watchdog, 'watch' | 'forget'>;
}

const mayBeAssumed = (role: Role) =>
  JSON.stringify(role.trust.Statement).includes('mediaconvert.amazonaws.com');
const named = <T extends { name: string; arn: string }>(list: T[], nameOrArn: string) =>
  list.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn);

/** The jobs of one account: validated against what is declared, run a few at a time. */
export function createJobs(options: JobsOptions) {
  const { region, accountId, roles, queues, templates, directory, onStatus, watchdog } = options;
  const { concurrency = 1, timeLimitMinutes = 15 } = options;
  const arn = (resource: string) => `arn:aws:mediaconvert:${region}:${accountId}:${resource}`;
  const jobs = new Map<string, Job>();
  const tokens = new Map<string, { job: Job; at: number }>();
  const slot = pLimit(concurrency);

  function remember(job: Job, token: string | undefined) {
    jobs.set(job.Id, job);
    if (jobs.size > JOBS_KEPT) {
      for (const { Id, FinishedAt } of jobs.values()) {
        if (FinishedAt && jobs.size > JOBS_KEPT) jobs.delete(Id);
      }
    }
    const now = Date.now();
    for (const [known, { at }] of tokens) if (now - at > TOKEN_LIFETIME_MS) tokens.delete(known);
    if (token) tokens.set(token, { job, at: now });
  }

  function settle(job: Job, change: Partial<Job> & { Status: JobStatus }) {
    Object.assign(job, change);
    onStatus(job);
  }

  async function run(job: Job, canceled: AbortSignal) {
    if (canceled.aborted) return;
    settle(job, { Status: 'PROGRESSING', StartedAt: new Date() });
    const limit = AbortSignal.timeout(timeLimitMinutes * 60_000);
    const onPercent = (percent: number) => {
      job.JobPercentComplete = percent;
    };
    const signal = AbortSignal.any([canceled, limit]);
    try {
      const s3 = options.s3(job.Role);
      const renditions = await transcode({
        settings: job.Settings,
        s3,
        directory,
        signal,
        onPercent,
        watchdog,
      });
      settle(job, { Status: 'COMPLETE', JobPercentComplete: 100, FinishedAt: new Date(), renditions });
    } catch (error) {
      if (canceled.aborted) return;
      const known = limit.aborted ? timeLimitError(timeLimitMinutes) : error;
      const { errorCode, message } =
        known instanceof JobError
          ? known
          : new JobError(1999, known instanceof Error ? known.message : `${known}`);
      settle(job, { Status: 'ERROR', ErrorCode: errorCode, ErrorMessage: message, FinishedAt: new Date() });
    }
  }

  /** CreateJob: validates, and queues the job. Throws an `AwsError`. */
  function create(request: unknown): Job {
    const parsed = CreateJob.safeParse(request);
    if (!parsed.success) throw badRequest(z.prettifyError(parsed.error));
    const { Role, Queue, JobTemplate, ClientRequestToken, UserMetadata } = parsed.data;
    const twin = ClientRequestToken && tokens.get(ClientRequestToken);
    if (twin && Date.now() - twin.at < TOKEN_LIFETIME_MS) return twin.job;

    const role = roles.find((declared) => declared.arn === Role);
    if (!role || !mayBeAssumed(role)) {
      throw badRequest(`The role ${Role} is not one that MediaConvert can assume.`);
    }
    const queue = Queue ? named(queues, Queue)?.arn : arn('queues/Default');
    if (!queue) throw notFound(`The queue ${Queue} does not exist.`);
    const template = JobTemplate ? named(templates, JobTemplate) : undefined;
    if (JobTemplate && !template) throw notFound(`The job template ${JobTemplate} does not exist.`);
    const settings = JobSettings.safeParse(overlay(template?.settings, parsed.data.Settings));
    if (!settings.success) throw badRequest(`Settings: ${z.prettifyError(settings.error)}`);

    const id = `${Date.now()}-${randomBytes(3).toString('hex')}`;
    const canceling = new AbortController();
    const job: Job = {
      Id: id,
      Arn: arn(`jobs/${id}`),
      Status: 'SUBMITTED',
      Role,
      Queue: queue,
      ...(template ? { JobTemplate: template.name } : {}),
      Settings: settings.data,
      UserMetadata,
      CreatedAt: new Date(),
      JobPercentComplete: 0,
      renditions: [],
      finished: Promise.resolve(),
      cancel() {
        if (job.FinishedAt) throw conflict(`The job ${id} has finished.`);
        settle(job, { Status: 'CANCELED', FinishedAt: new Date() });
        canceling.abort(new Error('canceled'));
      },
    };
    remember(job, ClientRequestToken);
    job.finished = slot(() => run(job, canceling.signal));
    return job;
  }

  /** GetJob. Throws an `AwsError` when there is none. */
  function get(id: string): Job {
    const job = jobs.get(id);
    if (!job) throw notFound(`The job ${id} does not exist.`);
    return job;
  }

  return {
    create,
    get,
    list: () => [...jobs.values()],
    template(name: string): JobTemplate {
      const template = named(templates, name);
      if (!template) throw notFound(`The job template ${name} does not exist.`);
      return template;
    },
    /** Cancels what is not finished and waits until its files are gone. */
    async close() {
      for (const job of jobs.values()) if (!job.FinishedAt) job.cancel();
      await Promise.all([...jobs.values()].map((job) => job.finished));
    },
  };
}
export type Jobs = ReturnType<typeof createJobs>;
