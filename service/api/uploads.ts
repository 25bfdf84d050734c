import type { JobAnswer, MediaOperations } from '../media/operations.ts';
import { Job, Retry, Status, Uploads } from './answers.ts';
import { etagOf, matches } from './etag.ts';
import { type Route, route } from './route.ts';
import {
  BatchRequest,
  CompleteRequest,
  ProcessRequest,
  type RequestLimits,
  RetryRequest,
  uploadsRequest,
} from './schemas.ts';

const POLL_SECONDS = '2';

const problems = {
  404: 'the listing or the batch does not exist',
  409: 'the listing or the batch is not in a state that allows this',
};

/** From a manifest to a READY batch. */
export const uploads = (media: MediaOperations, limits: RequestLimits): Route[] => [
  route({
    method: 'post',
    paths: ['/uploads'],
    id: 'openUploads',
    summary: 'Manifest in, signed PUT URLs out: opens a batch, or adds to one',
    request: uploadsRequest(limits),
    answer: Uploads,
    success: { 201: 'the batch is open', 200: 'the same reference and manifest again, with fresh URLs' },
    problems,
    async handle({ caller, body, trace }) {
      const { created, ...answer } = await media.openUploads(caller, body, trace);
      return { status: created ? 201 : 200, body: answer };
    },
  }),

  route({
    method: 'post',
    paths: ['/uploads/process'],
    id: 'processUploads',
    summary: 'Process what has been uploaded so far; the batch stays open',
    request: ProcessRequest,
    answer: Job,
    success: { 202: 'a job is on its way' },
    problems,
    handle: async ({ caller, body, trace }) => ({
      status: 202,
      body: await media.processUploads(caller, body, trace),
    }),
  }),

  route({
    method: 'post',
    paths: ['/uploads/complete'],
    id: 'completeUploads',
    summary: 'Uploading is done: take the batch to READY',
    request: CompleteRequest,
    answer: Job,
    success: { 202: 'a job is on its way', 200: 'the batch is READY' },
    problems,
    async handle({ caller, body, trace }) {
      const answer: JobAnswer = await media.completeUploads(caller, body, trace);
      return { status: answer.status === 'READY' ? 200 : 202, body: answer };
    },
  }),

  route({
    method: 'post',
    paths: ['/uploads/status', '/status'],
    id: 'batchStatus',
    summary: 'Progress of a batch',
    request: BatchRequest,
    answer: Status,
    success: { 200: 'as it stands', 304: 'nothing has changed since the ETag in If-None-Match' },
    problems: { 404: problems[404] },
    async handle({ caller, body, header }) {
      const status = await media.batchStatus(caller, body);
      const etag = etagOf(status);
      const running = status.status === 'RECEIVED' || status.status === 'PROCESSING';
      const headers = {
        ETag: etag,
        'Cache-Control': 'private, no-cache',
        ...(running && { 'Retry-After': POLL_SECONDS }),
      };
      return matches(header('If-None-Match'), etag)
        ? { status: 304, headers }
        : { status: 200, headers, body: status };
    },
  }),

  route({
    method: 'post',
    paths: ['/uploads/retry'],
    id: 'retryBatch',
    summary: 'Run a READY or FAILED batch again from its originals',
    request: RetryRequest,
    answer: Retry,
    success: { 202: 'a new job is on its way' },
    problems: { ...problems, 409: `${problems[409]}, or its originals are archived (\`raw_archived\`)` },
    handle: async ({ caller, body, trace }) => ({
      status: 202,
      body: await media.retryBatch(caller, body, trace),
    }),
  }),
];
