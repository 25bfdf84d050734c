import type { UploadType } from '../../statemachines/contracts.ts';
import type { ListingStatus } from '../adapters/listings.ts';
import { conflict } from '../errors.ts';
import { type Grant, isProject } from './permissions.ts';

/** A listing in one of these waits for media. */
const AWAITS_PHOTOS: readonly string[] = [
  'PENDING_PHOTO_PROCESSING',
  'REJECTED_BY_OWNER',
] satisfies ListingStatus[];
/** An off-plan house in this one waits for plans and renders, and for nothing else. */
const AWAITS_PLANS: ListingStatus = 'PENDING_PLAN_LOADING';

/** Refuses (409) files that the listing is not waiting for. */
export function assertAwaitsMedia({ listing, projectOnly }: Grant, types: UploadType[]) {
  const awaits =
    (listing.status === AWAITS_PLANS && types.every(isProject)) ||
    (AWAITS_PHOTOS.includes(listing.status) && !projectOnly);
  if (!awaits) {
    throw conflict(
      'listing_not_awaiting_media',
      `Listing ${listing.id} is ${listing.status}: it is not waiting for these files.`,
    );
  }
}

/** Where a listing goes when a batch of it turns READY: [from, to]. It stays where it is from anywhere else. */
export const movesWhenReady = (config: {
  LISTING_APPROVAL_ADMIN_REVIEW: boolean;
}): [from: ListingStatus, to: ListingStatus][] => [
  ['PENDING_PHOTO_PROCESSING', 'PENDING_OWNER_APPROVAL'],
  ['REJECTED_BY_OWNER', 'PENDING_OWNER_APPROVAL'],
  ['PENDING_PLAN_LOADING', config.LISTING_APPROVAL_ADMIN_REVIEW ? 'PENDING_ADMIN_REVIEW' : 'READY'],
];
