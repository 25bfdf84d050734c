import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { z } from 'zod';
import * as answers from '../../../service/api/answers.ts';
import { signCallback } from '../../../statemachines/callback-signature.ts';
import { type ApiAnswer, CALLBACK_SECRET, startApi } from '../../support/api.ts';
import { mediaWorld, PHOTOGRAPHER, photos, STRANGER, startMediaDatabase } from '../../support/media-world.ts';

const database = await startMediaDatabase();
const world = mediaWorld(database);
const api = await startApi({ media: world.media });
test.after.always(async () => {
  await api[Symbol.asyncDispose]();
  await database.stop();
});

const bearer = async (caller: { userId: number; role: string }) => ({
  authorization: `Bearer ${await api.issuer.token({ sub: String(caller.userId), role: caller.role })}`,
});
const post = async (path: string, body: unknown, caller = PHOTOGRAPHER) =>
  api.post(path, body, await bearer(caller));

/** The body is what `/openapi.json` says: nothing missing, nothing besides. */
function is<S extends z.ZodType>(
  t: ExecutionContext,
  answer: ApiAnswer,
  status: number,
  schema: S,
): z.output<S> {
  t.is(answer.status, status, answer.text);
  const parsed = schema.parse(answer.body);
  t.deepEqual<unknown, unknown>(parsed, answer.body);
  return parsed;
}

/** A manifest as a client writes it. */
const manifest = (listingIdentityId: number, files = photos(2)) => ({
  listingIdentityId,
  batchReference: randomUUID(),
  files: files.map(({ checksumSha256, ...file }) => ({ ...file, checksum: `sha256:${checksumSha256}` })),
});

/** The callback of a machine, as callback-dispatch sends it. */
async function report(body: unknown) {
  const raw = JSON.stringify(body);
  const signature = signCallback([CALLBACK_SECRET], Date.now() / 1000, raw);
  return api.request('POST', '/internal/media-processing/callback', {
    headers: { 'content-type': 'application/json', 'x-toq-signature': signature },
    body: raw,
  });
}

test('from manifest to download, every answer is what the document says', async (t) => {
  const id = await world.listing();
  const request = manifest(id);
  const opened = is(t, await post('/uploads', request), 201, answers.Uploads.strict());
  is(t, await post('/uploads', request), 200, answers.Uploads.strict());
  const batch = { listingIdentityId: id, batchId: opened.batchId };
  is(t, await post('/uploads/status', batch), 200, answers.Status.strict());
  t.is((await post('/downloads', { listingIdentityId: id })).status, 204);

  const early = await post('/uploads/complete', batch);
  t.is(early.status, 400);
  t.is(early.body.errors.length, 2);
  answers.ProblemDetails.strict().parse(early.body);

  for (const { clientId, s3Key } of opened.files)
    await world.objects.put(s3Key, `the content of ${clientId}`);
  const job = is(t, await post('/uploads/complete', batch), 202, answers.Job.strict());
  is(t, await post('/uploads/complete', batch), 202, answers.Job.strict());
  is(t, await post('/status', batch), 200, answers.Status.strict());

  is(t, await report(await world.processed(Number(job.jobId))), 200, answers.CallbackAccepted.strict());
  const zip = await world.newestJob(opened.batchId);
  is(t, await report(await world.bundled(zip.id)), 200, answers.CallbackAccepted.strict());

  const status = is(t, await post('/status', batch), 200, answers.Status.strict());
  t.is(status.status, 'READY');
  is(t, await post('/uploads/complete', batch), 200, answers.Job.strict());
  const downloads = is(t, await post('/downloads/query', batch), 200, answers.Downloads.strict());
  t.deepEqual(
    downloads.downloads.map(({ type }) => type),
    ['ZIP_FULL', 'PHOTO_HORIZONTAL'],
  );
  is(t, await post('/uploads/retry', { ...batch, reason: 'the sky' }), 202, answers.Retry.strict());
});

test('a photo that failed is told with its code and a sentence', async (t) => {
  const id = await world.listing();
  const opened = is(t, await post('/uploads', manifest(id)), 201, answers.Uploads);
  const batch = { listingIdentityId: id, batchId: opened.batchId };
  for (const { clientId, s3Key } of opened.files)
    await world.objects.put(s3Key, `the content of ${clientId}`);
  is(t, await post('/uploads/process', batch), 202, answers.Job.strict());
  const job = await world.newestJob(opened.batchId);
  const broken = { [opened.files[0]?.s3Key ?? '']: 'UNSUPPORTED_CONTENT' };
  await report(await world.processed(job.id, broken));

  const status = is(t, await post('/status', batch), 200, answers.Status.strict());
  t.like(status.assets[0], { status: 'FAILED', errorCode: 'UNSUPPORTED_CONTENT' });
  t.truthy(status.assets[0]?.errorMessage);
});

test('a manifest that is refused leaves nothing in the database', async (t) => {
  const id = await world.listing();
  const { files, ...rest } = manifest(id, photos(2));
  const bad = [
    { ...rest, files: [...files, files[0]] },
    { ...rest, files: files.map((file) => ({ ...file, filename: '../x' })) },
    { ...rest, files: [] },
  ];
  for (const request of bad) {
    const answer = await post('/uploads', request);
    t.is(answer.status, 400, answer.text);
    t.true(answer.body.errors.length > 0);
  }
  t.is((await post('/uploads', { ...rest, files }, STRANGER)).status, 403);
  t.is((await post('/uploads', { ...rest, files, listingIdentityId: 999_999 })).status, 404);
  const [row] = await database.knex('listing_media_batches').where({ listing_id: id }).count({ count: '*' });
  t.is(Number(row?.count), 0);
});

test('what happens to a request is logged under its trace', async (t) => {
  const id = await world.listing();
  const answer = await post('/uploads', manifest(id));
  const traceId = answer.headers.get('traceparent')?.split('-')[1];
  t.true(api.lines.some((line) => line.trace_id === traceId && line.listing_identity_id === id));
  t.notRegex(JSON.stringify(api.lines), /X-Amz-/);
});
