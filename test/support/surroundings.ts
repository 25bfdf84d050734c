import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createQueues } from '../../local/queues.ts';
import { createS3 } from '../../local/s3/service.ts';
import { makeAuthority } from './certificates.ts';
import { databaseEnvironment, startTestDatabase } from './database.ts';
import { ACCOUNT, openDoor, REGION, role } from './front-door.ts';
import { MEDIA_BUCKET } from './s3.ts';
import { freePort } from './serve.ts';

/**
 * What the container reaches, and the variables that tell it where: a database that has no schema and insists on TLS, a
 * bucket and a queue. Nobody answers for tokens and state machines.
 */
export async function openSurroundings() {
  const directory = await mkdtemp(path.join(tmpdir(), 'container-'));
  const authority = await makeAuthority(directory, 'authority');
  const server = await authority.issue('localhost');
  const database = await startTestDatabase({
    migrated: false,
    words: [`--ssl-cert=${server.certificate}`, `--ssl-key=${server.key}`, '--require-secure-transport=ON'],
  });
  const door = await openDoor();
  const s3 = createS3({
    buckets: [MEDIA_BUCKET],
    directory: path.join(directory, 's3'),
    region: REGION,
    onObjectCreated() {},
    now: () => new Date(),
  });
  const url = (name: string) => `${door.endpoint}/${ACCOUNT}/${name}`;
  const arn = (name: string) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
  const redrive = JSON.stringify({ deadLetterTargetArn: arn('dead'), maxReceiveCount: 5 });
  const queues = await createQueues({
    queues: [
      { name: 'dead', arn: arn('dead'), url: url('dead'), attributes: {} },
      { name: 'work', arn: arn('work'), url: url('work'), attributes: { RedrivePolicy: redrive } },
    ],
    topics: [],
    region: REGION,
    directory: path.join(directory, 'queues'),
  });
  Object.assign(door.services, { s3: s3.service, sqs: queues.sqs });
  const port = await freePort();
  const key = door.credentials(role('backend'));
  const reachingDatabase = {
    ...databaseEnvironment(database.address),
    DATABASE_HOST: 'localhost',
    DATABASE_TLS: 'private-ca',
    DATABASE_TLS_CA: authority.certificate,
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    databaseEnvironment: reachingDatabase,
    environment: {
      ...reachingDatabase,
      ENV: 'test',
      VERSION: 'abc123',
      HOST: '127.0.0.1',
      PORT: String(port),
      MEDIA_BUCKET: MEDIA_BUCKET.name,
      QUEUE_URL: url('work'),
      PROCESSING_STATE_MACHINE_ARN: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:processing`,
      FINALIZATION_STATE_MACHINE_ARN: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:finalization`,
      PROJECT_UPLOADS_ROLE_ARN: role('project-uploads'),
      CALLBACK_SECRET: 'a secret of at least 32 characters',
      JWT_ISSUER: 'https://login.toq.test',
      JWT_AUDIENCE: 'toq-media',
      JWT_JWKS_URL: 'http://127.0.0.1:9/jwks.json',
      AWS_ENDPOINT_URL: door.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    },
    async close() {
      await queues.close();
      await door.close();
      s3.close();
      await database.stop();
      await rm(directory, { recursive: true });
    },
  };
}
