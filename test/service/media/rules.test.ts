import test from 'ava';
import fc from 'fast-check';
import type { Listings } from '../../../service/adapters/listings.ts';
import { Problem } from '../../../service/errors.ts';
import { assertAwaitsMedia, movesWhenReady } from '../../../service/media/listing-status.ts';
import { validateManifest } from '../../../service/media/manifest.ts';
import type { Caller } from '../../../service/media/operations.ts';
import { difference } from '../../../service/media/originals.ts';
import { authorize } from '../../../service/media/permissions.ts';
import { assignSourceKeys } from '../../../service/media/source-keys.ts';
import {
  assetTransitions,
  batchTransitions,
  jobTransitions,
  moveBatch,
  moveJob,
  sourcesOf,
} from '../../../service/media/transitions.ts';
import { Asset, finishAssets, startAssets } from '../../../service/models/asset.ts';
import { type BatchStatus, lockBatch, OPEN } from '../../../service/models/batch.ts';
import { transact } from '../../../service/models/database.ts';
import { type JobStatus, lockJob } from '../../../service/models/job.ts';
import { UploadType } from '../../../statemachines/contracts.ts';
import { variantKeys } from '../../../statemachines/object-keys.ts';
import { startTestDatabase, type TestDatabase } from '../../support/database.ts';
import {
  ADMIN,
  config,
  file,
  mediaWorld,
  OTHER_OWNER,
  OWNER,
  PHOTOGRAPHER,
  photos,
  REALTOR,
  STRANGER,
  settlePeople,
  TRACE,
} from '../../support/media-world.ts';

let database: TestDatabase;
let world: ReturnType<typeof mediaWorld>;

test.before(async () => {
  database = await startTestDatabase();
  await settlePeople(database);
  world = mediaWorld(database);
});
test.after.always(() => database?.stop());

const statuses = <Status extends string>(table: Readonly<Record<Status, readonly Status[]>>) =>
  // the keys of such a table are its statuses
  Object.keys(table) as Status[];

/** The batch, its only job and that job's assets, put into a state by force. */
async function staged(set: { batch?: BatchStatus; job?: JobStatus; asset?: string }) {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(1));
  await world.complete(id);
  const job = await world.newestJob(batchId);
  if (set.batch)
    await world.knex('listing_media_batches').where({ id: job.batch_id }).update({ status: set.batch });
  if (set.job) await world.knex('media_processing_jobs').where({ id: job.id }).update({ status: set.job });
  if (set.asset)
    await world.knex('listing_media_assets').where({ job_id: job.id }).update({ status: set.asset });
  const [asset] = await world.knex('listing_media_assets').where({ job_id: job.id });
  return { batchId: Number(job.batch_id), jobId: Number(job.id), assetId: Number(asset.id) };
}

test('a batch takes the steps of the law and no other', async (t) => {
  for (const from of statuses(batchTransitions)) {
    for (const to of statuses(batchTransitions)) {
      const { batchId } = await staged({ batch: from });
      const move = transact(world.knex, async (transaction) =>
        moveBatch(transaction, await lockBatch(transaction, batchId), to),
      );
      if (batchTransitions[from].includes(to)) await t.notThrowsAsync(move, `${from} → ${to}`);
      else await t.throwsAsync(move, { message: /illegal step/ }, `${from} → ${to}`);
      const row = await world.knex('listing_media_batches').where({ id: batchId }).first('status');
      t.is(row.status, batchTransitions[from].includes(to) ? to : from);
    }
  }
});

test('a job takes the steps of the law and no other', async (t) => {
  for (const from of statuses(jobTransitions)) {
    for (const to of statuses(jobTransitions)) {
      const { jobId } = await staged({ job: from });
      const move = transact(world.knex, async (transaction) =>
        moveJob(transaction, await lockJob(transaction, jobId), to),
      );
      if (jobTransitions[from].includes(to)) await t.notThrowsAsync(move, `${from} → ${to}`);
      else await t.throwsAsync(move, { message: /illegal step/ }, `${from} → ${to}`);
      const row = await world.knex('media_processing_jobs').where({ id: jobId }).first('status');
      t.is(row.status, jobTransitions[from].includes(to) ? to : from);
    }
  }
});

