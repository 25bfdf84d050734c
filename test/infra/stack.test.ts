import path from 'node:path';
import aslValidator from 'asl-validator';
import test from 'ava';
import { z } from 'zod';
import { environments } from '../../lambdas/config.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { dangling } from '../../local/graph/projection.ts';
import { ServiceConfig, secretVariables } from '../../service/config.ts';
import { CALLBACK_SECRET, graphOf, inputsOf, ofType, STACKS } from '../support/graphs.ts';

interface Statement {
  Sid?: string;
  Effect: string;
  Principal?: unknown;
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
}

const graphs = new Map<string, Graph>();
const graph = (stack: string) => {
  const found = graphs.get(stack);
  if (!found) throw new Error(`${stack} was not harvested`);
  return found;
};
const statements = (policy: unknown): Statement[] => JSON.parse(z.string().parse(policy)).Statement;
const ROOT = path.join(import.meta.dirname, '..', '..');
const ARN = /^arn:aws:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+$/;

test.before(async () => {
  for (const stack of STACKS) graphs.set(stack, await graphOf(stack));
});

for (const stack of STACKS) {
  const suffix = `-${stack}`;

  test(`${stack}: every value is known and every ARN belongs to something declared`, (t) => {
    t.deepEqual(graph(stack).problems, []);
    t.deepEqual(dangling(graph(stack)), []);
  });

  test(`${stack}: every resource goes through the one provider, bound to the account and tagging`, (t) => {
    const [provider, ...others] = graph(stack).resources.filter(
      ({ type }) => type === 'pulumi:providers:aws',
    );
    t.deepEqual(others, []);
    t.truthy(provider);
    t.like(JSON.parse(String(provider?.inputs.defaultTags)), {
      tags: { Project: 'toq-media', Environment: stack },
    });
    t.regex(String(provider?.inputs.allowedAccountIds), /^\["\d{12}"\]$/);
    for (const { type, name, kind, options } of graph(stack).resources) {
      if (type.startsWith('aws:') && kind !== 'component')
        t.regex(options.provider, /::aws::/, `${type} ${name}`);
    }
  });

  test(`${stack}: children are named after their component`, (t) => {
    const byUrn = new Map(graph(stack).resources.map((resource) => [resource.urn, resource]));
    for (const { type, name, parent } of graph(stack).resources) {
      const owner = byUrn.get(parent ?? '');
      if (type.startsWith('aws:')) t.is(owner?.kind, 'component', `${type} ${name} has a component`);
      if (owner?.kind === 'component') t.true(name.startsWith(owner.name), `${name} in ${owner.name}`);
    }
  });

  test(`${stack}: what holds data survives the stack, except locally`, (t) => {
    const holders = [...ofType(graph(stack), 's3/bucket:Bucket'), ...ofType(graph(stack), 'kms/key:Key')];
    t.is(holders.length, 3);
    for (const { options } of holders) {
      t.like(options, { protect: stack !== 'local', retainOnDelete: stack !== 'local' });
    }
  });

  test(`${stack}: the secret is a secret wherever it goes`, (t) => {
    for (const resource of graph(stack).resources.filter(({ kind }) => kind === 'custom')) {
      const holds = JSON.stringify(resource.inputs).includes(CALLBACK_SECRET);
      t.deepEqual(holds ? resource.secrets : [], holds ? ['secretString'] : [], resource.name);
    }
    t.false(JSON.stringify(graph(stack).outputs).includes(CALLBACK_SECRET));
  });

  test(`${stack}: the key rotates and has the pipeline's alias`, (t) => {
    t.like(inputsOf(graph(stack), 'kms/key:Key'), { enableKeyRotation: true });
    t.is(inputsOf(graph(stack), 'kms/alias:Alias').name, `alias/toq-media-processing${suffix}`);
  });

  test(`${stack}: the media bucket is versioned, private, encrypted, logged and TLS only`, (t) => {
    const name = 'storage-media';
    const bucket = stack === 'staging' ? 'toq-listing-medias' : `toq-listing-medias${suffix}`;
    const of = (type: string) => inputsOf(graph(stack), `s3/${type}`, name);
    t.is(of('bucket:Bucket').bucket, bucket);
    t.like(of('bucketVersioning:BucketVersioning'), { versioningConfiguration: { status: 'Enabled' } });
    t.deepEqual(of('bucketLogging:BucketLogging'), {
      bucket,
      targetBucket: `toq-logs${suffix}`,
      targetPrefix: `${bucket}/`,
    });
    const [key] = ofType(graph(stack), 'kms/key:Key');
    t.deepEqual(of('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration').rules, [
      {
        applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: key?.outputs.arn },
        bucketKeyEnabled: true,
      },
    ]);
  });

  test(`${stack}: no bucket is public or knows ACLs, and each refuses plain HTTP`, (t) => {
    for (const { id, name } of ofType(graph(stack), 's3/bucket:Bucket')) {
      t.deepEqual(inputsOf(graph(stack), 's3/bucketPublicAccessBlock:BucketPublicAccessBlock', name), {
        bucket: id,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      });
      t.like(inputsOf(graph(stack), 's3/bucketOwnershipControls:BucketOwnershipControls', name), {
        rule: { objectOwnership: 'BucketOwnerEnforced' },
      });
      const policy = statements(inputsOf(graph(stack), 's3/bucketPolicy:BucketPolicy', name).policy);
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

  test(`${stack}: originals are archived by tag, the rest is forgotten in time`, (t) => {
    const { rules } = z
      .object({ rules: z.array(z.record(z.string(), z.unknown())) })
      .parse(
        inputsOf(
          graph(stack),
          's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration',
          'storage-media',
        ),
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

  test(`${stack}: a browser may send every header that a presigned upload has signed`, (t) => {
    const { corsRules } = inputsOf(graph(stack), 's3/bucketCorsConfiguration:BucketCorsConfiguration');
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

  test(`${stack}: the queue waits 60 s, keeps 4 days, polls 20 s, and gives up after 5 receives`, (t) => {
    const [dead] = ofType(graph(stack), 'sqs/queue:Queue').filter(
      ({ name }) => name === 'queues-dead-letters',
    );
    const queue = inputsOf(graph(stack), 'sqs/queue:Queue', 'queues-jobs');
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

  test(`${stack}: both queues are encrypted and TLS only, and only the queue may feed the dead letters`, (t) => {
    const queues = ofType(graph(stack), 'sqs/queue:Queue');
    for (const { id, name, inputs, outputs } of queues) {
      t.regex(String(inputs.kmsMasterKeyId), /:key\//);
      const policy = inputsOf(graph(stack), 'sqs/queuePolicy:QueuePolicy', name);
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
    const allowed = inputsOf(graph(stack), 'sqs/redriveAllowPolicy:RedriveAllowPolicy');
    const [jobs] = queues.filter(({ name }) => name === 'queues-jobs');
    t.deepEqual(JSON.parse(String(allowed.redriveAllowPolicy)), {
      redrivePermission: 'byQueue',
      sourceQueueArns: [jobs?.outputs.arn],
    });
  });

  test(`${stack}: six functions on nodejs24.x arm64, traced, logging JSON to a group of their own`, (t) => {
    const functions = ofType(graph(stack), 'lambda/function:Function');
    const tasks = Object.keys(environments);
    t.deepEqual(
      functions.map(({ inputs }) => inputs.name).sort(),
      tasks.map((task) => `listing-media-${task}${suffix}`).sort(),
    );
    for (const task of tasks) {
      const name = `listing-media-${task}${suffix}`;
      const [lambda] = functions.filter(({ inputs }) => inputs.name === name);
      t.like(lambda?.inputs ?? {}, {
        runtime: 'nodejs24.x',
        architectures: ['arm64'],
        handler: 'index.handler',
        role: `arn:aws:iam::${accountOf(stack)}:role/toq-media-processing-lambda-${task}${suffix}`,
        tracingConfig: { mode: 'Active' },
        loggingConfig: { logFormat: 'JSON', logGroup: `/aws/lambda/${name}` },
      });
      t.is(lambda?.inputs.code, path.join(ROOT, 'dist/lambdas', `${task}.zip`));
      t.notThrows(() => inputsOf(graph(stack), 'cloudwatch/logGroup:LogGroup', `/aws/lambda/${name}`));
    }
  });

  test(`${stack}: each function's environment is what its code parses`, (t) => {
    for (const [task, schema] of Object.entries(environments)) {
      const { environment } = inputsOf(
        graph(stack),
        'lambda/function:Function',
        `listing-media-${task}${suffix}`,
      );
      const { variables } = z.object({ variables: z.record(z.string(), z.string()) }).parse(environment);
      t.notThrows(() => z.strictObject(schema.shape).parse(variables), task);
      t.is(variables.ENV, stack);
    }
  });

  test(`${stack}: a state machine waits ten seconds longer than the task may run`, (t) => {
    const timeouts = new Map(
      ofType(graph(stack), 'lambda/function:Function').map(({ inputs, outputs }) => [
        outputs.arn,
        Number(inputs.timeout),
      ]),
    );
    let tasks = 0;
    for (const { inputs } of ofType(graph(stack), 'sfn/stateMachine:StateMachine')) {
      JSON.parse(String(inputs.definition), (_key, value) => {
        if (value?.Resource === 'arn:aws:states:::lambda:invoke') {
          tasks += 1;
          t.is(value.TimeoutSeconds, (timeouts.get(value.Parameters.FunctionName) ?? Number.NaN) + 10);
        }
        return value;
      });
    }
    t.true(tasks > 5);
    t.is(
      timeouts.get(`arn:aws:lambda:us-east-1:${accountOf(stack)}:function:listing-media-start${suffix}`),
      10,
    );
  });

  test(`${stack}: finished executions cannot flood the service`, (t) => {
    const reserved = ofType(graph(stack), 'lambda/function:Function').flatMap(({ inputs }) =>
      inputs.reservedConcurrentExecutions === undefined
        ? []
        : [[inputs.name, inputs.reservedConcurrentExecutions]],
    );
    t.deepEqual(reserved, [[`listing-media-callback-dispatch${suffix}`, 10]]);
  });

  test(`${stack}: a failed message of a batch is received again, the others are not`, (t) => {
    t.like(inputsOf(graph(stack), 'lambda/eventSourceMapping:EventSourceMapping'), {
      functionName: `arn:aws:lambda:us-east-1:${accountOf(stack)}:function:listing-media-start${suffix}`,
      eventSourceArn: `arn:aws:sqs:us-east-1:${accountOf(stack)}:listing-media-processing${suffix}`,
      functionResponseTypes: ['ReportBatchItemFailures'],
      scalingConfig: { maximumConcurrency: 10 },
    });
  });

  test(`${stack}: both machines are complete, valid, Standard, logged without data, and traced`, (t) => {
    const machines = ofType(graph(stack), 'sfn/stateMachine:StateMachine');
    t.deepEqual(machines.map(({ inputs }) => inputs.name).sort(), [
      `listing-media-finalization-sm${suffix}`,
      `listing-media-processing-sm${suffix}`,
    ]);
    for (const { inputs } of machines) {
      const definition = String(inputs.definition);
      t.notRegex(definition, /\$\{/);
      t.deepEqual(aslValidator(JSON.parse(definition)).errors, []);
      t.is(JSON.parse(definition).TimeoutSeconds, 3600);
      t.like(inputs, {
        type: 'STANDARD',
        roleArn: `arn:aws:iam::${accountOf(stack)}:role/toq-media-processing-stepfunctions${suffix}`,
        loggingConfiguration: {
          level: 'ALL',
          includeExecutionData: false,
          logDestination: `arn:aws:logs:us-east-1:${accountOf(stack)}:log-group:/aws/vendedlogs/states/${inputs.name}:*`,
        },
        tracingConfiguration: { enabled: true },
      });
    }
  });

  test(`${stack}: every log group is encrypted and forgets`, (t) => {
    const groups = ofType(graph(stack), 'cloudwatch/logGroup:LogGroup');
    t.is(groups.length, 6 + 2 + 5);
    for (const { inputs } of groups) {
      t.true(Number(inputs.retentionInDays) > 0, String(inputs.name));
      t.regex(String(inputs.kmsKeyId), /:key\//);
    }
  });

  test(`${stack}: two job templates differ in the box and in nothing else`, (t) => {
    const { templateBody } = inputsOf(graph(stack), 'cloudformation/stack:Stack');
    const { Resources } = JSON.parse(String(templateBody));
    t.is(Resources.Horizontal.Properties.Name, 'toq-media-video-preset');
    t.is(Resources.Vertical.Properties.Name, 'toq-media-video-preset-vertical');
    t.is(inputsOf(graph(stack), 'mediaconvert/queue:Queue').name, 'toq-media-queue');

    const [horizontal, vertical] = [Resources.Horizontal, Resources.Vertical].map(
      ({ Properties }) => Properties.SettingsJson.OutputGroups[0].Outputs,
    );
    const box = ({ VideoDescription: { Width, Height } }: { VideoDescription: Record<string, number> }) => [
      Width,
      Height,
    ];
    t.deepEqual(horizontal.map(box), [
      [1920, 1080],
      [1280, 720],
      [1920, 1080],
    ]);
    t.deepEqual(vertical.map(box), [
      [1080, 1920],
      [720, 1280],
      [1080, 1920],
    ]);
    const boxless = (outputs: unknown) => JSON.stringify(outputs).replace(/"(Width|Height)":\d+/g, '');
    t.is(boxless(horizontal), boxless(vertical));
  });

  test(`${stack}: a video becomes 1080p ≤ 5 Mbps, 720p ≤ 3 Mbps and two stills, upright, never enlarged`, (t) => {
    const { templateBody } = inputsOf(graph(stack), 'cloudformation/stack:Stack');
    const settings = JSON.parse(String(templateBody)).Resources.Horizontal.Properties.SettingsJson;
    t.is(settings.Inputs[0].VideoSelector.Rotate, 'AUTO');
    t.is(settings.OutputGroups.length, 1);
    const [hd, sd, poster] = settings.OutputGroups[0].Outputs;
    for (const [output, modifier, video, audio] of [
      [hd, '-1080p', 5_000_000, 128_000],
      [sd, '-720p', 3_000_000, 96_000],
    ]) {
      t.like(output, {
        NameModifier: modifier,
        ContainerSettings: { Container: 'MP4', Mp4Settings: { MoovPlacement: 'PROGRESSIVE_DOWNLOAD' } },
        VideoDescription: {
          ScalingBehavior: 'FIT_NO_UPSCALE',
          CodecSettings: {
            Codec: 'H_264',
            H264Settings: { RateControlMode: 'QVBR', MaxBitrate: video },
          },
        },
      });
      t.like(output.AudioDescriptions[0].CodecSettings, { Codec: 'AAC', AacSettings: { Bitrate: audio } });
    }
    t.like(poster, {
      NameModifier: '-poster',
      Extension: 'jpg',
      ContainerSettings: { Container: 'RAW' },
      VideoDescription: {
        ScalingBehavior: 'FIT_NO_UPSCALE',
        CodecSettings: {
          Codec: 'FRAME_CAPTURE',
          FrameCaptureSettings: { FramerateNumerator: 1, FramerateDenominator: 1, MaxCaptures: 2 },
        },
      },
    });
  });

  test(`${stack}: the end of a transcode is kept, a failed one is an alert`, (t) => {
    const pattern = (name: string) =>
      JSON.parse(String(inputsOf(graph(stack), 'cloudwatch/eventRule:EventRule', name).eventPattern));
    const status = `toq-media-mediaconvert-status${suffix}`;
    const error = `toq-media-mediaconvert-error${suffix}`;
    t.like(pattern(status), { source: ['aws.mediaconvert'], detail: { status: ['COMPLETE', 'ERROR'] } });
    t.deepEqual(pattern(error).detail.status, ['ERROR']);
    const target = (rule: string) =>
      ofType(graph(stack), 'cloudwatch/eventTarget:EventTarget').find(({ inputs }) => inputs.rule === rule)
        ?.inputs.arn;
    t.regex(String(target(status)), /:log-group:\/aws\/events\//);
    t.is(target(error), `arn:aws:sns:us-east-1:${accountOf(stack)}:toq-media-alerts${suffix}`);
    t.regex(String(inputsOf(graph(stack), 'sns/topic:Topic').kmsMasterKeyId), /:key\//);
  });

  test(`${stack}: the container reads every variable that the service parses, secrets as secrets`, (t) => {
    const task = inputsOf(graph(stack), 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
    const [container, ...others] = JSON.parse(String(task.containerDefinitions));
    t.deepEqual(others, []);
    const pairs = z.array(z.object({ name: z.string(), value: z.string() })).parse(container.environment);
    const plain = Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
    const secret = z
      .array(z.object({ name: z.string(), valueFrom: z.string() }))
      .parse(container.secrets)
      .map(({ name }) => name);

    t.deepEqual(secret.toSorted(), [...secretVariables].sort());
    t.deepEqual(
      secret.filter((name) => name in plain),
      [],
    );
    const values = Object.fromEntries(secret.map((name) => [name, 'x'.repeat(32)]));
    t.notThrows(() => z.strictObject(ServiceConfig.shape).parse({ ...plain, ...values }));
  });

  test(`${stack}: the container is unprivileged, watched, and stopped slower than it drains`, (t) => {
    const task = inputsOf(graph(stack), 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
    const [container] = JSON.parse(String(task.containerDefinitions));
    t.like(task, {
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      runtimePlatform: { cpuArchitecture: 'ARM64', operatingSystemFamily: 'LINUX' },
      taskRoleArn: `arn:aws:iam::${accountOf(stack)}:role/toq-media-processing-backend${suffix}`,
    });
    t.like(container, { readonlyRootFilesystem: true, user: '1000:1000' });
    t.regex(container.image, /@sha256:[0-9a-f]{64}$/);
    t.is(container.healthCheck.command[0], 'CMD');
    t.true(container.stopTimeout > ServiceConfig.shape.SHUTDOWN_GRACE_SECONDS.parse(undefined));
    t.is(container.logConfiguration.options['awslogs-group'], `/aws/ecs/toq-media-service${suffix}`);
  });

  test(`${stack}: the API has two routes, and only IAM callers reach the callback`, (t) => {
    const routes = ofType(graph(stack), 'apigatewayv2/route:Route').map(({ inputs }) => ({
      key: inputs.routeKey,
      authorization: inputs.authorizationType,
      integration: ofType(graph(stack), 'apigatewayv2/integration:Integration').find(
        ({ id }) => inputs.target === `integrations/${id}`,
      )?.inputs,
    }));
    t.like(
      routes.find(({ key }) => key === 'POST /media-processing/callback'),
      {
        authorization: 'AWS_IAM',
        integration: {
          connectionType: 'VPC_LINK',
          requestParameters: { 'overwrite:path': '/internal/media-processing/callback' },
        },
      },
    );
    const open = routes.find(({ key }) => key === 'ANY /api/v2/{proxy+}');
    t.like(open, { authorization: 'NONE', integration: { connectionType: 'VPC_LINK' } });
    t.is(open?.integration?.requestParameters, undefined);
    t.is(routes.length, 2);
  });

  test(`${stack}: the stage throttles and logs neither headers nor query strings`, (t) => {
    const stage = inputsOf(graph(stack), 'apigatewayv2/stage:Stage');
    t.like(stage, { name: '$default', autoDeploy: true });
    t.like(stage.defaultRouteSettings, { throttlingRateLimit: 500, throttlingBurstLimit: 1000 });
    const { format } = z.object({ format: z.string() }).parse(stage.accessLogSettings);
    t.notRegex(format, /header|querystring|authorizer/i);
  });

  test(`${stack}: the outputs hand over every ARN, URL and name that other teams need`, (t) => {
    const { outputs } = graph(stack);
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

test('staging carries the names, account and region of the handover of November 2025', (t) => {
  t.like(graph('staging').outputs, {
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

function accountOf(stack: string) {
  return String(graph(stack).outputs.queueArn).split(':')[4];
}
