import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import knexFactory from 'knex';
import { type Batch, createClient, type LocalFile } from '../../local/client.ts';
import type { UserName } from '../../local/seed.ts';
import { startStack } from '../../local/stack.ts';
import { mediaFiles } from './media-files.ts';
import { uploaderOf } from './uploader.ts';

/**
 * The whole local stack for a test file, with people who use it, files for them, and a look into its database. Variables
 * of the service may differ from the declared ones. Close it in `test.after.always`.
 */
export async function startTestStack(overrides: Record<string, string> = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'toq-media-'));
  const directory = path.join(folder, 'stack');
  const stack = await startStack({ directory, overrides });
  const database = knexFactory({ client: 'mysql2', connection: stack.databaseUrl });
  const uploader = (name: UserName) =>
    uploaderOf(createClient({ apiUrl: stack.apiUrl, token: stack.tokens[name] }), folder);

  const photographer = uploader('photographer');

  return {
    stack,
    /** where the stack keeps its data and logs */
    directory,
    database,
    ...mediaFiles(path.join(folder, 'media')),
    photographer,
    owner: uploader('owner'),

    /** The photographer's batch of a new listing, with these files in the bucket. */
    uploaded: async (files: LocalFile[]) =>
      photographer.upload({ listingIdentityId: await stack.addListing() }, files),

    /** Rows of a batch's jobs, oldest first. */
    jobs: (batch: Batch) =>
      database('media_processing_jobs')
        .join('listing_media_batches as batches', 'batches.id', 'media_processing_jobs.batch_id')
        .where('batches.public_id', batch.batchId)
        .orderBy('media_processing_jobs.id')
        .select('media_processing_jobs.*'),

    /** How an SDK client reaches the stack as a declared role. */
    as: (role: string) => ({
      endpoint: stack.awsEndpointUrl,
      region: stack.region,
      credentials: stack.credentials(role),
    }),

    async close() {
      await database.destroy();
      await stack.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
export type TestStack = Awaited<ReturnType<typeof startTestStack>>;
