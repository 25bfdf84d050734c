import test from 'ava';
import { ADMIN, mediaWorld, photos, startMediaDatabase } from '../../support/media-world.ts';

const database = await startMediaDatabase();
test.after.always(() => database.stop());
const world = mediaWorld(database);

/** How many queries each step takes for a batch of this size. */
async function queries(size: number) {
  const counts: Record<string, number> = {};
  async function measure<T>(step: string, work: () => Promise<T>) {
    let count = 0;
    const onQuery = () => count++;
    database.knex.on('query', onQuery);
    const result = await work();
    database.knex.removeListener('query', onQuery);
    counts[step] = count;
    return result;
  }
  const id = await world.listing();
  const { batchId } = await measure('uploads', () => world.uploaded(id, photos(size)));
  const { jobId } = await measure('complete', () => world.complete(id));
  const body = await world.processed(Number(jobId));
  await measure('callback', () => world.tell(body));
  await measure('status', () => world.status(id, batchId));
  await world.tell(await world.bundled((await world.newestJob(batchId)).id));
  await measure('downloads', () => world.media.queryDownloads(ADMIN, { listingIdentityId: id }));
  return counts;
}

test('the number of queries does not depend on the number of files', async (t) => {
  const few = await queries(2);
  t.true(Object.values(few).every((count) => count > 0));
  t.deepEqual(await queries(60), few);
});
