import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeExecutionCommand, SFNClient } from '@aws-sdk/client-sfn';
import { GetQueueUrlCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import test from 'ava';
import knexFactory from 'knex';
import {
  type Batch,
  createClient,
  describeFile,
  type LocalFile,
  putFile,
  settled,
} from '../../local/client.ts';
import { brokenPhoto, clip, photoJpeg } from '../../local/samples.ts';
import { startStack } from '../../local/stack.ts';
import { readLog, type SourcedLine, sourcesOf } from '../../local/trace-report.ts';
import { signCallback } from '../../statemachines/callback-signature.ts';
import { queueAttributes } from '../../statemachines/contracts.ts';
import { METRICS } from '../../statemachines/metrics.ts';
import { extractMetrics } from '../support/embedded-metrics.ts';

const temporary = await mkdtemp(path.join(tmpdir(), 'toq-operations-'));
const directory = path.join(temporary, 'stack');
const stack = await startStack({ directory, overrides: { OUTBOX_INTERVAL_SECONDS: '1' } });
const database = knexFactory({ client: 'mysql2', connection: stack.databaseUrl });
test.after.always(async () => {
  await database.destroy();
  await stack.close();
  await rm(temporary, { recursive: true, force: true });
});
const client = createClient({ apiUrl: stack.apiUrl, token: stack.tokens.photographer });

const as = (role: string) => ({
  endpoint: stack.awsEndpointUrl,
  region: stack.region,
  credentials: stack.credentials(role),
});

async function photo(sequence: number, bytes?: Buffer): Promise<LocalFile> {
  const file = path.join(temporary, `${randomUUID()}.jpg`);
  await writeFile(file, bytes ?? (await photoJpeg({ width: 800, height: 600, seed: sequence })));
  return {
    path: file,
    clientId: `photo-${sequence}`,
    assetType: 'PHOTO_HORIZONTAL',
    contentType: 'image/jpeg',
    sequence,
  };
}

/** A batch of a new listing with its files in the bucket. */
async function uploaded(files: LocalFile[]): Promise<Batch> {
  const listingIdentityId = await stack.addListing();
  const opened = await client.openUploads({
    listingIdentityId,
    batchReference: randomUUID(),
    files: await Promise.all(files.map(describeFile)),
  });
  for (const signed of opened.files) {
    const file = files.find(({ clientId }) => clientId === signed.clientId);
    if (!file) throw new Error(`no such file: ${signed.clientId}`);
    await putFile(file.path, signed);
  }
  return { listingIdentityId, batchId: opened.batchId };
}

const rest = (batch: Batch) => client.until(batch, settled, { seconds: 120 });
async function toReady(files: LocalFile[]) {
  const batch = await uploaded(files);
  await client.complete(batch);
  return { batch, status: await rest(batch) };
}

const jobs = (batch: Batch) =>
  database('media_processing_jobs')
    .join('listing_media_batches as batches', 'batches.id', 'media_processing_jobs.batch_id')
    .where('batches.public_id', batch.batchId)
    .orderBy('media_processing_jobs.id')
    .select('media_processing_jobs.*');

/** The log, once it has what is waited for: lines take a moment from a process to the file. */
async function logOnce(complete: (lines: SourcedLine[]) => boolean): Promise<SourcedLine[]> {
  for (let attempt = 0; ; attempt++) {
    const lines = await readLog(directory);
    if (complete(lines) || attempt === 100) return lines;
    await sleep(50);
  }
}

/** Samples of `/metrics`: `name{labels}` → value. */
async function samples(): Promise<(sample: string) => number> {
  const text = await (await fetch(`${stack.apiUrl}/metrics`)).text();
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      return name ? [[name, Number(value)]] : [];
    }),
  );
  return (sample) => values.get(sample) ?? 0;
}

const callbackSecret = () =>
  stack.manifest.secrets.find(({ arn }) => arn === stack.callbackSecretArn)?.value ?? '';

async function sendCallback(secrets: string[], body: string) {
  const response = await fetch(`${stack.apiUrl}/internal/media-processing/callback`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-toq-signature': signCallback(secrets, Date.now() / 1000, body),
    },
    body,
  });
  await response.body?.cancel();
  return response.status;
}

