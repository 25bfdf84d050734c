import test from 'ava';
import { z } from 'zod';
import { statements } from '../../infra/rules/rule.ts';
import { graphOf, inputsOf, ofType, STACKS } from '../support/graphs.ts';

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: the key rotates and has the pipeline's alias`, async (t) => {
    const graph = await graphOf(stack);
    t.like(inputsOf(graph, 'kms/key:Key'), { enableKeyRotation: true });
    t.is(inputsOf(graph, 'kms/alias:Alias').name, `alias/toq-media-processing${suffix}`);
  });

  test(`${stack}: the media bucket is versioned, private, encrypted, logged and TLS only`, async (t) => {
    const graph = await graphOf(stack);
    const name = 'storage-media';
    const bucket = stack === 'staging' ? 'toq-listing-medias' : `toq-listing-medias${suffix}`;
    const of = (type: string) => inputsOf(graph, `s3/${type}`, name);
    t.is(of('bucket:Bucket').bucket, bucket);
    t.like(of('bucketVersioning:BucketVersioning'), { versioningConfiguration: { status: 'Enabled' } });
    t.deepEqual(of('bucketLogging:BucketLogging'), {
      bucket,
      targetBucket: `toq-logs${suffix}`,
      targetPrefix: `${bucket}/`,
    });
    const [key] = ofType(graph, 'kms/key:Key');
    t.deepEqual(of('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration').rules, [
      {
        applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: key?.outputs.arn },
        bucketKeyEnabled: true,
      },
    ]);
  });

  test(`${stack}: no bucket is public or knows ACLs, and each refuses plain HTTP`, async (t) => {
    const graph = await graphOf(stack);
    for (const { id, name } of ofType(graph, 's3/bucket:Bucket')) {
      t.deepEqual(inputsOf(graph, 's3/bucketPublicAccessBlock:BucketPublicAccessBlock', name), {
        bucket: id,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      });
      t.like(inputsOf(graph, 's3/bucketOwnershipControls:BucketOwnershipControls', name), {
        rule: { objectOwnership: 'BucketOwnerEnforced' },
      });
      const policy = statements(inputsOf(graph, 's3/bucketPolicy:BucketPolicy', name).policy);
      t.like(
        policy.find(({ Sid }) => Sid === 'DenyInsecureTransport'),
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      );
    }
  });

  test(`${stack}: originals are archived by tag, the rest is forgotten in time`, async (t) => {
    const graph = await graphOf(stack);
    const { rules } = z
      .object({ rules: z.array(z.record(z.string(), z.unknown())) })
      .parse(
        inputsOf(graph, 's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration', 'storage-media'),
      );
    t.like(rules[0], {
      filter: { tag: { key: 'stage', value: 'raw' } },
      transitions: [{ days: 180, storageClass: 'GLACIER' }],
    });
    t.like(rules[1], {
      filter: { prefix: '' },
      noncurrentVersionExpiration: { noncurrentDays: 30 },
      abortIncompleteMultipartUpload: { daysAfterInitiation: 1 },
    });
    t.is(rules.length, 2);
  });

  test(`${stack}: a browser may send every header that a presigned upload has signed`, async (t) => {
    const graph = await graphOf(stack);
    const { corsRules } = inputsOf(graph, 's3/bucketCorsConfiguration:BucketCorsConfiguration');
    const [rule] = z
      .array(
        z.object({
          allowedOrigins: z.array(z.string()),
          allowedMethods: z.array(z.string()),
          allowedHeaders: z.array(z.string()),
          exposeHeaders: z.array(z.string()),
        }),
      )
      .parse(corsRules);
    t.false(rule?.allowedOrigins.includes('*'));
    t.deepEqual(rule?.allowedMethods, ['PUT', 'GET', 'HEAD']);
    t.deepEqual(rule?.allowedHeaders, ['content-type', 'x-amz-checksum-sha256', 'x-amz-tagging']);
    t.true(rule?.exposeHeaders.includes('ETag'));
  });

  test(`${stack}: the queue waits 60 s, keeps 4 days, polls 20 s, and gives up after 5 receives`, async (t) => {
    const graph = await graphOf(stack);
    const [dead] = ofType(graph, 'sqs/queue:Queue').filter(({ name }) => name === 'queues-dead-letters');
    const queue = inputsOf(graph, 'sqs/queue:Queue', 'queues-jobs');
    t.like(queue, {
      name: `listing-media-processing${suffix}`,
      visibilityTimeoutSeconds: 60,
      messageRetentionSeconds: 345_600,
      receiveWaitTimeSeconds: 20,
    });
    t.deepEqual(JSON.parse(String(queue.redrivePolicy)), {
      deadLetterTargetArn: dead?.outputs.arn,
      maxReceiveCount: 5,
    });
    t.like(dead?.inputs ?? {}, {
      name: `listing-media-processing-dlq${suffix}`,
      messageRetentionSeconds: 1_209_600,
    });
    t.is(queue.fifoQueue, undefined);
  });

  test(`${stack}: both queues are encrypted and TLS only, and only the queue may feed the dead letters`, async (t) => {
    const graph = await graphOf(stack);
    const queues = ofType(graph, 'sqs/queue:Queue');
    for (const { id, name, inputs, outputs } of queues) {
      t.regex(String(inputs.kmsMasterKeyId), /:key\//);
      const policy = inputsOf(graph, 'sqs/queuePolicy:QueuePolicy', name);
      t.is(policy.queueUrl, id);
      t.deepEqual(statements(policy.policy), [
        {
          Sid: 'DenyInsecureTransport',
          Effect: 'Deny',
          Principal: '*',
          Action: 'sqs:*',
          Resource: [String(outputs.arn)],
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ]);
    }
    const allowed = inputsOf(graph, 'sqs/redriveAllowPolicy:RedriveAllowPolicy');
    const [jobs] = queues.filter(({ name }) => name === 'queues-jobs');
    t.deepEqual(JSON.parse(String(allowed.redriveAllowPolicy)), {
      redrivePermission: 'byQueue',
      sourceQueueArns: [jobs?.outputs.arn],
    });
  });
}
