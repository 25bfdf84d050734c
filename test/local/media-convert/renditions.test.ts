import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import sharp from 'sharp';
import { clip } from '../../../local/samples.ts';
import { ACCOUNT } from '../../support/front-door.ts';
import { openMediaConvert, QUEUE, testPattern } from '../../support/media-convert.ts';

const run = promisify(execFile);

const mediaConvert = await openMediaConvert();
test.after.always(mediaConvert.close);
const { directory, storage, events, put, transcode, keys, leftOver } = mediaConvert;

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

/** The sample house stands on a lawn: its lower edge is green and its upper edge is not. */
async function isUpright(file: string) {
  const { width = 0, height = 0 } = await sharp(file).metadata();
  const strip = Math.max(2, Math.floor(height * 0.04));
  const greenness = async (top: number) => {
    const { channels } = await sharp(
      await sharp(file).extract({ left: 0, top, width, height: strip }).toBuffer(),
    ).stats();
    const [red = 0, green = 0, blue = 0] = channels.map((channel) => channel.mean);
    return green - Math.max(red, blue);
  };
  return (await greenness(height - strip)) > 10 && (await greenness(0)) < 0;
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
    queue: QUEUE.arn,
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
  const make = (size: string) => testPattern(`s=${size}:r=10:d=1`, '-pix_fmt', 'yuv444p');
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
  await put('p/dv.mp4', testPattern('s=720x576:r=10:d=1', '-vf', 'setsar=64/45'));
  const job = await transcode('p/dv.mp4');
  t.is(job.Status, 'COMPLETE', job.ErrorMessage ?? '');
  const film = await facts('out/p/dv-1080p.mp4');
  t.is(film.size, '1024x576');
  t.is(film.video?.sample_aspect_ratio ?? '1:1', '1:1');
});

test('10-bit and high dynamic range come out as 8-bit BT.709', async (t) => {
  const tenBit = ['-pix_fmt', 'yuv420p10le'];
  await put('h/ten.mp4', testPattern('s=640x360:r=10:d=1', ...tenBit));
  await put(
    'h/hlg.mov',
    testPattern(
      's=640x360:r=10:d=1',
      ...[...tenBit, '-c:v', 'libx265'],
      ...['-x265-params', 'log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc'],
      ...['-color_primaries', 'bt2020', '-color_trc', 'arib-std-b67', '-colorspace', 'bt2020nc'],
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
  const place = ['-metadata', 'location=-23.55-046.63/', '-metadata', 'make=Phone'];
  await put('g/where.mov', testPattern('s=320x240:r=10:d=1', '-movflags', 'use_metadata_tags', ...place));
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

test.after('no job leaves a file behind', async (t) => {
  t.deepEqual(await leftOver(), []);
});
