import type { ServerResponse } from 'node:http';
import { AwsError } from '../aws-error.ts';
import type { AwsService } from '../door.ts';
import { badRequest } from './errors.ts';
import { createJobs, type Job, type Jobs, type JobsOptions } from './jobs.ts';
import { fromWire, toWire } from './settings.ts';

const seconds = (date: Date | undefined) => date && date.getTime() / 1000;

/** A job in the SDK's spelling. Times are Unix seconds. */
function present(job: Job) {
  const { renditions, finished: _, cancel: __, CreatedAt, StartedAt, FinishedAt, ...rest } = job;
  return {
    ...rest,
    CreatedAt: seconds(CreatedAt),
    Timing: {
      SubmitTime: seconds(CreatedAt),
      StartTime: seconds(StartedAt),
      FinishTime: seconds(FinishedAt),
    },
    OutputGroupDetails: renditions.map((group) => ({ OutputDetails: group.map(({ detail }) => detail) })),
  };
}

/** Detail of `MediaConvert Job State Change` (MediaConvert user guide, "EventBridge events"). */
function eventDetail(job: Job, accountId: string) {
  return {
    timestamp: Date.now(),
    accountId,
    queue: job.Queue,
    jobId: job.Id,
    status: job.Status,
    userMetadata: job.UserMetadata,
    ...(job.ErrorCode ? { errorCode: job.ErrorCode, errorMessage: job.ErrorMessage } : {}),
    ...(job.renditions.length
      ? {
          outputGroupDetails: job.renditions.map((group) => ({
            type: 'FILE_GROUP',
            outputDetails: group.map(({ detail, files }) => ({
              outputFilePaths: files,
              durationInMs: detail.DurationInMs,
              videoDetails: {
                widthInPx: detail.VideoDetails.WidthInPx,
                heightInPx: detail.VideoDetails.HeightInPx,
              },
            })),
          })),
        }
      : {}),
  };
}

function send(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(toWire(body)));
}

function parse(body: Buffer): unknown {
  try {
    return fromWire(JSON.parse(body.toString() || '{}'));
  } catch {
    throw badRequest('The request body is not JSON.');
  }
}

const api =
  (jobs: Jobs): AwsService =>
  async (signed, response) => {
    const { method } = signed.request;
    const [, collection, item] =
      /^\/2017-08-29\/(jobs|jobTemplates|endpoints)(?:\/([^/]+))?$/.exec(signed.url.pathname) ?? [];
    const name = decodeURIComponent(item ?? '');
    switch (`${method} ${collection}${item ? '/' : ''}`) {
      case 'POST jobs':
        return send(response, 201, { Job: present(jobs.create(parse(await signed.body()))) });
      case 'GET jobs':
        return send(response, 200, { Jobs: jobs.list().map(present).reverse() });
      case 'GET jobs/':
        return send(response, 200, { Job: present(jobs.get(name)) });
      case 'DELETE jobs/':
        jobs.get(name).cancel();
        return send(response, 202, {});
      case 'GET jobTemplates/': {
        const { name: Name, arn: Arn, settings: Settings } = jobs.template(name);
        return send(response, 200, { JobTemplate: { Name, Arn, Type: 'CUSTOM', Settings } });
      }
      case 'POST endpoints':
        return send(response, 200, { Endpoints: [{ Url: `http://${signed.request.headers.host}` }] });
      default:
        throw new AwsError(
          'UnsupportedOperationException',
          404,
          `${method} ${signed.url.pathname} is not supported.`,
        );
    }
  };

export interface MediaConvertOptions extends Omit<JobsOptions, 'onStatus'> {
  /** puts an event on the default bus */
  emit: (event: { source: string; detailType: string; resources: string[]; detail: unknown }) => void;
}

/** AWS Elemental MediaConvert's job API in front of ffmpeg. */
export function createMediaConvert({ emit, ...options }: MediaConvertOptions) {
  const jobs = createJobs({
    ...options,
    onStatus: (job) =>
      emit({
        source: 'aws.mediaconvert',
        detailType: 'MediaConvert Job State Change',
        resources: [job.Arn],
        detail: eventDetail(job, options.accountId),
      }),
  });
  return {
    service: api(jobs),
    jobs,
    close: () => jobs.close(),
  };
}
export type MediaConvert = ReturnType<typeof createMediaConvert>;
