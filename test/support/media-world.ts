import { createHash, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { sqlListings } from '../../service/adapters/listings.ts';
import type { MediaDependencies } from '../../service/media/dependencies.ts';
import { createMedia } from '../../service/media/media.ts';
import type { Caller, StatusAnswer, UploadFile, UploadsAnswer } from '../../service/media/operations.ts';
import { createWorkers } from '../../service/workers/workers.ts';
import { Callback, type CallbackBody, type MachineInput } from '../../statemachines/contracts.ts';
import { bundleKey, variantKeys } from '../../statemachines/object-keys.ts';
import { startTestDatabase, type TestDatabase } from './database.ts';
import { fakeJobQueue } from './fake-job-queue.ts';
import { fakeObjectStore } from './fake-object-store.ts';
import { fakeWorkflows } from './fake-workflows.ts';

export const PHOTOGRAPHER: Caller = { userId: 1, role: 'photographer' };
export const STRANGER: Caller = { userId: 2, role: 'photographer' };
export const OWNER: Caller = { userId: 3, role: 'owner' };
export const OTHER_OWNER: Caller = { userId: 4, role: 'owner' };
export const ADMIN: Caller = { userId: 5, role: 'admin' };
export const REALTOR: Caller = { userId: 6, role: 'realtor' };
export const TRACE = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };

export const config = {
  UPLOAD_URL_TTL_SECONDS: 900,
  DOWNLOAD_URL_TTL_SECONDS: 3600,
  MAX_FILES_PER_BATCH: 60,
  MAX_FILE_BYTES: 256 * 1024 ** 2,
  MAX_BATCH_BYTES: 1024 ** 3,
  UPLOAD_EXPIRY_HOURS: 24,
  STUCK_JOB_TIMEOUT_MINUTES: 30,
  LISTING_APPROVAL_ADMIN_REVIEW: false,
  ALLOW_OWNER_PROJECT_UPLOADS: true,
};

const contentOf = (clientId: string) => `the content of ${clientId}`;

/** A file whose content is told by its client id. */
export function file(clientId: string, sequence: number, more: Partial<UploadFile> = {}): UploadFile {
  return {
    clientId,
    assetType: 'PHOTO_HORIZONTAL',
    filename: `${clientId}.jpg`,
    contentType: 'image/jpeg',
    bytes: contentOf(clientId).length,
    checksumSha256: createHash('sha256').update(contentOf(clientId)).digest('hex'),
    sequence,
    ...more,
  };
}

export const photos = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => file(`photo-${from + index}`, from + index));

/** A database for `mediaWorld`, with the people of the TOQ schema that the tests know. Stop it in `test.after.always`. */
export async function startMediaDatabase() {
  const database = await startTestDatabase();
  const people = [PHOTOGRAPHER, STRANGER, OWNER, OTHER_OWNER, ADMIN, REALTOR];
  await database.knex('users').insert(people.map(({ userId, role }) => ({ id: userId, full_name: role })));
  return database;
}

/**
 * The domain and its workers over a real database, with AWS in memory: what is sent stays in the queue and what is
 * started stands still until the test says how it ended.
 */
