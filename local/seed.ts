import type { Knex } from 'knex';

/** The people of a new database; their ids are in the ready-made tokens. */
export const USERS = {
  photographer: { id: 1, role: 'photographer', name: 'Paula, photographer' },
  owner: { id: 2, role: 'owner', name: 'Otto, owner' },
  admin: { id: 3, role: 'admin', name: 'Ada, admin' },
  otherPhotographer: { id: 4, role: 'photographer', name: 'Pedro, photographer of another house' },
  otherOwner: { id: 5, role: 'owner', name: 'Olga, owner of another house' },
} as const;
export type UserName = keyof typeof USERS;

/** Bit of `property_type` for an off-plan house, and a plain one. */
const PROPERTY = { house: 1, offPlanHouse: 32 };
const HOUSES = 20;

export interface NewListing {
  status?: string;
  owner?: UserName;
  /** has a booking; null: nobody has */
  photographer?: UserName | null;
  offPlan?: boolean;
}

/** A listing as `stack.json` tells it. */
export type SeededListing = {
  listingIdentityId: number;
  status: string;
  offPlan: boolean;
  ownerUserId: number;
  photographerUserIds: number[];
};

/** Adds a listing, by default one that waits for the photographer's files, and returns its id. */
export async function addListing(knex: Knex, listing: NewListing = {}): Promise<number> {
  const { owner = 'owner', photographer = 'photographer', offPlan = false } = listing;
  const { status = offPlan ? 'PENDING_PLAN_LOADING' : 'PENDING_PHOTO_PROCESSING' } = listing;
  const [id = 0] = await knex('listing_identities').insert({
    user_id: USERS[owner].id,
    status,
    property_type: offPlan ? PROPERTY.offPlanHouse : PROPERTY.house,
  });
  if (photographer) {
    await knex('photographer_photo_session_bookings').insert({
      photographer_user_id: USERS[photographer].id,
      listing_identity_id: id,
      status: 'ACCEPTED',
    });
  }
  return id;
}

/** Fills an empty database with people and listings; one that has users already is left alone. */
export async function seed(knex: Knex): Promise<void> {
  if (await knex('users').first('id')) return;
  await knex('users').insert(Object.values(USERS).map(({ id, name }) => ({ id, full_name: name })));
  for (let house = 0; house < HOUSES; house++) await addListing(knex);
  await addListing(knex, { offPlan: true, photographer: null });
  await addListing(knex, { owner: 'otherOwner', photographer: 'otherPhotographer' });
}

/** The newest listings, at most `limit`. */
export async function listListings(knex: Knex, limit = 100): Promise<SeededListing[]> {
  const rows = await knex('listing_identities')
    .orderBy('id', 'desc')
    .limit(limit)
    .select<{ id: number; status: string; user_id: number; property_type: number }[]>(
      'id',
      'status',
      'user_id',
      'property_type',
    );
  const bookings = await knex('photographer_photo_session_bookings')
    .whereIn(
      'listing_identity_id',
      rows.map(({ id }) => id),
    )
    .select<{ listing_identity_id: number; photographer_user_id: number }[]>(
      'listing_identity_id',
      'photographer_user_id',
    );
  return rows.reverse().map(({ id, status, user_id, property_type }) => ({
    listingIdentityId: id,
    status,
    offPlan: (property_type & PROPERTY.offPlanHouse) !== 0,
    ownerUserId: user_id,
    photographerUserIds: bookings
      .filter((booking) => booking.listing_identity_id === id)
      .map((booking) => booking.photographer_user_id),
  }));
}
