import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  CreateJobCommand,
  type CreateJobCommandInput,
  GetJobCommand,
  type Job,
  MediaConvertClient,
} from '@aws-sdk/client-mediaconvert';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { jobTemplateSettings } from '../../infra/job-template.ts';
import { type BusEvent, createEvents } from '../../local/events.ts';
import { createMediaConvert } from '../../local/media-convert/service.ts';
import { createS3 } from '../../local/s3/service.ts';
import { ACCOUNT, openDoor, REGION, role, trusting } from './front-door.ts';
import { MEDIA_BUCKET } from './s3.ts';

const run = promisify(execFile);

export const ffmpeg = (...args: string[]) => run('ffmpeg', ['-nostdin', '-y', '-loglevel', 'error', ...args]);

/** Films ffmpeg's test pattern, `s=320x240:r=10:d=1`; what is said of the encoding comes after H.264. */
export const testPattern =
  (source: string, ...encoding: string[]) =>
  (file: string) =>
    ffmpeg(
      ...['-f', 'lavfi', '-i', `testsrc2=${source}`, '-c:v', 'libx264', '-preset', 'ultrafast'],
      ...encoding,
      file,
    );

const arnOf = (resource: string) => `arn:aws:mediaconvert:${REGION}:${ACCOUNT}:${resource}`;
export const QUEUE = { name: 'toq-media-queue', arn: arnOf('queues/toq-media-queue') };
const template = (name: 'horizontal' | 'vertical') => ({
  name,
  arn: arnOf(`jobTemplates/${name}`),
  settings: jobTemplateSettings(name),
});

/** The rule by which the stack hears of jobs that ended. */
const STATUS_RULE = {
  name: 'status',
  arn: `arn:aws:events:${REGION}:${ACCOUNT}:rule/status`,
  pattern: {
    source: ['aws.mediaconvert'],
    'detail-type': ['MediaConvert Job State Change'],
    detail: { status: ['COMPLETE', 'ERROR'], queue: [QUEUE.arn] },
  },
  targets: [{ id: 'alerts', arn: `arn:aws:sns:${REGION}:${ACCOUNT}:alerts` }],
};

/** A job of the template `horizontal` that writes what becomes of `a/tour.mp4` below `out/a/`. */
export const jobOf = (key: string, about: Partial<CreateJobCommandInput> = {}): CreateJobCommandInput => ({
  Role: role('transcoder'),
  Queue: QUEUE.name,
  JobTemplate: 'horizontal',
  Settings: {
    Inputs: [{ FileInput: `s3://media/${key}`, VideoSelector: { Rotate: 'AUTO' } }],
    OutputGroups: [
      {
        OutputGroupSettings: {
          Type: 'FILE_GROUP_SETTINGS',
          FileGroupSettings: { Destination: `s3://media/out/${path.dirname(key)}/` },
        },
      },
    ],
  },
  ...about,
});

/** MediaConvert over the local S3, with the templates that the program declares. */
export async function openMediaConvert() {
  const directory = await mkdtemp(path.join(tmpdir(), 'toq-media-convert-'));
  const scratch = path.join(directory, 'scratch');
  const door = await openDoor();
  const s3 = createS3({ buckets: [MEDIA_BUCKET], directory: path.join(directory, 's3'), region: REGION });
  const storage = new S3Client(door.client('transcoder'));
  const client = new MediaConvertClient(door.client('stepfunctions'));
  const events: BusEvent[] = [];
  const bus = createEvents({
    manifest: { region: REGION, accountId: ACCOUNT, rules: [STATUS_RULE] },
    deliver: (_, event) => events.push(event),
    report: (error) => {
      throw error;
    },
  });
  const mediaConvert = createMediaConvert({
    region: REGION,
    accountId: ACCOUNT,
    roles: [
      trusting('transcoder', { Service: 'mediaconvert.amazonaws.com' }),
      trusting('other', { Service: 'lambda.amazonaws.com' }),
    ],
    queues: [QUEUE],
    templates: [template('horizontal'), template('vertical')],
    s3: () => storage,
    directory: scratch,
    emit: (event) => void bus.put(event),
  });
  door.services.s3 = s3.service;
  door.services.mediaconvert = mediaConvert.service;

  async function finished(Id: string | undefined): Promise<Job> {
    for (;;) {
      const { Job } = await client.send(new GetJobCommand({ Id }));
      if (Job && ['COMPLETE', 'ERROR', 'CANCELED'].includes(String(Job.Status))) return Job;
      await sleep(50);
    }
  }

  return {
    directory,
    endpoint: door.endpoint,
    storage,
    client,
    events,
    jobs: mediaConvert.jobs,
    /** Makes a file and uploads it. */
    async put(key: string, make: (file: string) => Promise<unknown>) {
      const file = path.join(directory, key.replaceAll('/', '-'));
      await make(file);
      await storage.send(new PutObjectCommand({ Bucket: 'media', Key: key, Body: await readFile(file) }));
    },
    finished,
    async transcode(key: string, about: Partial<CreateJobCommandInput> = {}) {
      const { Job } = await client.send(new CreateJobCommand(jobOf(key, about)));
      return finished(Job?.Id);
    },
    async keys(prefix: string) {
      const command = new ListObjectsV2Command({ Bucket: 'media', Prefix: prefix });
      const { Contents = [] } = await storage.send(command);
      return Contents.map(({ Key = '' }) => Key);
    },
    /** files that the jobs have left, now that none runs any more */
    async leftOver() {
      await mediaConvert.close();
      return readdir(scratch);
    },
    async close() {
      await mediaConvert.close();
      await door.close();
      s3.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