export function mediaWorld({ knex }: TestDatabase, settings: Partial<typeof config> = {}) {
  const objects = fakeObjectStore();
  const queue = fakeJobQueue();
  const workflows = fakeWorkflows();
  const events: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => void events.push(JSON.parse(line)) });
  const measured = {
    created: 0,
    reprocessed: 0,
    failed: [] as string[],
    finished: [] as { provider: string; status: string; seconds: number }[],
  };
  const dependencies: MediaDependencies = {
    knex,
    objects,
    queue,
    workflows,
    listings: sqlListings(knex),
    config: { ...config, ...settings },
    log,
    metrics: {
      batchCreated: () => measured.created++,
      batchFailed: (code) => measured.failed.push(code),
      jobFinished: (job) => measured.finished.push(job),
      batchReprocessed: () => measured.reprocessed++,
    },
  };
  const media = createMedia(dependencies);
  const intervals = { OUTBOX_INTERVAL_SECONDS: 1, RECONCILE_INTERVAL_SECONDS: 1 };
  const workers = createWorkers(
    { dependencies, media, metrics: { logGauges: async () => {} } },
    intervals,
    randomUUID(),
  );

  /** A new listing of OWNER with a photo session of PHOTOGRAPHER. */
  async function listing(status = 'PENDING_PHOTO_PROCESSING', { offPlan = false, booking = 'DONE' } = {}) {
    const row = { user_id: OWNER.userId, status, property_type: offPlan ? 32 : 1 };
    const [id] = await knex('listing_identities').insert(row);
    await knex('photographer_photo_session_bookings').insert({
      photographer_user_id: PHOTOGRAPHER.userId,
      listing_identity_id: id,
      status: booking,
    });
    return Number(id);
  }

  /** A new batch whose files have been uploaded. */
  async function uploaded(listingIdentityId: number, files: UploadFile[], caller = PHOTOGRAPHER) {
    const request = { listingIdentityId, batchReference: randomUUID(), files };
    const answer = await media.openUploads(caller, request, TRACE);
    await put(answer);
    return answer;
  }

  /** What the client does with its signed URLs. */
  async function put(answer: UploadsAnswer, except: string[] = []) {
    for (const { clientId, s3Key } of answer.files) {
      if (!except.includes(clientId)) await objects.put(s3Key, contentOf(clientId));
    }
  }

  const complete = (listingIdentityId: number, batchId?: string) =>
    media.completeUploads(PHOTOGRAPHER, { listingIdentityId, batchId }, TRACE);

  /** A new listing whose batch is RECEIVED, its job on the way. */
  async function received(files = photos(3)) {
    const id = await listing();
    const batch = await uploaded(id, files);
    const { jobId } = await complete(id);
    return { id, batchId: batch.batchId, files: batch.files, jobId: Number(jobId) };
  }

  const status = (listingIdentityId: number, batchId: string): Promise<StatusAnswer> =>
    media.batchStatus(ADMIN, { listingIdentityId, batchId });

  const input = async (jobId: number): Promise<MachineInput> => {
    const row = await knex('media_processing_jobs').where({ id: jobId }).first();
    return { jobId, ...row.input_payload_json };
  };

  const tell = (body: CallbackBody) => media.applyCallback(Callback.parse(body), JSON.stringify(body));

  /** The body with which the processing machine reports; the originals in `broken` have failed. */
  async function processed(jobId: number, broken: Record<string, string> = {}): Promise<CallbackBody> {
    const { listingIdentityId, batchId, assets } = await input(jobId);
    return {
      jobId,
      listingIdentityId,
      batchId,
      provider: 'STEP_FUNCTIONS',
      status: Object.keys(broken).length ? 'PARTIAL_SUCCESS' : 'SUCCEEDED',
      outputs: assets.map(({ key, type }) => {
        const code = broken[key];
        if (code) return { rawKey: key, errorCode: code, errorMessage: `It is broken: ${code}.` };
        const variants = variantKeys(key);
        return {
          rawKey: key,
          processedKey: variants.large,
          thumbnailKey: variants.thumbnail,
          outputs: Object.fromEntries(
            Object.entries(variants).map(([size, variant]) => [`${size}_${type.toLowerCase()}`, variant]),
          ),
          resolution: '6000x4000',
        };
      }),
    };
  }

  /** The body with which the finalization machine reports. */
  async function bundled(jobId: number): Promise<CallbackBody> {
    const { listingIdentityId, batchId, assets } = await input(jobId);
    return {
      jobId,
      listingIdentityId,
      batchId,
      provider: 'STEP_FUNCTIONS_FINALIZATION',
      status: 'SUCCEEDED',
      zipBundles: [bundleKey(listingIdentityId)],
      assetsZipped: assets.length,
      zipSizeBytes: 1234,
      unzippedSizeBytes: 1200,
    };
  }

  const newestJob = async (batchId: string, provider?: string) => {
    const row = await knex('media_processing_jobs as j')
      .join('listing_media_batches as b', 'b.id', 'j.batch_id')
      .where('b.public_id', batchId)
      .modify((query) => provider && query.where('j.provider', provider))
      .orderBy('j.id', 'desc')
      .first('j.*');
    return row;
  };

  /** Uploads, completes and reports until the batch is READY. */
  async function ready(listingIdentityId: number, files: UploadFile[], caller = PHOTOGRAPHER) {
    const { batchId } = await uploaded(listingIdentityId, files, caller);
    const { jobId } = await media.completeUploads(caller, { listingIdentityId, batchId }, TRACE);
    await tell(await processed(Number(jobId)));
    await tell(await bundled((await newestJob(batchId)).id));
    return batchId;
  }

  const listingStatus = async (id: number): Promise<string> =>
    (await knex('listing_identities').where({ id }).first('status')).status;

  return {
    ...{ knex, media, workers, dependencies, objects, queue, workflows, events, measured },
    ...{ listing, uploaded, put, complete, received, status, tell, processed, bundled, newestJob, ready },
    ...{ input, listingStatus },
  };
}

export type MediaWorld = ReturnType<typeof mediaWorld>;
