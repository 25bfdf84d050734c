import type { UploadType } from '../../statemachines/contracts.ts';
import type { Listing, Listings } from '../adapters/listings.ts';
import { forbidden, notFound } from '../errors.ts';
import type { Caller } from './operations.ts';

/** What one may want of a listing's media: to see it, or to change it (upload, process, complete, retry, remove). */
export type Action = 'read' | 'change';

type Rule =
  | 'always'
  /** a photo session of the listing is or was booked with him */
  | 'booked'
  | 'own'
  /** PROJECT_* files of his own off-plan house, where the feature is on */
  | 'own project'
  | 'never';

/** Who may do what. */
export const rules: Record<Caller['role'], Record<Action, Rule>> = {
  admin: { read: 'always', change: 'always' },
  photographer: { read: 'booked', change: 'booked' },
  owner: { read: 'own', change: 'own project' },
  realtor: { read: 'never', change: 'never' },
};

interface Means {
  listings: Listings;
  config: { ALLOW_OWNER_PROJECT_UPLOADS: boolean };
}

export interface Grant {
  listing: Listing;
  /** only PROJECT_* files of it */
  projectOnly: boolean;
}

export const isProject = (type: UploadType) => type.startsWith('PROJECT_');

/** What the caller may touch. A listing that does not exist is a 404 for everyone, before any 403. */
export async function authorize(
  { listings, config }: Means,
  caller: Caller,
  action: Action,
  listingIdentityId: number,
): Promise<Grant> {
  const listing = await listings.find(listingIdentityId);
  if (!listing) throw notFound('listing_not_found', `There is no listing ${listingIdentityId}.`);

  const rule = rules[caller.role][action];
  const own = listing.ownerUserId === caller.userId;
  const allowed =
    rule === 'always' ||
    (rule === 'booked' && (await listings.hasBooking(caller.userId, listing.id))) ||
    (rule === 'own' && own) ||
    (rule === 'own project' && own && listing.offPlan && config.ALLOW_OWNER_PROJECT_UPLOADS);
  if (!allowed) throw forbidden(`This ${caller.role} may not ${action} the media of listing ${listing.id}.`);
  return { listing, projectOnly: rule === 'own project' };
}

/** Refuses (403) files that the grant does not cover. */
export function assertCovers(grant: Grant, types: UploadType[]) {
  if (grant.projectOnly && !types.every(isProject)) {
    throw forbidden('An owner may only upload PROJECT_DOC and PROJECT_RENDER files.');
  }
}
