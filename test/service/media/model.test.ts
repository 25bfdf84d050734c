import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Problem } from '../../../service/errors.ts';
import type { Job } from '../../../service/models/job.ts';
import type { CallbackBody } from '../../../statemachines/contracts.ts';
import {
  file,
  type MediaWorld,
  mediaWorld,
  PHOTOGRAPHER,
  photos,
  startMediaDatabase,
  TRACE,
} from '../../support/media-world.ts';

/** Sequences of forty steps; `MODEL_RUNS=1000` makes it forty thousand, `MODEL_SEED` repeats a run. */
const RUNS = Number(process.env.MODEL_RUNS ?? 75);

const database = await startMediaDatabase();
test.after.always(() => database.stop());

interface Stage {
  world: MediaWorld;
  listingIdentityId: number;
  references: number;
  batches: string[];
  /** what has been delivered, to be delivered again */
  delivered: CallbackBody[];
}

/** `pick` chooses among whatever there is at that moment. */
type Step = (stage: Stage, pick: number) => Promise<unknown>;

/** Waits for all of them, also when one is refused. */
async function together(works: Promise<unknown>[]) {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

const choose = <T>(list: T[], pick: number): T | undefined => list[pick % list.length];

const jobs = ({
  world,
  listingIdentityId,
}: Stage): Promise<
  { id: number; status: string; provider: string; external_id: string | null; batch_id: number }[]
> => world.knex('media_processing_jobs').where({ listing_identity_id: listingIdentityId }).orderBy('id');

const bodyOf = async (
  { world }: Stage,
  job: { id: number; provider: string },
  pick: number,
): Promise<CallbackBody> => {
  const { listingIdentityId, assets } = await world.input(job.id);
  if (job.provider === 'STEP_FUNCTIONS_FINALIZATION') {
    return pick % 4 === 0
      ? { jobId: job.id, listingIdentityId, provider: job.provider, status: 'FINALIZATION_FAILED' }
      : world.bundled(job.id);
  }
  if (pick % 5 === 0) return { jobId: job.id, listingIdentityId, status: 'PROCESSING_FAILED' };
  const broken = pick % 3 === 0 ? [choose(assets, pick)?.key ?? ''] : [];
  return world.processed(job.id, Object.fromEntries(broken.map((key) => [key, 'UNSUPPORTED_CONTENT'])));
};

const steps: Record<string, Step> = {
  async open(stage, pick) {
    const request = {
      listingIdentityId: stage.listingIdentityId,
      batchReference: `visit ${pick % 4 === 0 ? stage.references : ++stage.references}`,
      files: photos(1 + (pick % 3)),
    };
    const answer = await stage.world.media.openUploads(PHOTOGRAPHER, request, TRACE);
    if (answer.created) stage.batches.push(answer.batchId);
    await stage.world.put(answer, pick % 5 === 0 ? ['photo-1'] : []);
  },
  async add({ world, listingIdentityId, batches }, pick) {
    const batchId = choose(batches, pick);
    const files = [file(`photo-${1 + (pick % 5)}`, 1 + (pick % 5), pick % 2 ? { title: `t${pick}` } : {})];
    const answer = await world.media.openUploads(PHOTOGRAPHER, { listingIdentityId, batchId, files }, TRACE);
    await world.put(answer);
  },
  process: ({ world, listingIdentityId }) =>
    world.media.processUploads(PHOTOGRAPHER, { listingIdentityId }, TRACE),
  complete: ({ world, listingIdentityId, batches }, pick) =>
    world.complete(listingIdentityId, pick % 2 ? undefined : choose(batches, pick)),
  completeTwice: ({ world, listingIdentityId }) =>
    together([world.complete(listingIdentityId), world.complete(listingIdentityId)]),
  async retry({ world, listingIdentityId, batches }, pick) {
    const batchId = choose(batches, pick);
    if (batchId) await world.media.retryBatch(PHOTOGRAPHER, { listingIdentityId, batchId }, TRACE);
  },
  remove: ({ world, listingIdentityId }, pick) =>
    world.media.removeAsset(PHOTOGRAPHER, {
      listingIdentityId,
      assetType: 'PHOTO_HORIZONTAL',
      sequence: 1 + (pick % 5),
    }),
  async running(stage, pick) {
    const job = choose(await jobs(stage), pick);
    if (!job) return;
    await stage.world.tell({ jobId: job.id, listingIdentityId: stage.listingIdentityId, status: 'RUNNING' });
    if (job.external_id && job.status === 'PENDING') {
      stage.world.workflows.executions.set(job.external_id, { status: 'RUNNING', startedAt: new Date() });
    }
  },
  async result(stage, pick) {
    const job = choose(await jobs(stage), pick);
    if (!job) return;
    const body = await bodyOf(stage, job, pick);
    stage.delivered.push(body);
    await stage.world.tell(body);
  },
  async resultOfTheUnfinished(stage, pick) {
    const unfinished = (await jobs(stage)).filter(
      (job) => job.status === 'PENDING' || job.status === 'RUNNING',
    );
    const job = choose(unfinished, pick);
    if (!job) return;
    const body = await bodyOf(stage, job, pick);
    stage.delivered.push(body, body);
    await together([stage.world.tell(body), stage.world.tell(body), stage.world.tell(body)]);
  },
  async replay(stage, pick) {
    const body = choose(stage.delivered, pick);
    if (body) await stage.world.tell(body);
  },
  async outage({ world }) {
    world.queue.failure = world.queue.failure ? null : new Error('no queue');
    world.workflows.failure = world.workflows.failure ? null : new Error('no workflows');
  },
  async relay({ world }) {
    await world.knex('media_outbox').update({ available_at: world.knex.raw('UTC_TIMESTAMP(6)') });
    await world.workers.outboxRelay.runOnce();
  },
  async reconcile({ world }) {
    const past = (column: string) => world.knex.raw('?? - INTERVAL 40 MINUTE', [column]);
    await world
      .knex('media_processing_jobs')
      .update({ enqueued_at: past('enqueued_at'), started_at: past('started_at') });
    await world.workers.reconciler.runOnce();
  },
  async expire({ world }) {
    await world
      .knex('listing_media_batches')
      .update({ upload_activity_at: world.knex.raw('upload_activity_at - INTERVAL 25 HOUR') });
    await world.workers.uploadExpiry.runOnce();
  },
  async reject({ world, listingIdentityId }) {
    await world
      .knex('listing_identities')
      .where({ id: listingIdentityId })
      .update({ status: 'REJECTED_BY_OWNER' });
  },
};

/** What holds after every step, whatever has happened. */
async function check(t: ExecutionContext, { world, listingIdentityId }: Stage, step: string) {
  const batches = await world.knex('listing_media_batches').where({ listing_id: listingIdentityId });
  const all: (Pick<Job, 'id' | 'status' | 'provider'> & {
    batch_id: number;
    input_payload_json: { assets: { key: string }[] };
  })[] = await world.knex('media_processing_jobs').where({ listing_identity_id: listingIdentityId });
  const assets = await world
    .knex('listing_media_assets')
    .whereIn(
      'batch_id',
      batches.map((batch) => batch.id),
    )
    .whereNull('deleted_at');
  const unfinished = all.filter((job) => job.status === 'PENDING' || job.status === 'RUNNING');

  t.true(batches.filter((batch) => batch.open_listing_id !== null).length <= 1, `${step}: one open batch`);
  for (const batch of batches) {
    const own = assets.filter((asset) => asset.batch_id === batch.id);
    const atWork = unfinished.filter((job) => job.batch_id === batch.id);
    if (batch.status === 'RECEIVED' || batch.status === 'PROCESSING') {
      t.true(atWork.length > 0, `${step}: a batch that is ${batch.status} waits for a job`);
    }
    if (batch.status === 'READY') {
      t.true(
        own.every((asset) => asset.status === 'PROCESSED'),
        `${step}: READY means that all is PROCESSED`,
      );
      t.true(
        all.some(
          (job) =>
            job.batch_id === batch.id && job.provider !== 'STEP_FUNCTIONS' && job.status === 'SUCCEEDED',
        ),
        `${step}: READY means that there is a bundle`,
      );
    }
    if (batch.status === 'READY' || batch.status === 'FAILED') {
      t.is(atWork.length, 0, `${step}: nothing is at work on a batch that has ended`);
    }
    t.is(
      batch.status === 'FAILED',
      batch.error_code !== null,
      `${step}: a FAILED batch, and only that, says why`,
    );
  }
  for (const asset of assets) {
    const owner = unfinished.find((job) => job.id === asset.job_id);
    t.is(
      asset.status === 'PROCESSING',
      owner !== undefined,
      `${step}: an asset is PROCESSING while its job is at work`,
    );
    t.is(asset.status === 'PROCESSED', asset.processed_key !== null && asset.status === 'PROCESSED');
    t.is(
      asset.status === 'FAILED',
      asset.error_code !== null,
      `${step}: a FAILED asset, and only that, says why`,
    );
  }
}

/** When everything works again and all that is under way comes to its end, no batch is left on its way. */
async function drain(t: ExecutionContext, stage: Stage) {
  const { world } = stage;
  world.queue.failure = null;
  world.workflows.failure = null;
  for (let round = 0; round < 4; round++) {
    await steps.relay?.(stage, 0);
    for (const job of await jobs(stage)) {
      if (job.status === 'PENDING' || job.status === 'RUNNING') await world.tell(await bodyOf(stage, job, 1));
    }
  }
  const left = await world
    .knex('listing_media_batches')
    .where({ listing_id: stage.listingIdentityId })
    .whereIn('status', ['RECEIVED', 'PROCESSING']);
  t.deepEqual(left, []);
  const waiting = await world.knex('media_outbox').whereNull('published_at');
  t.deepEqual(waiting, [], 'everything that was promised has been told');
}

test('whatever happens in whatever order, every batch is consistent and comes to an end', async (t) => {
  t.timeout(600_000);
  const seed = Number(process.env.MODEL_SEED ?? Date.now() % 2 ** 31);
  t.log(`seed ${seed}`);
  let done = 0;
  let refused = 0;
  const sequence = fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.nat(1000)), {
    minLength: 40,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(sequence, async (chosen) => {
      const world = mediaWorld(database);
      const stage: Stage = {
        world,
        listingIdentityId: await world.listing(),
        references: 0,
        batches: [],
        delivered: [],
      };
      for (const [name, pick] of chosen) {
        try {
          await steps[name]?.(stage, pick);
        } catch (error) {
          // a refusal is an answer; anything else is a bug
          if (!(error instanceof Problem)) throw error;
          refused++;
        }
        done++;
        await check(t, stage, name);
      }
      await drain(t, stage);
      await check(t, stage, 'the end');
    }),
    { numRuns: RUNS, seed, endOnFailure: true },
  );
  t.log(`${done} steps, ${refused} of them refused`);
  t.is(done, RUNS * 40);
});
