import test from 'ava';
import { Problem } from '../../../service/errors.ts';
import { assertAwaitsMedia, movesWhenReady } from '../../../service/media/listing-status.ts';
import type { Caller } from '../../../service/media/operations.ts';
import { authorize } from '../../../service/media/permissions.ts';
import type { UploadType } from '../../../statemachines/contracts.ts';
import {
  ADMIN,
  config,
  mediaWorld,
  OTHER_OWNER,
  OWNER,
  PHOTOGRAPHER,
  photos,
  REALTOR,
  STRANGER,
  startMediaDatabase,
  TRACE,
} from '../../support/media-world.ts';
import { refused } from '../../support/problems.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);

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
          await refused(t, attempt, 403, 'forbidden', `${who} ${action} ${name}`);
        }
      }
      const nowhere = authorize(world.dependencies, caller, action, 999_999);
      await refused(t, nowhere, 404, 'listing_not_found', 'before any 403');
    }
  }
  const off = { ...world.dependencies, config: { ...config, ALLOW_OWNER_PROJECT_UPLOADS: false } };
  await refused(t, authorize(off, OWNER, 'change', listings.offPlan), 403, 'forbidden');
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
    const forbidden = attempts(caller, id).map((attempt) => refused(t, attempt, 403, 'forbidden'));
    const missing = attempts(caller, 999_999).map((attempt) => refused(t, attempt, 404, 'listing_not_found'));
    await Promise.all([...forbidden, ...missing]);
  }
});

test('an owner who may change his off-plan house may not touch a batch with photographs', async (t) => {
  const id = await world.listing('PENDING_PHOTO_PROCESSING', { offPlan: true });
  await world.uploaded(id, photos(1));
  const complete = world.media.completeUploads(OWNER, { listingIdentityId: id }, TRACE);
  await refused(t, complete, 403, 'forbidden');
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
