import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Knex } from 'knex';
import type { Activity, ExecutionActivity } from '../activity.ts';
import type { Controls, FunctionPeak } from '../controls.ts';
import type { Permissions } from '../iam/authority.ts';

const BATCHES_SHOWN = 30;
const PROBE_TIMEOUT_MS = 1_500;

export interface Overview {
  environment: string;
  services: { name: string; url: string; state: 'up' | 'down' }[];
  queues: { name: string; waiting: number; inFlight: number }[];
  executions: ExecutionActivity[];
  batches: Record<string, unknown>[];
  functions: FunctionPeak[];
  permissions: Permissions;
}

/** What the console shows, read afresh each time from the APIs and the database. */
export function createOverview({
  controls,
  activity,
  knex,
}: {
  controls: Controls;
  activity: Activity;
  knex: Knex;
}) {
  const { manifest } = controls;
  const endpoint = new URL(controls.queueUrl).origin;
  const apiUrl = `http://127.0.0.1:${manifest.container.port}`;
  const sqs = new SQSClient({
    endpoint,
    region: manifest.region,
    credentials: controls.credentials('admin'),
  });

  const up = (url: string, proof: (status: number) => boolean) =>
    fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
      (response) => (proof(response.status) ? 'up' : 'down'),
      () => 'down' as const,
    );

  async function queue({ name, url }: { name: string; url: string }) {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
    );
    return {
      name,
      waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
    };
  }

  const batches = () =>
    knex('listing_media_batches as batches')
      // a replaced or removed asset stays as a row
      .leftJoin('listing_media_assets as assets', (join) =>
        join.on('assets.batch_id', 'batches.id').onNull('assets.deleted_at'),
      )
      .groupBy('batches.id')
      .orderBy('batches.id', 'desc')
      .limit(BATCHES_SHOWN)
      .select({
        batchId: 'batches.public_id',
        reference: 'batches.batch_reference',
        listingIdentityId: 'batches.listing_id',
        status: 'batches.status',
        createdAt: 'batches.created_at',
      })
      .count<Record<string, unknown>[]>({ assets: 'assets.id' })
      .select(
        knex.raw("COALESCE(SUM(assets.status = 'PROCESSED'), 0) AS processed"),
        knex.raw("COALESCE(SUM(assets.status = 'FAILED'), 0) AS failed"),
      );

  return {
    async read(): Promise<Overview> {
      const [service, door, gateway, queues, rows] = await Promise.all([
        up(`${apiUrl}/readyz`, (status) => status === 200),
        up(endpoint, (status) => status < 500),
        up(manifest.api.endpoint, (status) => status < 500),
        Promise.all(manifest.queues.map(queue)).catch(() => []),
        batches().catch(() => []),
      ]);
      return {
        environment: manifest.environment,
        services: [
          { name: 'API', url: apiUrl, state: service },
          { name: 'AWS endpoint', url: endpoint, state: door },
          { name: 'API Gateway', url: manifest.api.endpoint, state: gateway },
        ],
        queues,
        executions: activity.executions(),
        batches: rows,
        functions: controls.functionPeaks(),
        permissions: controls.permissions(),
      };
    },
    close: () => sqs.destroy(),
  };
}
