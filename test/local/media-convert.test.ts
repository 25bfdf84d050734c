import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  CancelJobCommand,
  CreateJobCommand,
  type CreateJobCommandInput,
  DescribeEndpointsCommand,
  GetJobCommand,
  GetJobTemplateCommand,
  type Job,
  MediaConvertClient,
} from '@aws-sdk/client-mediaconvert';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import test from 'ava';
import sharp from 'sharp';
import { jobTemplateSettings } from '../../infra/job-template.ts';
import { type BusEvent, createEvents } from '../../local/events.ts';
import { createMediaConvert } from '../../local/media-convert/service.ts';
import { createS3 } from '../../local/s3/service.ts';
import { clip } from '../../local/samples.ts';
import { ACCOUNT, openDoor, REGION, role } from '../support/front-door.ts';
import { MEDIA_BUCKET } from '../support/s3.ts';

const run = promisify(execFile);
const directory = await mkdtemp(path.join(tmpdir(), 'toq-media-convert-'));
const scratch = path.join(directory, 'scratch');
const door = await openDoor();
const s3 = createS3({ buckets: [MEDIA_BUCKET], directory: path.join(directory, 's3'), region: REGION });
const events: BusEvent[] = [];
const queue = {
  name: 'toq-media-queue',
  arn: `arn:aws:mediaconvert:${REGION}:${ACCOUNT}:queues/toq-media-queue`,
};
const bus = createEvents({
  manifest: {
    region: REGION,
    accountId: ACCOUNT,
    rules: [
      {
        name: 'status',
        arn: 'arn:aws:events:us-east-1:000000000000:rule/status',
        pattern: {
          source: ['aws.mediaconvert'],
          'detail-type': ['MediaConvert Job State Change'],
          detail: { status: ['COMPLETE', 'ERROR'], queue: [queue.arn] },
        },
        targets: [{ id: 'alerts', arn: 'arn:aws:sns:us-east-1:000000000000:alerts' }],
      },
    ],
  },
  deliver: (_, event) => events.push(event),
  report: (error) => {
    throw error;
  },
});
const template = (name: string, orientation: 'horizontal' | 'vertical') => ({
  name,
  arn: `arn:aws:mediaconvert:${REGION}:${ACCOUNT}:jobTemplates/${name}`,
  settings: jobTemplateSettings(orientation),
});
const trusting = (name: string, service: string) => ({
  name,
  arn: role(name),
  trust: { Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }] },
  policies: [],
});
const mediaConvert = createMediaConvert({
  region: REGION,
  accountId: ACCOUNT,
  roles: [trusting('transcoder', 'mediaconvert.amazonaws.com'), trusting('other', 'lambda.amazonaws.com')],
  queues: [queue],
  templates: [template('horizontal', 'horizontal'), template('vertical', 'vertical')],
  s3: () => storage,
  directory: scratch,
  emit: (event) => void bus.put(event),
});
door.services.s3 = s3.service;
door.services.mediaconvert = mediaConvert.service;
const storage = new S3Client(door.client('transcoder'));
const client = new MediaConvertClient(door.client('stepfunctions'));
test.after.always(async () => {
  await mediaConvert.close();
  await door.close();
  s3.close();
  await rm(directory, { recursive: true, force: true });
});

const ffmpeg = (...args: string[]) => run('ffmpeg', ['-nostdin', '-y', '-loglevel', 'error', ...args]);

async function put(key: string, make: (file: string) => Promise<unknown>) {
  const file = path.join(directory, key.replaceAll('/', '-'));
  await make(file);
  await storage.send(new PutObjectCommand({ Bucket: 'media', Key: key, Body: await readFile(file) }));
}