test('an asset takes the steps of the law and no other', async (t) => {
  for (const from of statuses(assetTransitions)) {
    const started = await staged({ asset: from });
    const from1 = sourcesOf(assetTransitions, 'PROCESSING');
    const count = await startAssets(world.knex, started.jobId, [{ id: started.assetId, etag: null }], from1);
    t.is(count === 1, assetTransitions[from].includes('PROCESSING'), `${from} → PROCESSING`);

    for (const to of ['PROCESSED', 'FAILED'] as const) {
      for (const correct of [null, 'STUCK']) {
        const { jobId, assetId } = await staged({ asset: from });
        await world.knex('listing_media_assets').where({ id: assetId }).update({ error_code: 'STUCK' });
        const finished = await finishAssets(world.knex, jobId, [{ id: assetId, status: to }], correct);
        const legal = assetTransitions[from].includes(to) && (from !== 'FAILED' || correct === 'STUCK');
        t.is(finished === 1, legal, `${from} → ${to}, correcting ${correct}`);
      }
    }
  }
});

test('a step on a status that has changed meanwhile does nothing', async (t) => {
  const { batchId, jobId } = await staged({});
  const batch = await lockBatch(world.knex, batchId);
  const job = await lockJob(world.knex, jobId);
  await world.knex('listing_media_batches').where({ id: batchId }).update({ status: 'READY' });
  await world.knex('media_processing_jobs').where({ id: jobId }).update({ status: 'SUCCEEDED' });
  await t.throwsAsync(moveBatch(world.knex, batch, 'PROCESSING'), { message: /not RECEIVED any more/ });
  await t.throwsAsync(moveJob(world.knex, job, 'FAILED'), { message: /not PENDING any more/ });
  t.is((await lockBatch(world.knex, batchId)).status, 'READY');
  t.is((await lockJob(world.knex, jobId)).status, 'SUCCEEDED');
});

test('a listing has one open batch: the database says so', async (t) => {
  for (const open of OPEN) {
    const { batchId } = await staged({ batch: open });
    const [row] = await world.knex('listing_media_batches').where({ id: batchId });
    const { id: _, open_listing_id: __, ...rest } = row;
    const twin = {
      ...rest,
      public_id: crypto.randomUUID(),
      batch_reference: 'twin',
      upload_manifest_json: '[]',
      processing_metadata_json: null,
    };
    await t.throwsAsync(world.knex('listing_media_batches').insert(twin), { message: /uk_batches_open/ });
    await world.knex('listing_media_batches').insert({ ...twin, status: 'FAILED' });
  }
});

test('an asset that does not belong to the job, or has been removed, is not touched by its result', async (t) => {
  const { jobId } = await staged({});
  const other = await staged({});
  t.is(await finishAssets(world.knex, jobId, [{ id: other.assetId, status: 'PROCESSED' }], null), 0);
  await world.knex('listing_media_assets').where({ id: other.assetId }).update({ deleted_at: new Date() });
  t.is(await finishAssets(world.knex, other.jobId, [{ id: other.assetId, status: 'PROCESSED' }], null), 0);
});

