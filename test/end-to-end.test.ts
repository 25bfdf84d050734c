import { createHash, createHmac, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import test from 'ava';
import exifr from 'exifr';
import knexFactory from 'knex';
import sharp from 'sharp';
import {
  type Batch,
  createClient,
  describeFile,
  type LocalFile,
  type ManifestFile,
  putFile,
  RefusedError,
  type SignedUpload,
  settled,
} from '../local/client.ts';
import { saveGallery } from '../local/gallery.ts';
import { covers, reasonOf, UNEXERCISED } from '../local/iam/unexercised.ts';
import { brokenPhoto, clip, type Orientation, photoJpeg, photoPng, picture } from '../local/samples.ts';
import { startStack } from '../local/stack.ts';

const directory = await mkdtemp(path.join(tmpdir(), 'toq-media-'));
const media = path.join(directory, 'media');
const stack = await startStack({
  directory: path.join(directory, 'stack'),
  overrides: {
    OUTBOX_INTERVAL_SECONDS: '1',
    RECONCILE_INTERVAL_SECONDS: '2',
    STUCK_JOB_TIMEOUT_MINUTES: '1',
  },
});
test.after.always(async () => {
  await stack.close();
  await rm(directory, { recursive: true, force: true });
});

const client = createClient({ apiUrl: stack.apiUrl, token: stack.tokens.photographer });
const database = knexFactory({ client: 'mysql2', connection: stack.databaseUrl });
test.after.always(() => database.destroy());

async function file(
  name: string,
  bytes: Buffer | ((file: string) => Promise<void>),
  about: Partial<LocalFile> = {},
) {
  await mkdir(media, { recursive: true });
  const where = path.join(media, `${randomUUID()}-${name}`);
  if (typeof bytes === 'function') await bytes(where);
  else await writeFile(where, bytes);
  const contentType = { '.png': 'image/png', '.mp4': 'video/mp4', '.mov': 'video/quicktime' }[
    path.extname(name)
  ];
  return {
    path: where,
    clientId: name.replace(/\W/g, '-'),
    assetType: 'PHOTO_HORIZONTAL',
    contentType: contentType ?? 'image/jpeg',
    sequence: 1,
    ...about,
  } satisfies LocalFile;
}

const photos = (count: number, size = { width: 1600, height: 1200 }) =>
  Promise.all(
    Array.from({ length: count }, async (_, index) =>
      file(
        `photo-${index + 1}.jpg`,
        await photoJpeg({ ...size, seed: index + 1, label: `Photo ${index + 1}` }),
        {
          sequence: index + 1,
        },
      ),
    ),
  );

/** Opens (or adds to) a batch and uploads everything. */
async function upload(
  to: { listingIdentityId: number; batchId?: string },
  files: LocalFile[],
): Promise<Batch> {
  const opened = await open(to, files);
  await Promise.all(opened.files.map((signed) => put(signed, files)));
  return { listingIdentityId: to.listingIdentityId, batchId: opened.batchId };
}

async function open(to: { listingIdentityId: number; batchId?: string }, files: LocalFile[]) {
  const manifest: ManifestFile[] = await Promise.all(files.map(describeFile));
  const reference = to.batchId ? {} : { batchReference: randomUUID() };
  return client.openUploads({ ...to, ...reference, files: manifest });
}

async function put(signed: SignedUpload, files: LocalFile[]) {
  const local = files.find(({ clientId }) => clientId === signed.clientId);
  if (!local) throw new Error(`no such file: ${signed.clientId}`);
  return putFile(local.path, signed);
}

const rest = (batch: Batch) => client.until(batch, settled, { seconds: 120 });

async function toReady(batch: Batch) {
  await client.complete(batch);
  return rest(batch);
}

async function gallery(batch: Batch) {
  return saveGallery(await client.downloads(batch), await mkdtemp(path.join(directory, 'gallery-')));
}

const jobs = (batch: Batch) =>
  database('media_processing_jobs')
    .join('listing_media_batches as batches', 'batches.id', 'media_processing_jobs.batch_id')
    .where('batches.public_id', batch.batchId)
    .orderBy('media_processing_jobs.id')
    .select('media_processing_jobs.*');

const as = (role: string) => ({
  endpoint: stack.awsEndpointUrl,
  region: 'us-east-1',
  credentials: stack.credentials(role),
});

test('photos and videos go from disk to a READY gallery with a bundle', async (t) => {
  const listingIdentityId = await stack.addListing();
  const files = [
    ...(await photos(3)),
    await file('upright.jpg', await photoJpeg({ width: 900, height: 1600, orientation: 6, gps: true }), {
      assetType: 'PHOTO_VERTICAL',
    }),
    await file('tour.mp4', (to) => clip(to, { width: 1280, height: 720, seconds: 2 }), {
      assetType: 'VIDEO_HORIZONTAL',
    }),
    await file('balcony.mov', (to) => clip(to, { width: 360, height: 640, seconds: 2, rotation: 90 }), {
      assetType: 'VIDEO_VERTICAL',
    }),
  ];
  const batch = await upload({ listingIdentityId }, files);
  const status = await toReady(batch);
  t.is(status.status, 'READY', JSON.stringify(status));
  t.true(status.processing.steps.every((step) => step.status === 'SUCCEEDED'));
  t.deepEqual(
    status.availableDownloads.map(({ type, ready }) => [type, ready]),
    [
      ['ZIP_FULL', true],
      ['THUMBNAILS', true],
    ],
  );
  const saved = await gallery(batch);
  t.is(saved.items.length, 6);
  t.regex(saved.bundleReport, /No errors detected/);
  for (const { item, stills } of saved.items) {
    const [width = 0, height = 0] = String(item.resolution).split('x').map(Number);
    t.deepEqual(Object.keys(stills).sort(), ['large', 'medium', 'small', 'thumbnail']);
    for (const [size, limit] of Object.entries({ thumbnail: 200, small: 400, medium: 800, large: 1200 })) {
      const still = stills[size];
      t.is(still?.width, Math.min(limit, width), `${item.label} ${size}`);
      t.true(Math.abs((still?.height ?? 0) - (Math.min(limit, width) * height) / width) <= 1);
      const exif = await exifr.parse(path.join(path.dirname(saved.page), String(still?.file)), { gps: true });
      t.is(exif?.latitude, undefined);
    }
  }
  const balcony = saved.items.find(({ type }) => type === 'VIDEO_VERTICAL');
  t.like(balcony?.item, { resolution: '360x640', durationSeconds: 2 });
  const listing = await database('listing_identities').where({ id: listingIdentityId }).first();
  t.is(listing.status, 'PENDING_OWNER_APPROVAL');
});

test('every kind of picture becomes upright, sRGB, stripped variants no larger than itself', async (t) => {
  const listingIdentityId = await stack.addListing();
  const size = { width: 900, height: 600 };
  const orientations = await Promise.all(
    ([1, 2, 3, 4, 5, 6, 7, 8] as Orientation[]).map(async (orientation) =>
      file(`o${orientation}.jpg`, await photoJpeg({ ...size, orientation, gps: true }), {
        sequence: orientation,
      }),
    ),
  );
  const plain = await picture(size);
  const others = [
    ['cmyk.jpg', await (await picture(size)).toColourspace('cmyk').jpeg().toBuffer()],
    ['16-bit.png', await (await picture(size)).toColourspace('rgb16').png().toBuffer()],
    ['alpha.png', await photoPng(size)],
    ['tiny.jpg', await photoJpeg({ width: 40, height: 30 })],
    ['progressive.jpg', await photoJpeg(size, { progressive: true })],
    ['p3.jpg', await plain.withIccProfile('p3').jpeg().toBuffer()],
  ] as const;
  const files = [
    ...orientations,
    ...(await Promise.all(
      others.map(([name, bytes], index) => file(name, bytes, { sequence: orientations.length + index + 1 })),
    )),
  ];
  const batch = await upload({ listingIdentityId }, files);
  const status = await toReady(batch);
  t.is(status.status, 'READY', JSON.stringify(status.assets));
  const saved = await gallery(batch);
  const folder = path.dirname(saved.page);
  const reference = await sharp(await photoJpeg(size))
    .resize(40, 27, { fit: 'fill' })
    .raw()
    .toBuffer();
  for (const { item, stills } of saved.items) {
    const tiny = item.sequence === orientations.length + 4;
    const still = path.join(folder, String(stills.large?.file));
    const facts = await sharp(still).metadata();
    t.like(facts, { width: tiny ? 40 : 900, space: 'srgb', hasAlpha: false });
    t.is(facts.exif, undefined);
    t.is(facts.orientation, undefined);
    if (tiny) continue;
    const pixels = await sharp(still).resize(40, 27, { fit: 'fill' }).raw().toBuffer();
    const difference =
      pixels.reduce((sum, value, i) => sum + Math.abs(value - (reference[i] ?? 0)), 0) / pixels.length;
    t.true(difference < 16, `${item.label}: mean difference ${difference}`);
  }
});

test('one broken photo among 20 spoils nothing, is named, and replacing it makes the batch READY', async (t) => {
  const listingIdentityId = await stack.addListing();
  const files = await photos(19, { width: 800, height: 600 });
  const torn = await file('torn.jpg', await brokenPhoto({ width: 800, height: 600 }), {
    sequence: 20,
    title: 'Attic',
  });
  const batch = await upload({ listingIdentityId }, [...files, torn]);
  const failed = await toReady(batch);
  t.is(failed.status, 'FAILED');
  t.is(failed.error?.code, 'ASSETS_FAILED');
  t.is(failed.assets.filter(({ status }) => status === 'PROCESSED').length, 19);
  const bad = failed.assets.find(({ status }) => status === 'FAILED');
  t.like(bad, { clientId: 'torn-jpg', title: 'Attic' });
  t.true(
    ['THUMBNAIL_PROCESSING_FAILED', 'UNSUPPORTED_CONTENT', 'VALIDATION_ERROR'].includes(
      String(bad?.errorCode),
    ),
  );
  t.regex(String(bad?.errorMessage), /\w+ .*\.$/);

  const whole = await file('torn.jpg', await photoJpeg({ width: 800, height: 600 }), {
    sequence: 20,
    title: 'Attic',
  });
  await upload(batch, [whole]);
  const mended = await toReady(batch);
  t.is(mended.status, 'READY', JSON.stringify(mended));
  t.is((await gallery(batch)).items.length, 20);
});

test('a video that cannot be transcoded is named, spoils nothing, and is an alert', async (t) => {
  const listingIdentityId = await stack.addListing();
  const torn = await file(
    'torn.mp4',
    async (to) => {
      await clip(to, { width: 320, height: 180, seconds: 1 });
      await truncate(to, Math.floor((await stat(to)).size / 2));
    },
    { assetType: 'VIDEO_HORIZONTAL' },
  );
  const batch = await upload({ listingIdentityId }, [
    ...(await photos(1, { width: 800, height: 600 })),
    torn,
  ]);
  const failed = await toReady(batch);
  t.is(failed.status, 'FAILED');
  t.deepEqual(
    failed.assets.map(({ clientId, status, errorCode }) => [clientId, status, errorCode ?? null]).sort(),
    [
      ['photo-1-jpg', 'PROCESSED', null],
      ['torn-mp4', 'FAILED', 'VIDEO_TRANSCODE_FAILED'],
    ],
  );
  const topic = stack.manifest.topics[0]?.name;
  const published = stack.permissions().usage.find(({ holder }) => holder === topic)?.used ?? [];
  t.deepEqual(
    published.map(({ statement, action }) => `${statement}: ${action}`),
    ['Events: sns:Publish'],
  );
});

test('S3 refuses a wrong byte, length, type, and an edited URL; the right file still passes', async (t) => {
  const listingIdentityId = await stack.addListing();
  const [photo] = await photos(1);
  if (!photo) throw new Error('no photo');
  const { files } = await open({ listingIdentityId }, [photo]);
  const [signed] = files;
  if (!signed) throw new Error('no URL');
  const bytes = await photoJpeg({ width: 1600, height: 1200, seed: 1, label: 'Photo 1' });
  const { 'Content-Length': _, ...headers } = signed.headers;
  const attempt = async (url: string, body: Buffer, extra: Record<string, string> = {}) => {
    const response = await fetch(url, { method: 'PUT', headers: { ...headers, ...extra }, body });
    return `${response.status} ${/<Code>(.*?)<\/Code>/.exec(await response.text())?.[1]}`;
  };
  const flipped = Buffer.from(bytes);
  flipped[1000] = (flipped[1000] ?? 0) ^ 1;
  t.regex(await attempt(signed.uploadUrl, flipped), /^400 (BadDigest|XAmzContentChecksumMismatch)/);
  t.regex(await attempt(signed.uploadUrl, bytes.subarray(1)), /^403 SignatureDoesNotMatch/);
  t.regex(
    await attempt(signed.uploadUrl, bytes, { 'content-type': 'image/png' }),
    /^403 SignatureDoesNotMatch/,
  );
  t.regex(await attempt(signed.uploadUrl, bytes, { 'x-amz-tagging': 'stage=public' }), /^403/);
  t.regex(await attempt(signed.uploadUrl.replace('photo-1', 'photo-2'), bytes), /^403 SignatureDoesNotMatch/);
  t.regex(await attempt(signed.uploadUrl.replace('X-Amz-Expires=900', 'X-Amz-Expires=90000'), bytes), /^403/);
  t.regex(
    await attempt(signed.uploadUrl.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20200101'), bytes),
    /^40[03]/,
  );
  t.regex(await attempt(signed.uploadUrl, bytes), /^200/);
});

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
  const listingIdentityId = await stack.addListing();
  const batch = await upload({ listingIdentityId }, await photos(1));
  await toReady(batch);
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

test('thumbnails of a first portion are there before the rest is uploaded', async (t) => {
  const listingIdentityId = await stack.addListing();
  const all = await photos(5, { width: 800, height: 600 });
  const batch = await upload({ listingIdentityId }, all.slice(0, 3));
  await client.process(batch);
  const early = await client.until(batch, ({ assets }) =>
    assets.every(({ status }) => status === 'PROCESSED'),
  );
  t.is(early.status, 'PENDING_UPLOAD');
  t.true(early.availableDownloads.find(({ type }) => type === 'THUMBNAILS')?.ready);
  await upload(batch, all.slice(3));
  const status = await toReady(batch);
  t.is(status.status, 'READY');
  t.is((await gallery(batch)).items.length, 5);
});

test('a READY and a FAILED batch run again on request, as a new job over the same originals', async (t) => {
  const listingIdentityId = await stack.addListing();
  const files = await photos(2, { width: 800, height: 600 });
  const batch = await upload({ listingIdentityId }, files);
  await toReady(batch);
  const keys = async () =>
    (await database('listing_media_assets')
      .join('listing_media_batches as batches', 'batches.id', 'listing_media_assets.batch_id')
      .where('batches.public_id', batch.batchId)
      .pluck('source_key')) as string[];
  const before = await keys();
  const again = await client.retry(batch);
  t.is(again.status, 'PROCESSING');
  t.is((await rest(batch)).status, 'READY');
  t.deepEqual(await keys(), before);
  t.is((await jobs(batch)).length, 4);

  const other = await stack.addListing();
  const torn = await file('torn.jpg', await brokenPhoto({ width: 800, height: 600 }));
  const failing = await upload({ listingIdentityId: other }, [torn]);
  t.is((await toReady(failing)).status, 'FAILED');
  const retried = await client.retry(failing);
  t.is((await rest(failing)).status, 'FAILED');
  t.deepEqual((await jobs(failing)).map(({ id }) => id).includes(retried.jobId), true);
});

// serial tests run before the others, which would not like to lose the service
test.serial('a service killed between commit and publish, or inside a callback, loses nothing', async (t) => {
  const listingIdentityId = await stack.addListing();
  const batch = await upload({ listingIdentityId }, await photos(2, { width: 800, height: 600 }));
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

test("the owner's plan and render of an off-plan house go to READY, signed by the role that may only put those", async (t) => {
  const listingIdentityId = await stack.addListing({ offPlan: true, photographer: null });
  const owner = createClient({ apiUrl: stack.apiUrl, token: stack.tokens.owner });
  const files = [
    await file('plan.pdf', Buffer.from('%PDF-1.4\n%%EOF\n'), {
      assetType: 'PROJECT_DOC',
      contentType: 'application/pdf',
    }),
    await file('render.jpg', await photoJpeg({ width: 900, height: 600 }), { assetType: 'PROJECT_RENDER' }),
  ];
  const opened = await owner.openUploads({
    listingIdentityId,
    batchReference: randomUUID(),
    files: await Promise.all(files.map(describeFile)),
  });
  await Promise.all(opened.files.map((signed) => put(signed, files)));
  const batch = { listingIdentityId, batchId: opened.batchId };
  await owner.complete(batch);
  const status = await owner.until(batch, settled, { seconds: 120 });
  t.is(status.status, 'READY', JSON.stringify(status));
  const { downloads } = await owner.downloads(batch);
  const document = downloads.find((group) => group.type === 'PROJECT_DOC');
  const [plan] = document && 'items' in document ? document.items : [];
  t.is(await (await fetch(String(plan?.url))).text(), '%PDF-1.4\n%%EOF\n');
  const listing = await database('listing_identities').where({ id: listingIdentityId }).first();
  t.is(listing.status, 'READY');
});

test('bad input is refused with a problem that names the field, and nothing is stored', async (t) => {
  const listingIdentityId = await stack.addListing();
  const count = async () => Number((await database('listing_media_batches').count({ n: '*' }).first())?.n);
  const before = await count();
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
  t.is(await count(), before);
});

// after the last test: what all of them together have needed
test.after(
  'nothing was refused, and each permission of any policy was needed or has a reason not to be',
  (t) => {
    const { usage, denied } = stack.permissions();
    t.deepEqual(denied, []);
    const unused = usage.flatMap((holder) => holder.unused);
    const unexplained = unused
      .filter((permission) => !reasonOf(permission, { tested: true }))
      .map(({ holder, statement, action, resource: on }) => `${holder} (${statement}): ${action} on ${on}`);
    t.deepEqual(unexplained, []);
    const idle = UNEXERCISED.filter((exempt) => !exempt.tested && !unused.some((one) => covers(exempt, one)));
    t.deepEqual(
      idle.map(({ reason }) => reason),
      [],
      'an exemption that exempts nothing',
    );
  },
);
