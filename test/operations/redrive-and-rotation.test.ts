import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import test from 'ava';
import type { SourcedLine } from '../../local/trace-report.ts';
import { queueAttributes } from '../../statemachines/contracts.ts';
import { operatorOf } from '../support/operator.ts';
import { startTestStack } from '../support/stack.ts';

const running = await startTestStack({ OUTBOX_INTERVAL_SECONDS: '1' });
test.after.always(running.close);
const { stack, photos, uploaded, jobs } = running;
const { client, finish } = running.photographer;
const { logOnce, samples, bury, sendCallback } = operatorOf(running);

test.serial(
  'a message of a finished job that is redriven starts nothing, and the poison stays poison',
  async (t) => {
    const batch = await uploaded(await photos(1));
    t.is((await finish(batch)).status, 'READY');
    const [job] = await jobs(batch);
    const { traceparent, ...input } = job.input_payload_json;
    const message = { ...input, jobId: job.id };
    const attributes = Object.entries(queueAttributes(message, traceparent)).map(([name, StringValue]) => [
      name,
      { DataType: 'String', StringValue },
    ]);
    await bury(JSON.stringify(message), Object.fromEntries(attributes));
    await bury('poison');

    const { accessKeyId, secretAccessKey } = stack.credentials('admin');
    const command = path.join(import.meta.dirname, '../../operations/redrive-command.ts');
    const child = spawn(process.execPath, [command, '--env', 'local', '--rate', '50'], {
      env: {
        AWS_ENDPOINT_URL: stack.awsEndpointUrl,
        AWS_REGION: stack.region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      },
      stdio: 'ignore',
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
  const old = stack.manifest.secrets.find(({ arn }) => arn === stack.callbackSecretArn)?.value ?? '';
  t.true(old.length >= 32);
  const fresh = randomUUID().repeat(2);
  const ready = async () => (await finish(await uploaded(await photos(1)))).status;
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
