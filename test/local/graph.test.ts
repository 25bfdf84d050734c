import path from 'node:path';
import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import test from 'ava';
import { environments } from '../../lambdas/config.ts';
import { calls } from '../../local/graph/calls.ts';
import { harvest } from '../../local/graph/harvest.ts';
import type { Manifest } from '../../local/graph/manifest.ts';
import { models } from '../../local/graph/models.ts';
import { loadManifest } from '../../local/graph/program.ts';
import { dangling, manifestOf } from '../../local/graph/projection.ts';
import { readConfig } from '../../service/config.ts';
import { CALLBACK_SECRET, graphOf } from '../support/graphs.ts';

const OPTIONS = {
  awsEndpointUrl: 'http://127.0.0.1:4566',
  apiEndpointUrl: 'http://127.0.0.1:4567',
  callbackSecret: CALLBACK_SECRET,
  databaseCredentials: { username: 'toq', password: 'a password' },
};
const ACCOUNT = '000000000000';

let manifest: Manifest;
test.before(async () => {
  manifest = await loadManifest({
    ...OPTIONS,
    config: {
      database: { port: 4406 },
      jwt: { issuer: 'http://127.0.0.1:4568/' },
      service: { workers: { reconcileIntervalSeconds: 2 } },
    },
  });
});

/** Harvests a program of a few lines. */
const evaluate = (program: () => Promise<unknown>, patience = 30_000) =>
  harvest({
    patience,
    project: 'sample',
    stack: 'test',
    config: { 'sample:secret': 'hush' },
    secretKeys: ['sample:secret'],
    model: models({ region: 'us-east-1', accountId: ACCOUNT }),
    call: calls,
    program,
  });

test('the local stack lives in the account of zeros, with the suffix local', (t) => {
  t.like(manifest, { environment: 'local', region: 'us-east-1', accountId: ACCOUNT });
  const names = [...manifest.queues, ...manifest.functions, ...manifest.stateMachines, ...manifest.roles].map(
    ({ name }) => name,
  );
  t.true(names.length > 20);
  for (const name of names) t.regex(name, /-local$/);
});

test('queues and the API are where the launcher says', (t) => {
  const [queue] = manifest.queues.filter(({ name }) => name === 'listing-media-processing-local');
  t.is(queue?.url, `http://127.0.0.1:4566/${ACCOUNT}/listing-media-processing-local`);
  t.is(manifest.container.environment.QUEUE_URL, queue?.url);
  t.is(manifest.api.endpoint, 'http://127.0.0.1:4567');
  const [dispatch] = manifest.functions.filter(({ name }) => name.includes('callback'));
  t.is(dispatch?.environment.CALLBACK_URL, 'http://127.0.0.1:4567/media-processing/callback');
});

test('what the launcher overrides reaches the container, the rest stays as declared', (t) => {
  t.like(manifest.container.environment, {
    DATABASE_HOST: '127.0.0.1',
    DATABASE_PORT: '4406',
    JWT_ISSUER: 'http://127.0.0.1:4568/',
    JWT_AUDIENCE: 'toq-server',
    RECONCILE_INTERVAL_SECONDS: '2',
    OUTBOX_INTERVAL_SECONDS: '1',
  });
});

test('the service starts with its declared environment and what its secrets hold', (t) => {
  const value = (reference: string) => {
    const [arn, key] = reference.split(/:(username|password)::$/);
    const secret = manifest.secrets.find((candidate) => candidate.arn === arn)?.value ?? '';
    return key ? JSON.parse(secret)[key] : secret;
  };
  const secrets = Object.entries(manifest.container.secrets).map(([name, from]) => [name, value(from)]);
  t.like(readConfig({ ...manifest.container.environment, ...Object.fromEntries(secrets) }), {
    ENV: 'local',
    DATABASE_USER: 'toq',
    DATABASE_PASSWORD: 'a password',
    CALLBACK_SECRET,
    MEDIA_BUCKET: 'toq-listing-medias-local',
    RECONCILE_INTERVAL_SECONDS: 2,
  });
});

