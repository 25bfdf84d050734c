import { createHash } from 'node:crypto';
import type { TestFn } from 'ava';
import type { JobQueue } from '../../service/adapters/job-queue.ts';
import type { ObjectStore } from '../../service/adapters/object-store.ts';
import type { Workflows } from '../../service/adapters/workflows.ts';
import {
  finalizationExecutionName,
  processingExecutionName,
  queueAttributes,
  samples,
} from '../../statemachines/contracts.ts';
import type { SentMessage } from './fake-job-queue.ts';

const CONTENT = 'a photograph';
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

export interface ObjectStoreUnderTest {
  store: ObjectStore;
  put(key: string, content: string): Promise<void>;
  archive(key: string): Promise<void>;
}

/** What every ObjectStore does. */
export function objectStoreConformance(test: TestFn, name: string, open: () => ObjectStoreUnderTest) {
  const upload = {
    key: '28/raw/photo/horizontal/one-garden.jpg',
    contentType: 'image/jpeg',
    bytes: CONTENT.length,
    checksumSha256: SHA256,
    project: false,
    ttlSeconds: 900,
  };

  test(`${name}: an object that is not there is null`, async (t) => {
    t.is(await open().store.head('28/raw/photo/horizontal/nothing.jpg'), null);
  });

  test(`${name}: an object that is there is told by its size, ETag and SHA-256`, async (t) => {
    const { store, put } = open();
    await put('28/raw/photo/horizontal/there.jpg', CONTENT);
    t.deepEqual(await store.head('28/raw/photo/horizontal/there.jpg'), {
      bytes: CONTENT.length,
      etag: createHash('md5').update(CONTENT).digest('hex'),
      checksumSha256: SHA256,
      archived: false,
    });
  });

  test(`${name}: an object in Glacier is archived`, async (t) => {
    const { store, put, archive } = open();
    await put('28/raw/photo/horizontal/old.jpg', CONTENT);
    await archive('28/raw/photo/horizontal/old.jpg');
    t.true((await store.head('28/raw/photo/horizontal/old.jpg'))?.archived);
  });

  test(`${name}: an upload comes with the headers that bind it`, async (t) => {
    const { url, headers } = await open().store.presignPut(upload);
    t.true(new URL(url).pathname.endsWith(upload.key));
    t.is(new URL(url).searchParams.get('X-Amz-Expires'), '900');
    t.deepEqual(headers, {
      'Content-Type': 'image/jpeg',
      'x-amz-checksum-sha256': Buffer.from(SHA256, 'hex').toString('base64'),
      'x-amz-tagging': 'stage=raw',
    });
  });

  test(`${name}: a project's upload is signed by somebody else`, async (t) => {
    const { store } = open();
    const [ours, project] = await Promise.all([
      store.presignPut(upload),
      store.presignPut({ ...upload, project: true }),
    ]);
    t.not(ours.url, project.url);
    t.deepEqual(ours.headers, project.headers);
  });

  test(`${name}: a download names its file and expires`, async (t) => {
    const { store } = open();
    const url = new URL(
      await store.presignGet({ key: upload.key, filename: 'Garden 01.jpg', ttlSeconds: 3600 }),
    );
    t.true(url.pathname.endsWith(upload.key));
    t.is(url.searchParams.get('X-Amz-Expires'), '3600');
    t.regex(url.searchParams.get('response-content-disposition') ?? '', /Garden 01\.jpg/);
  });
}

export interface JobQueueUnderTest {
  queue: JobQueue;
  /** everything that has been sent and not been received before */
  received(): Promise<SentMessage[]>;
}

/** What every JobQueue does. */
export function jobQueueConformance(test: TestFn, name: string, open: () => JobQueueUnderTest) {
  test(`${name}: what is sent arrives whole, with its attributes`, async (t) => {
    const { queue, received } = open();
    const attributes = queueAttributes(
      samples.queueMessage,
      '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    );
    await queue.send(samples.queueMessage, attributes);
    t.deepEqual(await received(), [{ message: samples.queueMessage, attributes }]);
  });
}

/** What every Workflows does. `open` gives machines whose executions stay RUNNING. */
export function workflowsConformance(test: TestFn, name: string, open: () => Workflows) {
  const input = samples.machineInput;

  test(`${name}: an execution is RUNNING under the ARN that its name says`, async (t) => {
    const workflows = open();
    const execution = finalizationExecutionName({ listingIdentityId: 28, jobId: 100 });
    const { executionArn } = await workflows.startFinalization(execution, input);
    t.is(executionArn, workflows.finalizationExecutionArn(execution));
    t.regex(
      executionArn,
      /^arn:aws:states:.*:execution:listing-media-finalization-sm-.*:finalization-28-100$/,
    );
    const described = await workflows.describe(executionArn);
    t.is(described?.status, 'RUNNING');
    t.true(described?.startedAt instanceof Date);
  });

  test(`${name}: the same name again is the same execution`, async (t) => {
    const workflows = open();
    const execution = finalizationExecutionName({ listingIdentityId: 28, jobId: 101 });
    const first = await workflows.startFinalization(execution, input);
    // another trace: Step Functions tells executions of one name apart by their input
    const again = await workflows.startFinalization(execution, { ...input, traceparent: 'another' });
    t.deepEqual(again, first);
  });

  test(`${name}: an execution that nobody started is null, and stopping it is no error`, async (t) => {
    const workflows = open();
    const arn = workflows.processingExecutionArn(
      processingExecutionName({ listingIdentityId: 28, jobId: 999 }),
    );
    t.regex(arn, /:execution:listing-media-processing-sm-.*:process-28-999$/);
    t.is(await workflows.describe(arn), null);
    await t.notThrowsAsync(workflows.stop(arn, 'never started'));
  });

  test(`${name}: a stopped execution is ABORTED with the reason, and may be stopped again`, async (t) => {
    const workflows = open();
    const execution = finalizationExecutionName({ listingIdentityId: 28, jobId: 102 });
    const { executionArn } = await workflows.startFinalization(execution, input);
    await workflows.stop(executionArn, 'longer than 30 minutes');
    await workflows.stop(executionArn, 'longer than 31 minutes');
    t.like(await workflows.describe(executionArn), {
      status: 'ABORTED',
      error: 'STUCK',
      cause: 'longer than 30 minutes',
    });
  });
}
