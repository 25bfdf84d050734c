import type { Knex } from 'knex';

/** Slugs of the listing statuses that media has to do with; the TOQ schema knows more. */
export type ListingStatus =
  | 'PENDING_PHOTO_PROCESSING'
  | 'PENDING_OWNER_APPROVAL'
  | 'REJECTED_BY_OWNER'
  | 'PENDING_PLAN_LOADING'
  | 'PENDING_ADMIN_REVIEW'
  | 'READY';

export interface Listing {
  id: number;
  ownerUserId: number;
  /** a `ListingStatus`, or one that media has nothing to do with */
  status: string;
  /** a house that is not built yet: its owner may upload plans and renders */
  offPlan: boolean;
}

/** The listings of the TOQ schema, as far as media needs them. */
export interface Listings {
  /** null when there is no such listing */
  find(id: number): Promise<Listing | null>;
  /** whether the photographer has, or had, a session booked for the listing */
  hasBooking(photographerUserId: number, listingIdentityId: number): Promise<boolean>;
  /** Compare-and-set inside the caller's transaction. False: the listing's status was another one. */
  move(transaction: Knex, id: number, from: ListingStatus, to: ListingStatus): Promise<boolean>;
}

/** Bit of `property_type` that says "casa na planta" (off-plan house). */
const OFF_PLAN_HOUSE = 32;

/** A booking in one of these lets its photographer work on the listing. */
const BOOKED = ['ACCEPTED', 'ACTIVE', 'DONE'];

/** SQL over `listing_identities` and `photographer_photo_session_bookings`, which belong to the TOQ schema. */
export const sqlListings = (knex: Knex): Listings => ({
  async find(id) {
    const row = await knex('listing_identities')
      .where({ id })
      .first<{ id: number; user_id: number; status: string; property_type: number } | undefined>(
        'id',
        'user_id',
        'status',
        'property_type',
      );
    if (!row) return null;
    return {
      id: row.id,
      ownerUserId: row.user_id,
      status: row.status,
      offPlan: (row.property_type & OFF_PLAN_HOUSE) !== 0,
    };
  },

  async hasBooking(photographerUserId, listingIdentityId) {
    const row = await knex('photographer_photo_session_bookings')
      .where({ photographer_user_id: photographerUserId, listing_identity_id: listingIdentityId })
      .whereIn('status', BOOKED)
      .first('id');
    return row !== undefined;
  },

  async move(transaction, id, from, to) {
    const moved = await transaction('listing_identities').where({ id, status: from }).update({ status: to });
    return moved === 1;
  },
});