test('each function has its role, its limits and the folder that would be uploaded', (t) => {
  const roles = new Set(manifest.roles.map(({ arn }) => arn));
  t.is(manifest.functions.length, Object.keys(environments).length);
  for (const lambda of manifest.functions) {
    t.true(roles.has(lambda.roleArn), lambda.name);
    t.true(path.isAbsolute(lambda.artefact));
    t.is(lambda.handler, 'index.handler');
    t.true(lambda.timeoutSeconds > 0 && lambda.memoryMiB >= 256);
  }
});

test('the message queue has SQS attributes that CreateQueue takes', (t) => {
  const [queue] = manifest.queues.filter(({ name }) => name === 'listing-media-processing-local');
  t.like(queue?.attributes ?? {}, {
    VisibilityTimeout: '60',
    MessageRetentionPeriod: '345600',
    ReceiveMessageWaitTimeSeconds: '20',
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:${ACCOUNT}:listing-media-processing-dlq-local`,
      maxReceiveCount: 5,
    }),
  });
});

test('satellites are joined to what they belong to', (t) => {
  const [bucket] = manifest.buckets.filter(({ name }) => name === 'toq-listing-medias-local');
  t.true(bucket?.versioned);
  t.is(bucket?.kmsKeyArn, manifest.keys[0]?.arn);
  t.deepEqual(bucket?.cors[0]?.allowedMethods, ['PUT', 'GET', 'HEAD']);
  t.regex(JSON.stringify(bucket?.policy), /DenyDelete/);
  t.is(manifest.keys[0]?.alias, 'alias/toq-media-processing-local');
  for (const { name, policies } of manifest.roles) t.is(policies.length, 1, name);
  t.deepEqual(
    manifest.rules.map(({ targets }) => targets.length),
    [1, 1],
  );
  t.deepEqual(manifest.eventSourceMappings, [
    {
      queueArn: `arn:aws:sqs:us-east-1:${ACCOUNT}:listing-media-processing-local`,
      functionArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:listing-media-start-local`,
      batchSize: 10,
      maximumBatchingWindowSeconds: 0,
      reportBatchItemFailures: true,
      maximumConcurrency: 10,
    },
  ]);
});

test('the API has the callback for IAM callers, sent to the internal path', (t) => {
  t.deepEqual(
    manifest.api.routes.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    [
      { key: 'ANY /api/v2/{proxy+}', authorization: 'NONE' },
      {
        key: 'POST /media-processing/callback',
        authorization: 'AWS_IAM',
        overwritePath: '/internal/media-processing/callback',
      },
    ],
  );
});

test('a job template is found by the ARN that the machine passes', (t) => {
  const [machine] = manifest.stateMachines.filter(({ name }) => name.includes('processing'));
  for (const { arn, settings } of manifest.mediaConvert.jobTemplates) {
    t.true(JSON.stringify(machine?.definition).includes(`"${arn}"`), arn);
    t.true('OutputGroups' in settings);
  }
  t.is(manifest.mediaConvert.jobTemplates.length, 2);
});

test('the same stack is the same twice', async (t) => {
  const [first, second] = [await loadManifest(OPTIONS), await loadManifest(OPTIONS)];
  t.deepEqual(first, second);
});

test('a value that no model provides is a problem, not a hole', async (t) => {
  const { problems } = await evaluate(async () => {
    const queue = new aws.sqs.Queue('queue', { name: 'queue' });
    new aws.sqs.QueuePolicy('policy', {
      queueUrl: queue.url,
      policy: pulumi.jsonStringify({ Statement: [], Owner: queue.kmsMasterKeyId, Id: queue.namePrefix }),
    });
  });
  t.deepEqual(problems, ['aws:sqs/queuePolicy:QueuePolicy (policy): no model provides policy']);
});

