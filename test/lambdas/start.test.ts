import { Writable } from 'node:stream';
import { SFNClient } from '@aws-sdk/client-sfn';
import test from 'ava';
import type { SQSRecord } from 'aws-lambda';
import { pino } from 'pino';
import { handler, start } from '../../lambdas/start.ts';
import { type QueueMessage, queueAttributes, samples } from '../../statemachines/contracts.ts';
import { recordingServer } from '../support/recording-server.ts';

const message: QueueMessage = samples.queueMessage;
const TRACEPARENT = samples.machineInput.traceparent;

const record = (body: string, attributes: Record<string, string> = {}): SQSRecord =>
  ({
    messageId: 'm-1',
    body,
    messageAttributes: Object.fromEntries(
      Object.entries(attributes).map(([name, stringValue]) => [name, { stringValue, dataType: 'String' }]),
    ),
  }) as unknown as SQSRecord;

const stepFunctions = (endpoint: string) =>
  new SFNClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });

function logLines() {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { log: pino(destination), lines };
}

test('a message starts the machine under the name of its job, with its trace', async (t) => {
  const server = await recordingServer(t, () => [200, { executionArn: 'arn:e', startDate: 1 }]);
  const { log, lines } = logLines();
  await start(
    'arn:machine',
    log,
    stepFunctions(server.url),
  )(record(JSON.stringify(message), queueAttributes(message, TRACEPARENT)));
  const request = JSON.parse(server.requests[0]?.body ?? '');
  t.like(request, { stateMachineArn: 'arn:machine', name: 'process-28-21' });
  t.deepEqual(JSON.parse(request.input), { ...message, traceparent: TRACEPARENT });
  t.like(JSON.parse(lines[0] ?? ''), {
    listing_identity_id: 28,
    job_id: 21,
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
  });
});

test('a redelivered message finds its execution and is done', async (t) => {
  const server = await recordingServer(t, () => [
    400,
    { __type: 'com.amazonaws.states#ExecutionAlreadyExists', message: 'Execution Already Exists' },
  ]);
  const { log } = logLines();
  await t.notThrowsAsync(start('arn:m', log, stepFunctions(server.url))(record(JSON.stringify(message))));
});

test('a throttled start and a malformed message fail the record', async (t) => {
  const server = await recordingServer(t, () => [
    400,
    { __type: 'ThrottlingException', message: 'Rate exceeded' },
  ]);
  const run = start('arn:m', logLines().log, stepFunctions(server.url));
  await t.throwsAsync(run(record(JSON.stringify(message))), { name: 'ThrottlingException' });
  await t.throwsAsync(run(record('{"jobId":0}')), { message: /malformed message/ });
  await t.throwsAsync(run(record('not json')));
});

test('of a batch, only the records that failed come back', async (t) => {
  const server = await recordingServer(t, () => [200, { executionArn: 'arn:e', startDate: 1 }]);
  Object.assign(process.env, {
    ENV: 'test',
    MEDIA_BUCKET: 'bucket',
    TRACE_HEADER_KEY: 'traceparent',
    LOG_LEVEL: 'silent',
    PROCESSING_STATE_MACHINE_ARN: 'arn:machine',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    AWS_ENDPOINT_URL: server.url,
  });
  const good = { ...record(JSON.stringify(message)), messageId: 'good' };
  const bad = { ...record('{}'), messageId: 'bad' };
  t.deepEqual(await handler({ Records: [good, bad] }), {
    batchItemFailures: [{ itemIdentifier: 'bad' }],
  });
  t.deepEqual(await handler({ Records: [bad] }), { batchItemFailures: [{ itemIdentifier: 'bad' }] });
  t.is(server.requests.length, 1);
});
