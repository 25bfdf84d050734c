import test from 'ava';
import { createLog } from '../../service/log.ts';
import { createMetrics } from '../../service/metrics.ts';
import { type LabelsOf, METRICS, type MetricName, measured } from '../../statemachines/metrics.ts';
import { extractMetrics } from '../support/embedded-metrics.ts';

function recorded(level: string, deadLetters: () => Promise<number> = async () => 2) {
  const lines: string[] = [];
  const log = createLog({ level, env: 'staging', version: '1' }, { write: (line) => void lines.push(line) });
  return {
    metrics: createMetrics(
      { inflightJobs: async () => 3, deadLetters, oldestUnpublished: async () => 4.5 },
      log,
    ),
    lines,
  };
}

test('every metric is a CloudWatch metric for the environment, by its first label, by its first two', (t) => {
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { labels, unit } = METRICS[name];
    const values = Object.fromEntries(labels.map((label) => [label, `a ${label}`]));
    // the test gives each metric exactly the labels of its definition
    const line = { env: 'staging', ...measured(name, 1.5, values as LabelsOf<MetricName>) };
    const pairs = Object.entries(values);
    const dimensions = [0, 1, 2]
      .filter((count) => count <= pairs.length)
      .map((count) => ({ env: 'staging', ...Object.fromEntries(pairs.slice(0, count)) }));
    t.deepEqual(extractMetrics(JSON.stringify(line)), [
      { namespace: 'ToqMedia', name, unit, value: 1.5, dimensions },
    ]);
  }
});

test('a measurement is logged whatever the level of the log is', async (t) => {
  const { metrics, lines } = recorded('error');
  metrics.jobFinished({ provider: 'STEP_FUNCTIONS', status: 'SUCCEEDED', seconds: 12.5 });
  await metrics.logGauges();
  const extracted = lines.flatMap(extractMetrics);
  t.deepEqual(
    extracted.map(({ name, value }) => [name, value]),
    [
      ['media_processing_duration_seconds', 12.5],
      ['media_processing_inflight_jobs', 3],
      ['media_processing_dlq_messages_total', 2],
      ['media_outbox_oldest_age_seconds', 4.5],
    ],
  );
  t.deepEqual(extracted[0]?.dimensions, [
    { env: 'staging' },
    { env: 'staging', provider: 'STEP_FUNCTIONS' },
    { env: 'staging', provider: 'STEP_FUNCTIONS', status: 'SUCCEEDED' },
  ]);
});

test('a line names no member twice, so that every reader reads the same', (t) => {
  const { metrics, lines } = recorded('info');
  metrics.jobFinished({ provider: 'STEP_FUNCTIONS', status: 'SUCCEEDED', seconds: 1 });
  metrics.callbackRefused('signature_mismatch');
  for (const line of lines) {
    const flat = line.replace(/"_aws":\{.*?\}\]\}\]?\},?/, '');
    const names = [...flat.matchAll(/"([a-z_]+)":/gi)].map(([, name]) => name);
    t.deepEqual(names, [...new Set(names)], line);
  }
});

test('a figure that cannot be had is left out, and the others are told', async (t) => {
  const { metrics, lines } = recorded('info', () => Promise.reject(new Error('no queue')));
  await metrics.logGauges();
  t.deepEqual(
    lines.flatMap(extractMetrics).map(({ name }) => name),
    ['media_processing_inflight_jobs', 'media_outbox_oldest_age_seconds'],
  );
  const { text } = await metrics.exposition();
  t.regex(text, /^media_processing_inflight_jobs 3$/m);
  t.notRegex(text, /^media_processing_dlq_messages_total \d/m);
});