test('a type that nobody has modelled is a problem', async (t) => {
  const { problems } = await evaluate(async () => {
    new aws.dynamodb.Table('table', { attributes: [{ name: 'id', type: 'S' }], hashKey: 'id' });
  });
  t.deepEqual(problems, ['aws:dynamodb/table:Table (table): nobody has modelled this type']);
});

test('two resources of one name are a problem', async (t) => {
  const { problems } = await evaluate(async () => {
    new aws.sqs.Queue('queue', { name: 'one' });
    new aws.sqs.Queue('queue', { name: 'two' });
  });
  t.deepEqual(problems, ['aws:sqs/queue:Queue (queue): two resources have this name']);
});

test('a question to the cloud is a problem that the error names', async (t) => {
  await t.throwsAsync(
    evaluate(async () => {
      await aws.getAvailabilityZones({});
    }),
    { message: /getAvailabilityZones: the program asks the cloud/ },
  );
});

test('an error on a detached promise fails the harvest, and not the one after it', async (t) => {
  await t.throwsAsync(
    evaluate(async () => {
      const queue = new aws.sqs.Queue('queue', { name: 'queue' });
      queue.arn.apply(() => {
        throw new Error('late and lonely');
      });
    }),
    { message: /late and lonely/ },
  );
  t.deepEqual((await evaluate(async () => {})).problems, []);
});

test('a program that waits for what never comes is given up', async (t) => {
  const never = new Promise<string>(() => {});
  await t.throwsAsync(
    evaluate(async () => {
      new aws.sqs.Queue('queue', { name: never });
    }, 200),
    { message: /did not end within 0\.2 s: it waits for a value that never comes/ },
  );
  t.deepEqual((await evaluate(async () => {})).problems, []);
});

test('a secret is marked wherever it stands in an input', async (t) => {
  const { resources } = await evaluate(async () => {
    const secret = new pulumi.Config().requireSecret('secret');
    new aws.lambda.Function('function', {
      name: 'function',
      role: `arn:aws:iam::${ACCOUNT}:role/role`,
      environment: { variables: { HUSH: secret } },
    });
  });
  const [lambda] = resources.filter(({ name }) => name === 'function');
  t.deepEqual(lambda?.secrets, ['environment.variables.HUSH']);
  t.like(lambda?.inputs, { environment: { variables: { HUSH: 'hush' } } });
});

test('protection, order and provider of a resource are kept', async (t) => {
  const { resources } = await evaluate(async () => {
    const provider = new aws.Provider('own', { region: 'us-east-1' });
    const first = new aws.sqs.Queue(
      'first',
      { name: 'first' },
      { protect: true, retainOnDelete: true, provider },
    );
    new aws.sqs.Queue('second', { name: 'second' }, { dependsOn: first, provider });
  });
  const of = (name: string) => resources.find((resource) => resource.name === name)?.options;
  t.like(of('first'), { protect: true, retainOnDelete: true });
  t.deepEqual(of('second')?.dependsOn, [resources.find(({ name }) => name === 'first')?.urn]);
  t.regex(of('second')?.provider ?? '', /::own::/);
});

test('an ARN of something that nobody declares is refused with its owner', async (t) => {
  const graph = await graphOf('local');
  const incomplete = {
    ...graph,
    resources: graph.resources.filter(({ type }) => type !== 'aws:sqs/queue:Queue'),
  };
  const complaints = dangling(incomplete);
  t.true(
    complaints.includes(
      `aws:lambda/eventSourceMapping:EventSourceMapping (intake): arn:aws:sqs:us-east-1:${ACCOUNT}:listing-media-processing-local is not declared`,
    ),
    complaints.join('\n'),
  );
  const error = t.throws(() => manifestOf(incomplete, '{}'), { message: /The stack local is not complete/ });
  for (const complaint of complaints) t.true(error?.message.includes(complaint));
});
