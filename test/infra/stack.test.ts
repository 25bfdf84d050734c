import test from 'ava';
import { z } from 'zod';
import { environments } from '../../lambdas/config.ts';
import { dangling } from '../../local/graph/projection.ts';
import { CALLBACK_SECRET, graphOf, ofType, STACKS } from '../support/graphs.ts';

const ARN = /^arn:aws:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+$/;

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: every value is known and every ARN belongs to something declared`, async (t) => {
    const graph = await graphOf(stack);
    t.deepEqual(graph.problems, []);
    t.deepEqual(dangling(graph), []);
  });

  test(`${stack}: every resource goes through the one provider, bound to the account and tagging`, async (t) => {
    const graph = await graphOf(stack);
    const [provider, ...others] = graph.resources.filter(({ type }) => type === 'pulumi:providers:aws');
    t.deepEqual(others, []);
    t.truthy(provider);
    t.like(JSON.parse(String(provider?.inputs.defaultTags)), {
      tags: { Project: 'toq-media', Environment: stack },
    });
    t.regex(String(provider?.inputs.allowedAccountIds), /^\["\d{12}"\]$/);
    for (const { type, name, kind, options } of graph.resources) {
      if (type.startsWith('aws:') && kind !== 'component')
        t.regex(options.provider, /::aws::/, `${type} ${name}`);
    }
  });

  test(`${stack}: children are named after their component`, async (t) => {
    const graph = await graphOf(stack);
    const byUrn = new Map(graph.resources.map((resource) => [resource.urn, resource]));
    for (const { type, name, parent } of graph.resources) {
      const owner = byUrn.get(parent ?? '');
      if (type.startsWith('aws:')) t.is(owner?.kind, 'component', `${type} ${name} has a component`);
      if (owner?.kind === 'component') t.true(name.startsWith(owner.name), `${name} in ${owner.name}`);
    }
  });

  test(`${stack}: what holds data survives the stack, except locally`, async (t) => {
    const graph = await graphOf(stack);
    const holders = [...ofType(graph, 's3/bucket:Bucket'), ...ofType(graph, 'kms/key:Key')];
    t.is(holders.length, 3);
    for (const { options } of holders) {
      t.like(options, { protect: stack !== 'local', retainOnDelete: stack !== 'local' });
    }
  });

  test(`${stack}: the secret is a secret wherever it goes`, async (t) => {
    const graph = await graphOf(stack);
    const holders = graph.resources.filter(
      ({ kind, inputs }) => kind === 'custom' && JSON.stringify(inputs).includes(CALLBACK_SECRET),
    );
    t.deepEqual(
      holders.map(({ type, secrets }) => [type, secrets]),
      [['aws:secretsmanager/secretVersion:SecretVersion', ['secretString']]],
    );
    t.false(JSON.stringify(graph.outputs).includes(CALLBACK_SECRET));
  });

  test(`${stack}: every log group is encrypted and forgets`, async (t) => {
    const graph = await graphOf(stack);
    const groups = ofType(graph, 'cloudwatch/logGroup:LogGroup');
    t.is(groups.length, 6 + 2 + 5);
    for (const { inputs } of groups) {
      t.true(Number(inputs.retentionInDays) > 0, String(inputs.name));
      t.regex(String(inputs.kmsKeyId), /:key\//);
    }
  });

  test(`${stack}: the outputs hand over every ARN, URL and name that other teams need`, async (t) => {
    const { outputs } = await graphOf(stack);
    const Arn = z.string().regex(ARN);
    const parsed = z
      .strictObject({
        kmsKeyId: z.uuid(),
        kmsKeyArn: Arn,
        kmsKeyAlias: z.string().startsWith('alias/'),
        mediaBucket: z.string(),
        mediaBucketArn: Arn,
        logsBucket: z.literal(`toq-logs${suffix}`),
        queueArn: Arn,
        queueUrl: z.url(),
        deadLetterQueueArn: Arn,
        deadLetterQueueUrl: z.url(),
        processingStateMachineArn: Arn,
        finalizationStateMachineArn: Arn,
        functionArns: z.record(z.enum(Object.keys(environments)), Arn),
        mediaConvertQueueArn: Arn,
        jobTemplateArns: z.strictObject({ horizontal: Arn, vertical: Arn }),
        mediaConvertRuleArn: Arn,
        alertsTopicArn: Arn,
        callbackSecretArn: Arn,
        apiEndpoint: z.url(),
        callbackUrl: z.string().endsWith('/media-processing/callback'),
        roleArns: z.record(
          z.enum(['backend', 'projectUploads', 'stepfunctions', 'mediaconvert', 'admin']),
          Arn,
        ),
        taskDefinitionArn: Arn,
        repositoryUrl: z.string().endsWith('.amazonaws.com/toq-media'),
        image: z.string().regex(/@sha256:[0-9a-f]{64}$/),
        clusterName: z.literal(`toq-media${suffix}`),
        serviceName: z.literal(`toq-media-service${suffix}`),
        migrations: z.strictObject({
          taskDefinition: Arn,
          subnets: z.array(z.string().startsWith('subnet-')).min(2),
          securityGroup: z.string().startsWith('sg-'),
        }),
      })
      .safeParse(outputs);
    t.true(parsed.success, parsed.error && z.prettifyError(parsed.error));
  });
}

test('staging carries the names, account and region of the handover of November 2025', async (t) => {
  const { outputs } = await graphOf('staging');
  t.like(outputs, {
    kmsKeyAlias: 'alias/toq-media-processing-staging',
    mediaBucket: 'toq-listing-medias',
    logsBucket: 'toq-logs-staging',
    queueArn: 'arn:aws:sqs:us-east-1:058264253741:listing-media-processing-staging',
    queueUrl: 'https://sqs.us-east-1.amazonaws.com/058264253741/listing-media-processing-staging',
    deadLetterQueueArn: 'arn:aws:sqs:us-east-1:058264253741:listing-media-processing-dlq-staging',
    processingStateMachineArn:
      'arn:aws:states:us-east-1:058264253741:stateMachine:listing-media-processing-sm-staging',
    finalizationStateMachineArn:
      'arn:aws:states:us-east-1:058264253741:stateMachine:listing-media-finalization-sm-staging',
    roleArns: {
      backend: 'arn:aws:iam::058264253741:role/toq-media-processing-backend-staging',
      stepfunctions: 'arn:aws:iam::058264253741:role/toq-media-processing-stepfunctions-staging',
      mediaconvert: 'arn:aws:iam::058264253741:role/toq-media-processing-mediaconvert-staging',
    },
  });
});
