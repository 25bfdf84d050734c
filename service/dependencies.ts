import { hostname } from 'node:os';
import { STSClient } from '@aws-sdk/client-sts';
import { sqsJobQueue } from './adapters/job-queue.ts';
import { sqlListings } from './adapters/listings.ts';
import { s3ObjectStore } from './adapters/object-store.ts';
import { assumedRole } from './adapters/temporary-credentials.ts';
import { stepFunctions } from './adapters/workflows.ts';
import { createApp } from './api/app.ts';
import { authenticate } from './api/authenticate.ts';
import type { ServiceConfig } from './config.ts';
import type { Log } from './log.ts';
import type { MediaDependencies } from './media/dependencies.ts';
import { createMedia } from './media/media.ts';
import { createMetrics } from './metrics.ts';
import { databaseCheck, openDatabase } from './models/database.ts';
import { countUnfinishedJobs } from './models/job.ts';
import { oldestUnpublishedAge } from './models/outbox.ts';
import { createWorkers } from './workers/workers.ts';

/** No call to AWS may hang: what does not answer in time is tried again by the SDK, and then is weather. */
const AWS = {
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
};

/**
 * Builds the service from its configuration. Nothing is fetched or opened yet: the first request or the first round of a
 * worker does that, and `/readyz` tells how it goes. Disposing of it stops the workers and closes the database.
 */
export function connect(config: ServiceConfig, log: Log) {
  const stack = new AsyncDisposableStack();

  const knex = openDatabase({
    host: config.DATABASE_HOST,
    port: config.DATABASE_PORT,
    database: config.DATABASE_NAME,
    user: config.DATABASE_USER,
    password: config.DATABASE_PASSWORD,
    poolSize: config.DATABASE_POOL_SIZE,
    tls: config.DATABASE_TLS,
    tlsCa: config.DATABASE_TLS_CA,
  });
  stack.defer(() => knex.destroy());

  const objects = s3ObjectStore({
    bucket: config.MEDIA_BUCKET,
    projectCredentials: assumedRole(new STSClient(AWS), config.PROJECT_UPLOADS_ROLE_ARN, 'listing-media'),
    clientConfig: AWS,
  });
  const queue = sqsJobQueue(config.QUEUE_URL, AWS);
  const workflows = stepFunctions(
    {
      processingArn: config.PROCESSING_STATE_MACHINE_ARN,
      finalizationArn: config.FINALIZATION_STATE_MACHINE_ARN,
    },
    AWS,
  );
  const metrics = createMetrics(
    {
      inflightJobs: () => countUnfinishedJobs(knex),
      deadLetters: queue.deadLetters,
      oldestUnpublished: () => oldestUnpublishedAge(knex),
    },
    log,
  );

  const dependencies: MediaDependencies = {
    knex,
    objects,
    queue,
    workflows,
    listings: sqlListings(knex),
    config,
    log,
    metrics,
  };
  const media = createMedia(dependencies);

  const lifecycle = { draining: false };
  const app = createApp({
    config,
    media,
    authenticate: authenticate({
      jwksUrl: config.JWT_JWKS_URL,
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
    }),
    checks: {
      database: databaseCheck(knex),
      bucket: objects.reachable,
      queue: queue.reachable,
    },
    lifecycle,
    metrics,
    log,
  });

  const workers = createWorkers(
    { dependencies, media, metrics },
    config,
    `${hostname()}-${process.pid}-${Date.now()}`,
  );
  // without a database there is no lease to give up
  stack.defer(() =>
    workers.stop().catch((err: unknown) => log.warn({ err }, 'service.media.worker.stop_failed')),
  );

  return { app, lifecycle, workers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