test.serial(
  'one trace id runs from the request through queue, machines, functions and callback',
  async (t) => {
    const video = path.join(temporary, 'tour.mp4');
    await clip(video, { width: 640, height: 360, seconds: 1 });
    const batch = await uploaded([
      await photo(1),
      { path: video, clientId: 'tour', assetType: 'VIDEO_HORIZONTAL', contentType: 'video/mp4', sequence: 1 },
    ]);
    const answer = await client.request('POST', '/uploads/complete', batch);
    const traceparent = answer.headers.get('traceparent') ?? '';
    const traceId = traceparent.slice(3, 35);
    t.regex(traceId, /^[0-9a-f]{32}$/);
    t.is((await rest(batch)).status, 'READY');

    const sources = [
      'service',
      ...['start', 'validate', 'thumbnails', 'consolidate', 'zip', 'callback-dispatch'].map(
        (task) => `listing-media-${task}-local`,
      ),
    ].sort();
    const lines = await logOnce((seen) => sourcesOf(seen, traceId).size === sources.length);
    t.deepEqual([...sourcesOf(lines, traceId).keys()].sort(), sources);

    const ours = await jobs(batch);
    t.is(ours.length, 2);
    const machines = new SFNClient(as('backend'));
    t.teardown(() => machines.destroy());
    for (const { external_id: executionArn } of ours) {
      const { input = '{}' } = await machines.send(new DescribeExecutionCommand({ executionArn }));
      t.is(JSON.parse(input).traceparent.slice(3, 35), traceId, executionArn);
    }

    const service = lines.filter(({ source, line }) => source === 'service' && line.trace_id === traceId);
    const routes = service.map(({ line }) => line.route);
    t.true(routes.includes('/api/v2/listings/media/uploads/complete'), routes.join());
    t.true(routes.includes('/internal/media-processing/callback'), routes.join());
    const about = lines.filter(({ line }) => ours.some(({ id }) => line.job_id === id));
    t.deepEqual(
      about.filter(({ line }) => line.trace_id !== traceId),
      [],
      'no line about these jobs is without the trace',
    );
  },
);

