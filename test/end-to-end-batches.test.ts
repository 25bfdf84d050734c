import { createHash, createHmac, randomUUID } from 'node:crypto';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import test from 'ava';
import { createClient, RefusedError } from '../local/client.ts';
import { brokenPhoto } from '../local/samples.ts';
import { startTestStack } from './support/stack.ts';
import { put } from './support/uploader.ts';

const { stack, database, file, photos, uploaded, photographer, jobs, as, close } = await startTestStack({
  OUTBOX_INTERVAL_SECONDS: '1',
  RECONCILE_INTERVAL_SECONDS: '2',
  STUCK_JOB_TIMEOUT_MINUTES: '1',
});
test.after.always(close);
const { client, open, upload, rest, finish, gallery } = photographer;

test('a file that was never uploaded is named by complete, and nothing changes', async (t) => {
  const listingIdentityId = await stack.addListing();
  const files = await photos(2);
  const opened = await open({ listingIdentityId }, files);
  const [first] = opened.files;
  if (first) await put(first, files);
  const batch = { listingIdentityId, batchId: opened.batchId };
  const refusal = await t.throwsAsync(client.complete(batch), { instanceOf: RefusedError });
  t.is(refusal?.answer.status, 400);
  t.regex(JSON.stringify(refusal?.answer.body), /photo-2/);
  t.regex(JSON.stringify(refusal?.answer.body), /upload_not_found/);
  const status = await client.status(batch);
  t.is(status.status, 'PENDING_UPLOAD');
  t.deepEqual(await jobs(batch), []);
});

test('bad input is refused with a problem that names the field, and nothing is stored', async (t) => {
  const listingIdentityId = await stack.addListing();
  const checksum = createHash('sha256').update('x').digest('hex');
  const good = {
    clientId: 'a',
    assetType: 'PHOTO_HORIZONTAL',
    filename: 'a.jpg',
    contentType: 'image/jpeg',
    bytes: 10,
    checksum,
    sequence: 1,
  };
  const send = (...files: object[]) => ({ listingIdentityId, batchReference: randomUUID(), files });
  const cases: [string, object, RegExp][] = [
    ['unknown field', { ...send(good), extra: 1 }, /extra/],
    [
      '61 files',
      send(...Array.from({ length: 61 }, (_, i) => ({ ...good, clientId: `c${i}`, sequence: i + 1 }))),
      /files/,
    ],
    ['0 bytes', send({ ...good, bytes: 0 }), /\/files\/0\/bytes/],
    ['negative sequence', send({ ...good, sequence: -1 }), /\/files\/0\/sequence/],
    ['duplicate ids', send(good, { ...good, sequence: 2 }), /\/files\/1\/clientId/],
    ['short checksum', send({ ...good, checksum: 'abcd' }), /\/files\/0\/checksum/],
    ['wrong type', send({ ...good, contentType: 'image/svg+xml' }), /\/files\/0\/contentType/],
    ['derived type', send({ ...good, assetType: 'ZIP' }), /\/files\/0\/assetType/],
    ...['../../etc/passwd', 'a\0.jpg', 'a\r\nb.jpg', '\u202Egpj.exe', `${'x'.repeat(300)}.jpg`].map(
      (filename): [string, object, RegExp] => [filename, send({ ...good, filename }), /\/files\/0\/filename/],
    ),
  ];
  for (const [name, body, pointer] of cases) {
    const answer = await client.request<{ errors: { pointer: string }[] }>('POST', '/uploads', body);
    t.is(answer.status, 400, name);
    t.regex(String(answer.headers.get('content-type')), /application\/problem\+json/, name);
    t.regex(JSON.stringify(answer.body.errors), pointer, name);
  }
  const malformed = await fetch(`${stack.apiUrl}/api/v2/listings/media/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.tokens.photographer}`, 'content-type': 'application/json' },
    body: '{"listingIdentityId":',
  });
  t.is(malformed.status, 400);
  const anonymous = createClient({ apiUrl: stack.apiUrl, token: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.' });
  t.is((await anonymous.request('POST', '/uploads', send(good))).status, 401);
  t.deepEqual(await database('listing_media_batches').where({ listing_id: listingIdentityId }), []);
});

test('thumbnails of a first portion are there before the rest is uploaded', async (t) => {
  const all = await photos(5);
  const batch = await uploaded(all.slice(0, 3));
  await client.process(batch);
  const early = await client.until(batch, ({ assets }) =>
    assets.every(({ status }) => status === 'PROCESSED'),
  );
  t.is(early.status, 'PENDING_UPLOAD');
  t.true(early.availableDownloads.find(({ type }) => type === 'THUMBNAILS')?.ready);
  await upload(batch, all.slice(3));
  const status = await finish(batch);
  t.is(status.status, 'READY');
  t.is((await gallery(batch)).items.length, 5);
});

