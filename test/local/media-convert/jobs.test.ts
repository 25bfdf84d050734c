import { readFile, truncate, writeFile } from 'node:fs/promises';
import {
  CancelJobCommand,
  CreateJobCommand,
  type CreateJobCommandInput,
  DescribeEndpointsCommand,
  GetJobCommand,
  GetJobTemplateCommand,
} from '@aws-sdk/client-mediaconvert';
import test from 'ava';
import { clip } from '../../../local/samples.ts';
import { role } from '../../support/front-door.ts';
import { ffmpeg, jobOf, openMediaConvert, testPattern } from '../../support/media-convert.ts';

const mediaConvert = await openMediaConvert();
test.after.always(mediaConvert.close);
const { client, endpoint, events, jobs, put, transcode, finished, keys, leftOver } = mediaConvert;

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
    t.throwsAsync(client.send(new CreateJobCommand(jobOf('a/tour.mp4', about))));
  t.is((await refused({ JobTemplate: 'nobody' }))?.name, 'NotFoundException');
  t.is((await refused({ Queue: 'nobody' }))?.name, 'NotFoundException');
  t.is((await refused({ Role: role('nobody') }))?.name, 'BadRequestException');
  t.regex(String((await refused({ Role: role('other') }))?.message), /assume/);
  const av1 = await refused({
    Settings: {
      ...jobOf('a/tour.mp4').Settings,
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
  t.deepEqual((await client.send(new DescribeEndpointsCommand({}))).Endpoints, [{ Url: endpoint }]);
});

test('the same client request token creates one job; a canceled job ends at once and can be canceled once', async (t) => {
  await put('c/long.mp4', testPattern('s=1280x720:r=30:d=60'));
  const command = new CreateJobCommand(jobOf('c/long.mp4', { ClientRequestToken: 'once' }));
  const [first, second] = [await client.send(command), await client.send(command)];
  t.is(first.Job?.Id, second.Job?.Id);
  const waiting = await client.send(new CreateJobCommand(jobOf('c/long.mp4')));
  t.is(waiting.Job?.Status, 'SUBMITTED');

  for (const Id of [waiting.Job?.Id, first.Job?.Id]) await client.send(new CancelJobCommand({ Id }));
  t.is((await finished(first.Job?.Id)).Status, 'CANCELED');
  t.is((await finished(waiting.Job?.Id)).Status, 'CANCELED');
  const again = await t.throwsAsync(client.send(new CancelJobCommand({ Id: first.Job?.Id })));
  t.is(again?.name, 'ConflictException');
  await jobs.get(String(first.Job?.Id)).finished;
  t.deepEqual(await keys('out/c/'), []);
});

test.after('no job leaves a file behind', async (t) => {
  t.deepEqual(await leftOver(), []);
});