test.serial('a job that the relay publishes after a crash keeps its trace', async (t) => {
  const batch = await uploaded([await photo(1)]);
  const held = stack.hold('sqs', 'SendMessage');
  const traceparent = `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`;
  const completed = fetch(`${stack.apiUrl}/api/v2/listings/media/uploads/complete`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.tokens.photographer}`,
      'content-type': 'application/json',
      traceparent,
    },
    body: JSON.stringify(batch),
  }).catch(() => undefined);
  await held.arrived;
  await stack.killService();
  held.release();
  await completed;
  t.is((await rest(batch)).status, 'READY');
  const ours = await jobs(batch);
  const about = (await readLog(directory)).filter(({ line }) => ours.some(({ id }) => line.job_id === id));
  t.true(about.some(({ line }) => line.msg === 'service.media.process.started'));
  t.deepEqual([...new Set(about.map(({ line }) => line.trace_id))], [traceparent.slice(3, 35)]);
});

test.serial('what happens moves the metrics, for Prometheus and in log lines for CloudWatch', async (t) => {
  const before = await samples();
  const held = stack.hold('sqs', 'SendMessage');
  const batch = await uploaded([
    await photo(1),
    await photo(2, await brokenPhoto({ width: 800, height: 600 })),
  ]);
  const completed = client.complete(batch);
  await held.arrived;
  t.is((await samples())('media_processing_inflight_jobs'), before('media_processing_inflight_jobs') + 1);
  held.release();
  await completed;
  t.is((await rest(batch)).status, 'FAILED');
  await client.retry(batch);
  t.is((await rest(batch)).status, 'FAILED');
  await toReady([await photo(1)]);
  t.is(await sendCallback(['x'.repeat(40)], '{}'), 401);
  const queue = new SQSClient(as('admin'));
  t.teardown(() => queue.destroy());
  const name = stack.manifest.queues.find((known) => known.name.includes('dlq'))?.name;
  const { QueueUrl } = await queue.send(new GetQueueUrlCommand({ QueueName: name }));
  await queue.send(new SendMessageCommand({ QueueUrl, MessageBody: 'poison' }));

  const after = await samples();
  const moved = (sample: string) => after(sample) - before(sample);
  const count = (labels: string) => `media_processing_duration_seconds_count{${labels}}`;
  t.is(moved('media_batches_created_total'), 2);
  t.is(moved('media_batches_failed_total{outcome="ASSETS_FAILED"}'), 2);
  t.is(moved('media_reprocess_requests_total'), 1);
  t.is(moved('media_processing_callback_errors_total{outcome="signature_mismatch"}'), 1);
  t.is(moved(count('provider="STEP_FUNCTIONS",status="PARTIAL_SUCCESS"')), 2);
  t.is(moved(count('provider="STEP_FUNCTIONS",status="SUCCEEDED"')), 1);
  t.is(moved(count('provider="STEP_FUNCTIONS_FINALIZATION",status="SUCCEEDED"')), 1);
  t.true(moved('media_processing_duration_seconds_sum{provider="STEP_FUNCTIONS",status="SUCCEEDED"}') > 0);
  t.is(moved('media_processing_inflight_jobs'), 0);
  t.is(moved('media_processing_dlq_messages_total'), 1);

  const lines = await logOnce(
    (seen) => seen.filter(({ line }) => 'media_processing_callback_errors_total' in line).length > 0,
  );
  const extracted = lines
    .filter(({ line }) => '_aws' in line)
    .flatMap(({ line }) => extractMetrics(JSON.stringify(line)));
  t.deepEqual([...new Set(extracted.map((metric) => metric.name))].sort(), Object.keys(METRICS).sort());
  t.deepEqual([...new Set(extracted.map((metric) => metric.namespace))], ['ToqMedia']);
  const labels = new Set(extracted.flatMap(({ dimensions }) => dimensions.flatMap(Object.keys)));
  t.deepEqual([...labels].sort(), ['env', 'outcome', 'provider', 'status', 'step']);
  t.true(
    extracted.some(
      (metric) =>
        metric.name === 'media_processing_duration_seconds' &&
        metric.value > 0 &&
        metric.dimensions.some((set) => JSON.stringify(set) === '{"env":"local"}') &&
        metric.dimensions.some(({ env, provider, status }) => env && provider && status === 'SUCCEEDED'),
    ),
  );
  const steps = extracted.flatMap(({ dimensions }) =>
    dimensions.map(({ step, outcome }) => `${step} ${outcome}`),
  );
  for (const end of ['start started', 'validate succeeded', 'callback-dispatch succeeded', 'zip succeeded']) {
    t.true(steps.includes(end), end);
  }
});

test.serial(
  'a message of a finished job that is redriven starts nothing, and the poison stays poison',
  async (t) => {
    const { batch, status } = await toReady([await photo(1)]);
    t.is(status.status, 'READY');
    const [job] = await jobs(batch);
    const { traceparent, ...input } = job.input_payload_json;
    const message = { ...input, jobId: job.id };
    const queue = new SQSClient(as('admin'));
    t.teardown(() => queue.destroy());
    const name = stack.manifest.queues.find((known) => known.name.includes('dlq'))?.name;
    const { QueueUrl } = await queue.send(new GetQueueUrlCommand({ QueueName: name }));
    await queue.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: JSON.stringify(message),
        MessageAttributes: Object.fromEntries(
          Object.entries(queueAttributes(message, traceparent)).map(([key, StringValue]) => [
            key,
            { DataType: 'String', StringValue },
          ]),
        ),
      }),
    );

    const { accessKeyId, secretAccessKey } = stack.credentials('admin');
    const command = path.join(import.meta.dirname, '../../operations/redrive-command.ts');
    const child = spawn(process.execPath, [command, '--env', 'local', '--rate', '50'], {
      env: {
        AWS_ENDPOINT_URL: stack.awsEndpointUrl,
        AWS_REGION: stack.region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [code] = await once(child, 'close');
    t.is(code, 0);

    const again = ({ line }: SourcedLine) =>
      line.msg === 'lambda.start.already_started' && line.job_id === job.id;
    const poison = ({ line }: SourcedLine) => line.msg === 'lambda.start.failed';
    const lines = await logOnce((seen) => seen.some(again) && seen.some(poison));
    t.is(lines.find(again)?.line.trace_id, traceparent.slice(3, 35));
    t.true(lines.some(poison));
    t.is((await jobs(batch)).length, 2);
    t.is((await client.status(batch)).status, 'READY');
  },
);

test.serial('a callback secret is rotated without a callback that is refused for good', async (t) => {
  const old = callbackSecret();
  t.true(old.length >= 32);
  const fresh = randomUUID().repeat(2);
  const ready = async () => (await toReady([await photo(1)])).status.status;
  t.is(await ready(), 'READY');

  // step 1: a new version. The service and the function's memory still have the old one
  stack.putSecret(stack.callbackSecretArn, fresh);
  t.is(await ready(), 'READY');
  // a function that reads the secret now signs with both versions, and the old service accepts that
  const unknown = JSON.stringify({ jobId: 999_999_999, listingIdentityId: 1, status: 'SUCCEEDED' });
  t.is(await sendCallback([fresh, old], unknown), 404);

  // step 2: new tasks read the new version; the function's memory is caught out once, and reads again
  await stack.killService('SIGTERM');
  t.is(await sendCallback([old], unknown), 401);
  t.is(await sendCallback([fresh, old], unknown), 404);
  const before = await samples();
  t.is(await ready(), 'READY');
  const sample = 'media_processing_callback_errors_total{outcome="signature_mismatch"}';
  t.true(
    (await samples())(sample) > before(sample),
    'the old signature was refused once, then delivered anew',
  );
  t.is(await ready(), 'READY');
});