const request = (key: string, about: Partial<CreateJobCommandInput> = {}): CreateJobCommandInput => ({
  Role: role('transcoder'),
  Queue: queue.name,
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

async function finished(Id: string | undefined): Promise<Job> {
  for (;;) {
    const { Job } = await client.send(new GetJobCommand({ Id }));
    if (Job && ['COMPLETE', 'ERROR', 'CANCELED'].includes(String(Job.Status))) return Job;
    await sleep(50);
  }
}

async function transcode(key: string, about: Partial<CreateJobCommandInput> = {}) {
  const { Job } = await client.send(new CreateJobCommand(request(key, about)));
  return finished(Job?.Id);
}

interface Facts {
  streams: { codec_type: string; codec_name: string; [fact: string]: unknown }[];
  format: { duration: string; bit_rate: string; tags?: Record<string, string> };
}

/** Downloads an output and asks ffprobe about it. */
async function facts(key: string) {
  const { Body } = await storage.send(new GetObjectCommand({ Bucket: 'media', Key: key }));
  const file = path.join(directory, `out-${key.replaceAll('/', '-')}`);
  await writeFile(file, (await Body?.transformToByteArray()) ?? '');
  const { stdout } = await run('ffprobe', [
    '-v',
    'error',
    '-show_streams',
    '-show_format',
    '-of',
    'json',
    file,
  ]);
  const { streams, format }: Facts = JSON.parse(stdout);
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  return { file, video, audio, format, size: `${video?.width}x${video?.height}` };
}

const keys = async (prefix: string) => {
  const { Contents = [] } = await storage.send(new ListObjectsV2Command({ Bucket: 'media', Prefix: prefix }));
  return Contents.map(({ Key = '' }) => Key);
};

/** The sample house stands on a lawn: its lower edge is green and its upper edge is not. */
async function isUpright(file: string) {
  const { width = 0, height = 0 } = await sharp(file).metadata();
  const strip = Math.max(2, Math.floor(height * 0.04));
  const mean = async (top: number) => {
    const { channels } = await sharp(
      await sharp(file).extract({ left: 0, top, width, height: strip }).toBuffer(),
    ).stats();
    const [red = 0, green = 0, blue = 0] = channels.map((channel) => channel.mean);
    return green - Math.max(red, blue);
  };
  return (await mean(height - strip)) > 10 && (await mean(0)) < 0;
}

test('a horizontal clip becomes two MP4s with sound and posters, named and described as MediaConvert does', async (t) => {
  await put('a/tour.mp4', (file) => clip(file, { width: 2560, height: 1440, seconds: 3 }));
  const job = await transcode('a/tour.mp4', { UserMetadata: { jobId: '21', Listing: '28' } });
  t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
  t.deepEqual(await keys('out/a/'), [
    'out/a/tour-1080p.mp4',
    'out/a/tour-720p.mp4',
    'out/a/tour-poster.0000000.jpg',
    'out/a/tour-poster.0000001.jpg',
  ]);

  const big = await facts('out/a/tour-1080p.mp4');
  t.is(big.size, '1920x1080');
  t.like(big.video, { codec_name: 'h264', pix_fmt: 'yuv420p' });
  t.like(big.audio, { codec_name: 'aac', channels: 2, sample_rate: '48000' });
  t.true(Number(big.format.bit_rate) < 6_000_000);
  t.true(Math.abs(Number(big.format.duration) - 3) < 0.1);
  const small = await facts('out/a/tour-720p.mp4');
  t.is(small.size, '1280x720');
  t.truthy(small.audio);
  const poster = await facts('out/a/tour-poster.0000001.jpg');
  t.is(poster.size, '1920x1080');
  t.true(await isUpright(poster.file));

  // the table of contents comes first, so that playing starts before the last byte has come
  const head = await readFile(big.file);
  t.true(head.indexOf('moov') < head.indexOf('mdat'));

  t.is(job.JobPercentComplete, 100);
  t.deepEqual(job.UserMetadata, { jobId: '21', Listing: '28' });
  const details = job.OutputGroupDetails?.[0]?.OutputDetails ?? [];
  t.deepEqual(
    details.map(({ VideoDetails }) => VideoDetails),
    [
      { WidthInPx: 1920, HeightInPx: 1080 },
      { WidthInPx: 1280, HeightInPx: 720 },
      { WidthInPx: 1920, HeightInPx: 1080 },
    ],
  );
  t.true(Math.abs(Number(details[0]?.DurationInMs) - 3000) < 100);
  const { SubmitTime, StartTime, FinishTime } = job.Timing ?? {};
  t.true(SubmitTime && StartTime && FinishTime && SubmitTime <= StartTime && StartTime < FinishTime);

  const event = events.find(({ resources }) => resources[0] === job.Arn);
  t.like(event, {
    source: 'aws.mediaconvert',
    'detail-type': 'MediaConvert Job State Change',
    account: ACCOUNT,
  });
  t.like(event?.detail, {
    status: 'COMPLETE',
    jobId: job.Id,
    queue: queue.arn,
    userMetadata: { jobId: '21' },
  });
});

for (const rotation of [90, 180, 270] as const) {
  test(`a clip whose tag says ${rotation} degrees comes out upright and without the tag`, async (t) => {
    const folder = `r${rotation}`;
    await put(`${folder}/clip.mov`, (file) => clip(file, { width: 360, height: 640, seconds: 2, rotation }));
    const job = await transcode(`${folder}/clip.mov`, { JobTemplate: 'vertical' });
    t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
    const film = await facts(`out/${folder}/clip-1080p.mp4`);
    t.is(film.size, '360x640');
    t.is(film.video?.side_data_list, undefined);
    t.true(await isUpright((await facts(`out/${folder}/clip-poster.0000001.jpg`)).file));
  });
}

test('nothing is enlarged, and a clip without sound stays without', async (t) => {
  await put('s/small.mp4', (file) => clip(file, { width: 320, height: 240, seconds: 0.5, sound: false }));
  const job = await transcode('s/small.mp4');
  t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
  const film = await facts('out/s/small-1080p.mp4');
  t.is(film.size, '320x240');
  t.is(film.audio, undefined);
  t.is((await facts('out/s/small-720p.mp4')).size, '320x240');
  t.deepEqual(
    (await keys('out/s/')).filter((key) => key.endsWith('.jpg')),
    ['out/s/small-poster.0000000.jpg'],
  );
});

test('a 4K clip is scaled into the box of its template, 4:3 keeps its shape, odd sides become even', async (t) => {
  const make = (size: string) => (file: string) =>
    ffmpeg(
      '-f',
      'lavfi',
      '-i',
      `testsrc2=s=${size}:r=10:d=1`,
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv444p',
      file,
    );
  await put('k/uhd.mp4', make('3840x2160'));
  await put('k/classic.mp4', make('1600x1200'));
  await put('k/odd.mp4', make('853x479'));
  for (const [name, large, small] of [
    ['uhd', '1920x1080', '1280x720'],
    ['classic', '1440x1080', '960x720'],
    ['odd', '852x478', '852x478'],
  ] as const) {
    const job = await transcode(`k/${name}.mp4`);
    t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
    t.is((await facts(`out/k/${name}-1080p.mp4`)).size, large);
    t.is((await facts(`out/k/${name}-720p.mp4`)).size, small);
  }
});

test('oblong pixels become square', async (t) => {
  await put('p/dv.mp4', (file) =>
    ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=720x576:r=10:d=1',
      '-vf',
      'setsar=64/45',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      file,
    ),
  );
  const job = await transcode('p/dv.mp4');
  t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
  const film = await facts('out/p/dv-1080p.mp4');
  t.is(film.size, '1024x576');
  t.true([undefined, '1:1'].includes(film.video?.sample_aspect_ratio as string | undefined));
});

test('10-bit and high dynamic range come out as 8-bit BT.709', async (t) => {
  await put('h/ten.mp4', (file) =>
    ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=640x360:r=10:d=1',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p10le',
      '-preset',
      'ultrafast',
      file,
    ),
  );
  await put('h/hlg.mov', (file) =>
    ffmpeg(
      ...[
        '-f',
        'lavfi',
        '-i',
        'testsrc2=s=640x360:r=10:d=1',
        '-c:v',
        'libx265',
        '-pix_fmt',
        'yuv420p10le',
        '-preset',
        'ultrafast',
      ],
      ...['-x265-params', 'log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc'],
      ...['-color_primaries', 'bt2020', '-color_trc', 'arib-std-b67', '-colorspace', 'bt2020nc', file],
    ),
  );
  for (const [key, transfer] of [
    ['h/ten.mp4', undefined],
    ['h/hlg.mov', 'bt709'],
  ] as const) {
    const job = await transcode(key);
    t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
    const film = await facts(`out/${key.replace(/\.\w+$/, '')}-1080p.mp4`);
    t.like(film.video, { codec_name: 'h264', pix_fmt: 'yuv420p' });
    t.is(film.video?.color_transfer, transfer);
  }
});