test('a READY and a FAILED batch run again on request, as a new job over the same originals', async (t) => {
  const batch = await uploaded(await photos(2));
  await finish(batch);
  const keys = () =>
    database('listing_media_assets')
      .join('listing_media_batches as batches', 'batches.id', 'listing_media_assets.batch_id')
      .where('batches.public_id', batch.batchId)
      .pluck('source_key');
  const before = await keys();
  const again = await client.retry(batch);
  t.is(again.status, 'PROCESSING');
  t.is((await rest(batch)).status, 'READY');
  t.deepEqual(await keys(), before);
  t.is((await jobs(batch)).length, 4);

  const torn = await file('torn.jpg', await brokenPhoto({ width: 800, height: 600 }));
  const failing = await uploaded([torn]);
  t.is((await finish(failing)).status, 'FAILED');
  const retried = await client.retry(failing);
  t.is((await rest(failing)).status, 'FAILED');
  t.true((await jobs(failing)).map(({ id }) => id).includes(retried.jobId));
});

test('complete twice at once is one job; the same message again starts nothing', async (t) => {
  const listingIdentityId = await stack.addListing();
  const batch = await upload({ listingIdentityId }, await photos(2));
  const [first, second] = await Promise.all([client.complete(batch), client.complete(batch)]);
  t.is(first.jobId, second.jobId);
  const [job] = await jobs(batch);
  const assets = await database('listing_media_assets').where({ batch_id: job.batch_id });
  const queue = new SQSClient(as('backend'));
  t.teardown(() => queue.destroy());
  const message = {
    jobId: job.id,
    listingIdentityId,
    batchId: batch.batchId,
    assets: assets.map((asset) => ({ key: asset.source_key, type: asset.asset_type })),
    retry: 0,
  };
  await queue.send(
    new SendMessageCommand({ QueueUrl: stack.queueUrl, MessageBody: JSON.stringify(message) }),
  );
  const status = await rest(batch);
  t.is(status.status, 'READY');
  t.deepEqual(
    (await jobs(batch)).map(({ provider, status }) => [provider, status]),
    [
      ['STEP_FUNCTIONS', 'SUCCEEDED'],
      ['STEP_FUNCTIONS_FINALIZATION', 'SUCCEEDED'],
    ],
  );
  t.is((await client.complete(batch)).status, 'READY');
});

test('a callback again is a duplicate; forged, stale and unsigned ones are refused', async (t) => {
  const batch = await uploaded(await photos(1));
  await finish(batch);
  const [job] = await jobs(batch);
  const manager = new SecretsManagerClient(as('lambda-callback-dispatch'));
  t.teardown(() => manager.destroy());
  const { SecretString: secret = '' } = await manager.send(
    new GetSecretValueCommand({ SecretId: stack.callbackSecretArn }),
  );
  const body = String(job.callback_body);
  const send = async (key: string, timestamp: number, sent = body, header = true) => {
    const v1 = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
    const response = await fetch(`${stack.apiUrl}/internal/media-processing/callback`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(header ? { 'x-toq-signature': `t=${timestamp},v1=${v1}` } : {}),
      },
      body: sent,
    });
    return [response.status, await response.json()] as const;
  };
  const now = Math.floor(Date.now() / 1000);
  t.deepEqual(await send(secret, now), [200, { success: true, data: { status: 'duplicate' } }]);
  t.is((await send('x'.repeat(40), now))[0], 401);
  t.is((await send(secret, now - 301))[0], 401);
  t.is((await send(secret, now, `${body} `))[0], 401);
  t.is((await send(secret, now, body, false))[0], 401);
  t.is((await client.status(batch)).status, 'READY');
  t.is((await jobs(batch)).length, 2);
});

// serial tests run before the others, which would not like to lose the service
test.serial('a service killed between commit and publish, or inside a callback, loses nothing', async (t) => {
  const batch = await uploaded(await photos(2));
  const held = stack.hold('sqs', 'SendMessage');
  await client.complete(batch).catch(() => undefined);
  await held.arrived;
  t.is((await jobs(batch)).length, 1);
  await stack.killService();
  held.release();

  // the callback's transaction waits for this lock when the service dies a second time
  const [job] = await jobs(batch);
  await stack.untilTaskEntered(job.id, 'ValidateRawAssets');
  const lock = await database.transaction();
  await lock('media_processing_jobs').where({ id: job.id }).forUpdate().select('id');
  await stack.untilTaskEntered(job.id, 'FinalizeAndCallback');
  for (let waiting = 0; waiting === 0; ) {
    const [[row]] = await database.raw(
      "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE '%for update%' AND id <> CONNECTION_ID()",
    );
    waiting = Number(row.n);
  }
  await stack.killService();
  await lock.rollback();
  const status = await rest(batch);
  t.is(status.status, 'READY', JSON.stringify(status));
  t.is((await jobs(batch)).length, 2);
});

test.after('nothing was refused to a role of the stack', (t) => {
  t.deepEqual(stack.permissions().denied, []);
});