test('who may: the whole matrix of callers, listings and what they want', async (t) => {
  const listings = {
    booked: await world.listing(),
    accepted: await world.listing('PENDING_PHOTO_PROCESSING', { booking: 'ACCEPTED' }),
    rejected: await world.listing('PENDING_PHOTO_PROCESSING', { booking: 'REJECTED' }),
    offPlan: await world.listing('PENDING_PLAN_LOADING', { offPlan: true }),
  };
  const callers = { PHOTOGRAPHER, STRANGER, OWNER, OTHER_OWNER, ADMIN, REALTOR };
  const may: Record<string, string[]> = {
    'PHOTOGRAPHER read': ['booked', 'accepted', 'offPlan'],
    'PHOTOGRAPHER change': ['booked', 'accepted', 'offPlan'],
    'OWNER read': ['booked', 'accepted', 'rejected', 'offPlan'],
    'OWNER change': ['offPlan'],
    'ADMIN read': ['booked', 'accepted', 'rejected', 'offPlan'],
    'ADMIN change': ['booked', 'accepted', 'rejected', 'offPlan'],
  };
  for (const [who, caller] of Object.entries(callers)) {
    for (const action of ['read', 'change'] as const) {
      for (const [name, id] of Object.entries(listings)) {
        const attempt = authorize(world.dependencies, caller, action, id);
        if (may[`${who} ${action}`]?.includes(name)) {
          t.is((await attempt).projectOnly, who === 'OWNER' && action === 'change');
        } else {
          const problem = await t.throwsAsync(attempt, { instanceOf: Problem }, `${who} ${action} ${name}`);
          t.is(problem?.status, 403, `${who} ${action} ${name}`);
        }
      }
      const nowhere = await t.throwsAsync(authorize(world.dependencies, caller, action, 999_999), {
        instanceOf: Problem,
      });
      t.is(nowhere?.status, 404, 'before any 403');
    }
  }
  const off = { ...world.dependencies, config: { ...config, ALLOW_OWNER_PROJECT_UPLOADS: false } };
  await t.throwsAsync(authorize(off, OWNER, 'change', listings.offPlan), { instanceOf: Problem });
});

test('every operation asks who may, before anything else', async (t) => {
  const id = await world.listing();
  const { batchId } = await world.uploaded(id, photos(1));
  const slot = { listingIdentityId: id, assetType: 'PHOTO_HORIZONTAL', sequence: 1 } as const;
  const attempts = (caller: Caller, listingIdentityId: number) => [
    world.media.openUploads(caller, { listingIdentityId, batchReference: 'x', files: [] }, TRACE),
    world.media.processUploads(caller, { listingIdentityId, batchId }, TRACE),
    world.media.completeUploads(caller, { listingIdentityId, batchId }, TRACE),
    world.media.retryBatch(caller, { listingIdentityId, batchId }, TRACE),
    world.media.batchStatus(caller, { listingIdentityId, batchId }),
    world.media.queryDownloads(caller, { listingIdentityId, batchId }),
    world.media.removeAsset(caller, { ...slot, listingIdentityId }),
  ];
  for (const caller of [STRANGER, OTHER_OWNER, REALTOR]) {
    for (const attempt of attempts(caller, id)) {
      t.is((await t.throwsAsync(attempt, { instanceOf: Problem }))?.status, 403);
    }
    for (const attempt of attempts(caller, 999_999)) {
      t.is((await t.throwsAsync(attempt, { instanceOf: Problem }))?.status, 404);
    }
  }
});

test('an owner who may change his off-plan house may not touch a batch with photographs', async (t) => {
  const id = await world.listing('PENDING_PHOTO_PROCESSING', { offPlan: true });
  await world.uploaded(id, photos(1));
  const complete = world.media.completeUploads(OWNER, { listingIdentityId: id }, TRACE);
  t.is((await t.throwsAsync(complete, { instanceOf: Problem }))?.status, 403);
});

test('which listing takes which files from whom', (t) => {
  const listing = (status: string) => ({ id: 1, ownerUserId: 3, status, offPlan: true });
  const takes = (status: string, projectOnly: boolean, types: UploadType[]) => {
    try {
      assertAwaitsMedia({ listing: listing(status), projectOnly }, types);
      return true;
    } catch (error) {
      t.true(error instanceof Problem && error.code === 'listing_not_awaiting_media');
      return false;
    }
  };
  const photo: UploadType[] = ['PHOTO_VERTICAL'];
  const plan: UploadType[] = ['PROJECT_DOC', 'PROJECT_RENDER'];
  for (const status of ['PENDING_PHOTO_PROCESSING', 'REJECTED_BY_OWNER']) {
    t.deepEqual(
      [takes(status, false, photo), takes(status, false, plan), takes(status, true, plan)],
      [true, true, false],
    );
  }
  t.true(takes('PENDING_PLAN_LOADING', true, plan));
  t.true(takes('PENDING_PLAN_LOADING', false, plan));
  t.false(takes('PENDING_PLAN_LOADING', false, [...plan, ...photo]));
  for (const status of ['DRAFT', 'PENDING_OWNER_APPROVAL', 'READY', 'PUBLISHED']) {
    t.false(takes(status, false, photo) || takes(status, true, plan));
  }
  t.deepEqual(
    movesWhenReady({ LISTING_APPROVAL_ADMIN_REVIEW: false }).map(([from]) => from),
    movesWhenReady({ LISTING_APPROVAL_ADMIN_REVIEW: true }).map(([from]) => from),
  );
});