test('no place, device or name in the clip survives', async (t) => {
  await put('g/where.mov', (file) =>
    ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=10:d=1', '-c:v', 'libx264', '-preset', 'ultrafast'],
      ...[
        '-movflags',
        'use_metadata_tags',
        '-metadata',
        'location=-23.55-046.63/',
        '-metadata',
        'make=Phone',
        file,
      ],
    ),
  );
  t.is((await transcode('g/where.mov')).Status, 'COMPLETE');
  const { file, format } = await facts('out/g/where-1080p.mp4');
  t.deepEqual(Object.keys(format.tags ?? {}).sort(), [
    'compatible_brands',
    'encoder',
    'major_brand',
    'minor_version',
  ]);
  t.is((await readFile(file)).indexOf('-23.55'), -1);
});

test('what is no clip, half a clip or a playlist of local files ends as ERROR with a code and a sentence', async (t) => {
  await put('e/text.mp4', (file) => writeFile(file, 'this is not a film'));
  await put('e/playlist.mp4', (file) =>
    writeFile(file, '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'),
  );
  await put('e/sound.mp4', (file) => ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', '-c:a', 'aac', file));
  await put('e/headless.mov', async (file) => {
    await clip(file, { width: 320, height: 240, seconds: 1 });
    const whole = await readFile(file);
    await truncate(file, Math.floor(whole.length / 2));
  });
  await put('e/half.mp4', async (file) => {
    await clip(`${file}.whole.mp4`, { width: 640, height: 360, seconds: 4 });
    await ffmpeg('-i', `${file}.whole.mp4`, '-c', 'copy', '-movflags', '+faststart', file);
    const whole = await readFile(file);
    await truncate(file, Math.floor(whole.length / 2));
  });
  for (const [name, code] of [
    ['text.mp4', 1010],
    ['playlist.mp4', 1010],
    ['sound.mp4', 1010],
    ['headless.mov', 1010],
    ['half.mp4', 1076],
    ['absent.mp4', 1404],
  ] as const) {
    const job = await transcode(`e/${name}`);
    t.is(job.Status, 'ERROR', name);
    t.is(job.ErrorCode, code, job.ErrorMessage ?? '');
    t.regex(String(job.ErrorMessage), /\w+ \w+/);
    t.notRegex(
      String(job.ErrorMessage),
      /root:|toq-media-convert-/,
      'neither a local file nor a local path shows',
    );
    const event = events.find(({ resources }) => resources[0] === job.Arn);
    t.like(event?.detail, { status: 'ERROR', errorCode: code });
  }
  t.deepEqual(await keys('out/e/'), []);
});

test('what is not declared is refused', async (t) => {
  const refused = (about: Partial<CreateJobCommandInput>) =>
    t.throwsAsync(client.send(new CreateJobCommand(request('a/tour.mp4', about))));
  t.is((await refused({ JobTemplate: 'nobody' }))?.name, 'NotFoundException');
  t.is((await refused({ Queue: 'nobody' }))?.name, 'NotFoundException');
  t.is((await refused({ Role: role('nobody') }))?.name, 'BadRequestException');
  t.regex(String((await refused({ Role: role('other') }))?.message), /assume/);
  const av1 = await refused({
    Settings: {
      ...request('a/tour.mp4').Settings,
      OutputGroups: [{ Outputs: [{ VideoDescription: { CodecSettings: { Codec: 'AV1' } } }] }],
    },
  });
  t.is(av1?.name, 'BadRequestException');
  t.regex(String(av1?.message), /Codec/);
  t.is((await t.throwsAsync(client.send(new GetJobCommand({ Id: 'nobody' }))))?.name, 'NotFoundException');
});

test('a job template is what the program declares, and the endpoint is the door', async (t) => {
  const { JobTemplate } = await client.send(new GetJobTemplateCommand({ Name: 'vertical' }));
  t.is(JobTemplate?.Settings?.OutputGroups?.[0]?.Outputs?.[0]?.VideoDescription?.Width, 1080);
  t.deepEqual((await client.send(new DescribeEndpointsCommand({}))).Endpoints, [{ Url: door.endpoint }]);
});

test('the same client request token creates one job; a canceled job ends at once and can be canceled once', async (t) => {
  await put('c/long.mp4', (file) =>
    ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=1280x720:r=30:d=60',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      file,
    ),
  );
  const command = new CreateJobCommand(request('c/long.mp4', { ClientRequestToken: 'once' }));
  const [first, second] = [await client.send(command), await client.send(command)];
  t.is(first.Job?.Id, second.Job?.Id);
  const waiting = await client.send(new CreateJobCommand(request('c/long.mp4')));
  t.is(waiting.Job?.Status, 'SUBMITTED');

  for (const Id of [waiting.Job?.Id, first.Job?.Id]) await client.send(new CancelJobCommand({ Id }));
  t.is((await finished(first.Job?.Id)).Status, 'CANCELED');
  t.is((await finished(waiting.Job?.Id)).Status, 'CANCELED');
  const again = await t.throwsAsync(client.send(new CancelJobCommand({ Id: first.Job?.Id })));
  t.is(again?.name, 'ConflictException');
  await mediaConvert.jobs.get(String(first.Job?.Id)).finished;
  t.deepEqual(await keys('out/c/'), []);
});

test.after('no job leaves a file behind', async (t) => {
  await mediaConvert.close();
  t.deepEqual(await readdir(scratch), []);
});
