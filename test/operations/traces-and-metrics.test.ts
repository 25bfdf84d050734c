import { randomUUID } from 'node:crypto';
import { DescribeExecutionCommand, SFNClient } from '@aws-sdk/client-sfn';
import test from 'ava';
import { brokenPhoto, clip } from '../../local/samples.ts';
import { readLog, sourcesOf } from '../../local/trace-report.ts';
import { METRICS } from '../../statemachines/metrics.ts';
import { extractMetrics } from '../support/embedded-metrics.ts';
import { operatorOf } from '../support/operator.ts';
import { startTestStack } from '../support/stack.ts';

const running = await startTestStack({ OUTBOX_INTERVAL_SECONDS: '1' });
test.after.always(running.close);
const { stack, directory, file, photos, uploaded, jobs, as } = running;
const { client, rest, finish } = running.photographer;
const { logOnce, samples, bury, sendCallback } = operatorOf(running);

test.serial(
  'one trace id runs from the request through queue, machines, functions and callback',
  async (t) => {
    const video = await file('tour.mp4', (to) => clip(to, { width: 640, height: 360, seconds: 1 }), {
      assetType: 'VIDEO_HORIZONTAL',
    });
    const batch = await uploaded([...(await photos(1)), video]);
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
  const batch = await uploaded(await photos(1));
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
  const torn = await file('torn.jpg', await brokenPhoto({ width: 800, height: 600 }), { sequence: 2 });
  const batch = await uploaded([...(await photos(1)), torn]);
  const completed = client.complete(batch);
  await held.arrived;
  t.is((await samples())('media_processing_inflight_jobs'), before('media_processing_inflight_jobs') + 1);
  held.release();
  await completed;
  t.is((await rest(batch)).status, 'FAILED');
  await client.retry(batch);
  t.is((await rest(batch)).status, 'FAILED');
  t.is((await finish(await uploaded(await photos(1)))).status, 'READY');
  t.is(await sendCallback(['x'.repeat(40)], '{}'), 401);
  await bury('poison');

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