test('a listing is moved only from the status that was seen', async (t) => {
  const id = await world.listing('SUSPENDED');
  const listings: Listings = world.dependencies.listings;
  t.false(await listings.move(world.knex, id, 'PENDING_PHOTO_PROCESSING', 'PENDING_OWNER_APPROVAL'));
  t.is(await world.listingStatus(id), 'SUSPENDED');
});

test('a manifest names every file that breaks a rule', (t) => {
  const limits = { MAX_FILES_PER_BATCH: 3, MAX_FILE_BYTES: 100, MAX_BATCH_BYTES: 150 };
  t.deepEqual(validateManifest(photos(3), limits), []);
  const pointers = (...files: ReturnType<typeof file>[]) =>
    validateManifest(files, limits).map(({ pointer }) => pointer);
  t.deepEqual(pointers(), ['/files']);
  t.deepEqual(pointers(...photos(4)), ['/files']);
  t.deepEqual(pointers(file('a', 1, { bytes: 101 }), file('b', 2, { bytes: 0 })), [
    '/files/0/bytes',
    '/files/1/bytes',
  ]);
  t.deepEqual(pointers(file('a', 1, { bytes: 90 }), file('b', 2, { bytes: 90 })), ['/files']);
  t.deepEqual(pointers(file('a', 1), file('a', 1)), ['/files/1/clientId', '/files/1/sequence']);
  t.deepEqual(pointers(file('a', 1), file('b', 1, { assetType: 'PHOTO_VERTICAL' })), []);
  t.deepEqual(pointers(file('a', 1, { title: 'x' }), file('b', 2, { title: 'x' })), ['/files/1/title']);
});

test('an original is compared with what was announced, and with what the client claims', (t) => {
  const asset = Asset.fromJson({ clientId: 'a', filename: 'a.jpg', bytes: 5, checksumSha256: 'aa' });
  const object = { bytes: 5, etag: 'e', checksumSha256: 'aa', archived: false };
  t.is(difference(asset, object), null);
  t.is(difference(asset, { ...object, checksumSha256: null }), null, 'nothing to compare with');
  t.is(difference(asset, object, { clientId: 'a', etag: '"e"', bytes: 5 }), null);
  t.is(difference(asset, null)?.code, 'upload_not_found');
  t.is(difference(asset, { ...object, bytes: 6 })?.code, 'upload_size_mismatch');
  t.is(difference(asset, object, { clientId: 'a', bytes: 6 })?.code, 'upload_size_mismatch');
  t.is(difference(asset, { ...object, checksumSha256: 'bb' })?.code, 'upload_checksum_mismatch');
  t.is(difference(asset, object, { clientId: 'a', etag: 'f' })?.code, 'upload_etag_mismatch');
});

test('whatever the names, originals and their variants never share a key', (t) => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('a', 'A', 'a-2', 'a.jpg', 'a.JPG', '../a', 'a\0', 'á', 'ａ', '-', '', 'a'.repeat(120)),
  );
  const files = fc.array(
    fc.record({ clientId: name, filename: name, assetType: fc.constantFrom(...UploadType.options) }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(files, files, (earlier, later) => {
      const whole = (parts: typeof earlier) =>
        parts.map((part, index) => file(part.clientId, index + 1, part));
      const taken = [...assignSourceKeys(28, whole(earlier), []).values()];
      const keys = [...taken, ...assignSourceKeys(28, whole(later), taken).values()];
      for (const key of keys) {
        t.regex(key, /^28\/raw\/(photo|video|project)\/[a-z]+\/[A-Za-z0-9_-]{1,48}-[A-Za-z0-9._-]{1,96}$/);
      }
      const variants = keys.map((key) => variantKeys(key).large.toLowerCase());
      t.is(new Set(variants).size, keys.length);
    }),
    { numRuns: 300 },
  );
});
