import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { type BuildAppOptions, buildApp } from 'fauxqs';
import { AwsError } from './aws-error.ts';
import type { AwsService, SignedRequest } from './door.ts';
import type { Manifest } from './graph/manifest.ts';

export interface QueuesOptions {
  queues: Manifest['queues'];
  topics: Manifest['topics'];
  region: string;
  /** where messages are kept, in SQLite */
  directory: string;
}

export interface Queues {
  sqs: AwsService;
  sns: AwsService;
  /** What AWS itself publishes, such as EventBridge to a rule's target: no role signs it. */
  publish(topicArn: string, message: string): Promise<void>;
  close(): Promise<void>;
}

type Stores = NonNullable<BuildAppOptions['stores']>;
type Persistence = NonNullable<Stores['sqsStore']['persistence']>;

/** Bytes. SQS would take 1 MiB; Step Functions takes 256 KiB, and a queue that is not told otherwise stays below it. */
const LARGEST_MESSAGE = 262_144;

/** A part of fauxqs that its package does not export. The version is pinned exactly. */
async function part<T>(file: string): Promise<T> {
  const folder = path.dirname(new URL(import.meta.resolve('fauxqs')).pathname);
  return (await import(pathToFileURL(path.join(folder, file)).href)) as T;
}

/**
 * fauxqs without its server, because that listens on every interface and asks for no signature: requests are injected
 * into its application instead.
 */
async function openFauxqs(directory: string, region: string) {
  const { PersistenceManager } = await part<{ PersistenceManager: new (directory: string) => Persistence }>(
    'persistence.js',
  );
  const { SqsStore } = await part<{ SqsStore: new () => Stores['sqsStore'] }>('sqs/sqsStore.js');
  const { SnsStore } = await part<{ SnsStore: new () => Stores['snsStore'] }>('sns/snsStore.js');
  const { S3Store } = await part<{ S3Store: new () => Stores['s3Store'] }>('s3/s3Store.js');
  const stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() };
  const persistence = new PersistenceManager(directory);
  // fauxqs 2.4.1 writes NULL over the receive count when a message becomes visible again, which the table refuses
  const database = new DatabaseSync(path.join(directory, 'fauxqs.db'));
  const makeVisible = database.prepare(
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?',
  );
  persistence.updateMessageReady = (messageId) => void makeVisible.run(messageId);
  persistence.loadSqsAndSns(stores.sqsStore, stores.snsStore);
  stores.sqsStore.persistence = persistence;
  stores.snsStore.persistence = persistence;
  for (const queue of stores.sqsStore.allQueues()) queue.persistence = persistence;
  const app = buildApp({ logger: false, defaultRegion: region, stores });
  app.addHook('onClose', async () => {
    database.close();
    persistence.close();
  });
  await app.ready();
  return { app, stores };
}

/** SQS and SNS for the declared queues and topics. Messages outlive a restart; attributes follow the declaration. */
export async function createQueues({ queues, topics, region, directory }: QueuesOptions): Promise<Queues> {
  const { app, stores } = await openFauxqs(directory, region);
  const urls = new Map(queues.map(({ name, url }) => [name, url]));

  for (const { name, arn, url, attributes, policy } of queues) {
    const declared = {
      MaximumMessageSize: String(LARGEST_MESSAGE),
      ...attributes,
      ...(policy ? { Policy: JSON.stringify(policy) } : {}),
    };
    const known = stores.sqsStore.getQueueByArn(arn);
    if (known) known.setAttributes(declared);
    else stores.sqsStore.createQueue(name, url, arn, declared);
  }
  for (const { name, arn } of topics) {
    const created = stores.snsStore.createTopic(name, {}, {}, region);
    if (created.arn !== arn) throw new Error(`the topic ${name} would be ${created.arn}, not ${arn}`);
  }

  /** A queue that was kept from an earlier start has that start's port in its URL. */
  const declaredUrl = (url: string) => urls.get(url.slice(url.lastIndexOf('/') + 1)) ?? url;
  function withDeclaredUrls(body: string) {
    const answer = JSON.parse(body) as { QueueUrl?: string; QueueUrls?: string[] };
    if (answer.QueueUrl) answer.QueueUrl = declaredUrl(answer.QueueUrl);
    if (answer.QueueUrls) answer.QueueUrls = answer.QueueUrls.map(declaredUrl);
    return JSON.stringify(answer);
  }

  let closed = false;
  async function inject({ request, body }: SignedRequest) {
    const payload = await body();
    if (closed) throw new AwsError('ServiceUnavailable', 503, 'The local cloud is stopping.');
    return app.inject({
      method: 'POST',
      url: '/',
      headers: {
        'content-type': request.headers['content-type'] ?? '',
        'x-amz-target': request.headers['x-amz-target'] ?? '',
        // names the region
        authorization: request.headers.authorization ?? '',
      },
      payload,
    });
  }
  type Answer = Awaited<ReturnType<typeof inject>>;

  function send(response: ServerResponse, { statusCode, headers }: Answer, body: string) {
    response.statusCode = statusCode;
    for (const name of ['content-type', 'x-amzn-query-error']) {
      const value = headers[name];
      if (value !== undefined) response.setHeader(name, value);
    }
    response.end(body);
  }

  /** A consumer that left during its long poll has not received what came meanwhile. */
  async function giveBack(signed: SignedRequest, body: string) {
    const { QueueUrl = '' } = JSON.parse(String(await signed.body())) as { QueueUrl?: string };
    const { Messages = [] } = JSON.parse(body) as { Messages?: { ReceiptHandle: string }[] };
    for (const { ReceiptHandle } of Messages) {
      stores.sqsStore.getQueue(QueueUrl)?.changeVisibility(ReceiptHandle, 0);
    }
  }

  return {
    async sqs(signed, response) {
      const answer = await inject(signed);
      if (answer.statusCode !== 200) send(response, answer, answer.body);
      else if (response.destroyed) await giveBack(signed, answer.body);
      else send(response, answer, withDeclaredUrls(answer.body));
    },
    async sns(signed, response) {
      const answer = await inject(signed);
      send(response, answer, answer.body);
    },
    async publish(topicArn, message) {
      const answer = await app.inject({
        method: 'POST',
        url: '/',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          // only its region and service are read
          authorization: `AWS4-HMAC-SHA256 Credential=local/20261121/${region}/sns/aws4_request`,
        },
        payload: new URLSearchParams({
          Action: 'Publish',
          TopicArn: topicArn,
          Message: message,
        }).toString(),
      });
      if (answer.statusCode !== 200) throw new Error(`SNS did not take an event: ${answer.body}`);
    },
    async close() {
      closed = true;
      await app.close();
    },
  };
}
