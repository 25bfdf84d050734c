import test from 'ava';
import { z } from 'zod';
import type { Graph } from '../../local/graph/graph.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';
import { Statement } from '../support/policies.ts';

/**
 * What AWS itself asks of a stack, from its documentation: nothing of ours would notice its absence before the first
 * deployment, or the first bad day.
 */
const STACK = 'production';

let graph: Graph;
test.before(async () => {
  graph = await graphOf(STACK);
});

const statementsIn = (policy: unknown) => {
  const { Statement: statements } = JSON.parse(String(policy));
  return Statement.array().parse(statements);
};

/** Statements of the role's own policy that allow the action. */
const allowing = (role: string, action: string) =>
  statementsIn(
    inputsOf(graph, 'iam/rolePolicy:RolePolicy', `toq-media-processing-${role}-${STACK}`).policy,
  ).filter(({ Effect, Action }) => Effect === 'Allow' && Action.includes(action));

const FUNCTION = [
  'logs:CreateLogStream',
  'logs:PutLogEvents',
  'xray:PutTelemetryRecords',
  'xray:PutTraceSegments',
];

/** Role → where AWS says so → the actions. */
const ACTIONS: [role: string, source: string, actions: string[]][] = [
  ...['start', 'validate', 'thumbnails', 'consolidate', 'zip', 'callback-dispatch'].map(
    (task): [string, string, string[]] => [
      `lambda-${task}`,
      'Lambda, AWSLambdaBasicExecutionRole and AWSXRayDaemonWriteAccess',
      FUNCTION,
    ],
  ),
  [
    'lambda-start',
    'Lambda, AWSLambdaSQSQueueExecutionRole',
    ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
  ],
  [
    'stepfunctions',
    'Step Functions, logging to CloudWatch Logs',
    [
      'logs:CreateLogDelivery',
      'logs:DeleteLogDelivery',
      'logs:DescribeLogGroups',
      'logs:DescribeResourcePolicies',
      'logs:GetLogDelivery',
      'logs:ListLogDeliveries',
      'logs:PutResourcePolicy',
      'logs:UpdateLogDelivery',
    ],
  ],
  [
    'stepfunctions',
    'Step Functions, X-Ray',
    ['xray:GetSamplingRules', 'xray:GetSamplingTargets', 'xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
  ],
  [
    'stepfunctions',
    'Step Functions, MediaConvert createJob.sync',
    [
      'events:DescribeRule',
      'events:PutRule',
      'events:PutTargets',
      'iam:PassRole',
      'mediaconvert:CancelJob',
      'mediaconvert:CreateJob',
      'mediaconvert:GetJob',
    ],
  ],
  [
    'execution',
    'ECS, AmazonECSTaskExecutionRolePolicy, and secrets under a key of one’s own',
    [
      'ecr:BatchCheckLayerAvailability',
      'ecr:BatchGetImage',
      'ecr:GetAuthorizationToken',
      'ecr:GetDownloadUrlForLayer',
      'kms:Decrypt',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      'secretsmanager:GetSecretValue',
    ],
  ],
  // each part but the first needs the data key of the upload again
  ...['lambda-thumbnails', 'lambda-zip', 'mediaconvert', 'backend'].map(
    (role): [string, string, string[]] => [
      role,
      'S3, multipart upload with SSE-KMS',
      ['kms:Decrypt', 'kms:GenerateDataKey'],
    ],
  ),
  ['backend', 'X-Ray, AWSXRayDaemonWriteAccess', ['xray:PutTelemetryRecords', 'xray:PutTraceSegments']],
  [
    'admin',
    'S3, finding, bringing back and removing a version by hand',
    [
      's3:DeleteObject',
      's3:DeleteObjectVersion',
      's3:GetObject',
      's3:GetObjectTagging',
      's3:GetObjectVersion',
      's3:ListBucket',
      's3:ListBucketVersions',
      's3:PutObject',
      's3:PutObjectTagging',
      's3:RestoreObject',
    ],
  ],
  [
    'admin',
    'SQS, dead-letter queue redrive',
    [
      'sqs:CancelMessageMoveTask',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ListMessageMoveTasks',
      'sqs:PurgeQueue',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
      'sqs:StartMessageMoveTask',
    ],
  ],
];
for (const [role, source, actions] of ACTIONS) {
  test(`${role} may do all that AWS asks for: ${source}`, (t) => {
    t.deepEqual(
      actions.filter((action) => allowing(role, action).length === 0),
      [],
    );
  });
}

test('Step Functions hears of ended transcodes by the one rule that AWS names', (t) => {
  const [statement] = allowing('stepfunctions', 'events:PutRule');
  t.is(statement?.Resource?.length, 1);
  t.regex(statement?.Resource?.[0] ?? '', /:rule\/StepFunctionsGetEventsForMediaConvertJobRule$/);
});

test('the account can administer its key, so that it never locks itself out', (t) => {
  const key = inputsOf(graph, 'kms/key:Key');
  const administration = statementsIn(key.policy).find(({ Sid }) => Sid === 'Administration');
  t.deepEqual(administration?.Principal, {
    AWS: `arn:aws:iam::${JSON.parse(String(inputsOfProvider().allowedAccountIds))[0]}:root`,
  });
  const missing = [
    // KMS, "Allows key administrators to administer the key": the actions that exist for a symmetric key of one region
    'kms:CancelKeyDeletion',
    'kms:CreateAlias',
    'kms:CreateGrant',
    'kms:DeleteAlias',
    'kms:DescribeKey',
    'kms:DisableKey',
    'kms:EnableKey',
    'kms:EnableKeyRotation',
    'kms:GetKeyPolicy',
    'kms:GetKeyRotationStatus',
    'kms:ListAliases',
    'kms:ListGrants',
    'kms:ListKeyPolicies',
    'kms:ListResourceTags',
    'kms:PutKeyPolicy',
    'kms:RevokeGrant',
    'kms:RotateKeyOnDemand',
    'kms:ScheduleKeyDeletion',
    'kms:TagResource',
    'kms:UntagResource',
    'kms:UpdateAlias',
    'kms:UpdateKeyDescription',
    // ECR, "Encryption at rest": to create and remove a repository
    'kms:RetireGrant',
  ].filter((action) => !administration?.Action.includes(action));
  t.deepEqual(missing, []);
});

test('EventBridge may write the events of the one rule into their log group', (t) => {
  const { policyDocument } = inputsOf(graph, 'cloudwatch/logResourcePolicy:LogResourcePolicy');
  const statements = statementsIn(policyDocument);
  const rule = ofType(graph, 'cloudwatch/eventRule:EventRule').find(({ inputs }) =>
    String(inputs.name).includes('-status-'),
  );
  for (const action of ['logs:CreateLogStream', 'logs:PutLogEvents']) {
    const [statement, ...others] = statements.filter(({ Action }) => Action.includes(action));
    t.deepEqual(others, []);
    // CloudWatch Logs, "EventBridge rules that target log groups"
    t.deepEqual(statement?.Principal, { Service: ['delivery.logs.amazonaws.com', 'events.amazonaws.com'] });
    t.regex(statement?.Resource?.join() ?? '', /:log-group:\/aws\/events\/[^,]+:\*$/);
  }
  const [writing] = statements.filter(({ Action }) => Action.includes('logs:PutLogEvents'));
  t.deepEqual(writing?.Condition, { ArnEquals: { 'aws:SourceArn': [String(rule?.outputs.arn)] } });
});

test('a browser may read the headers by which an upload is completed', (t) => {
  const { corsRules } = inputsOf(graph, 's3/bucketCorsConfiguration:BucketCorsConfiguration');
  const [rule] = Array.isArray(corsRules) ? corsRules : [];
  for (const header of ['ETag', 'x-amz-checksum-sha256', 'x-amz-version-id']) {
    t.true(rule.exposeHeaders.includes(header), header);
  }
});

test('access logs are forgotten after the days that the configuration says', (t) => {
  const { rules } = inputsOf(
    graph,
    's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration',
    'storage-logs',
  );
  const [rule] = Array.isArray(rules) ? rules : [];
  t.like(rule, { status: 'Enabled', expiration: { days: 365 } });
  t.truthy(rule.abortIncompleteMultipartUpload.daysAfterInitiation);
});

test('the task has the size that the configuration says', (t) => {
  const task = ofType(graph, 'ecs/taskDefinition:TaskDefinition').find(
    ({ name }) => !/migrations/.test(name),
  );
  t.like(task?.inputs, { cpu: '1024', memory: '2048' });
});

test('every resource says to whom it belongs', (t) => {
  const { tags } = JSON.parse(String(inputsOfProvider().defaultTags));
  t.deepEqual(tags, { Project: 'toq-media', Environment: STACK, ManagedBy: 'pulumi' });
});

const Output = z.object({
  VideoDescription: z.object({
    CodecSettings: z.object({ H264Settings: z.record(z.string(), z.unknown()).optional() }),
  }),
  AudioDescriptions: z
    .array(
      z.object({
        AudioSourceName: z.string(),
        CodecSettings: z.object({ AacSettings: z.record(z.string(), z.unknown()) }),
      }),
    )
    .optional(),
});
const JobTemplate = z.object({
  TimecodeConfig: z.object({ Source: z.literal('ZEROBASED') }),
  Inputs: z.tuple([
    z.object({
      TimecodeSource: z.literal('ZEROBASED'),
      AudioSelectors: z.record(z.string(), z.object({ DefaultSelection: z.literal('DEFAULT') })),
    }),
  ]),
  OutputGroups: z.tuple([
    z.object({
      OutputGroupSettings: z.object({ Type: z.literal('FILE_GROUP_SETTINGS') }),
      Outputs: z.array(Output).length(3),
    }),
  ]),
});

test('each job template has what MediaConvert asks of its codecs', (t) => {
  const { Resources } = JSON.parse(
    String(inputsOf(graph, 'cloudformation/stack:Stack', 'transcoding').templateBody),
  );
  for (const orientation of ['Horizontal', 'Vertical']) {
    const { Inputs, OutputGroups } = JobTemplate.parse(Resources[orientation].Properties.SettingsJson);
    const renditions = OutputGroups[0].Outputs.filter(({ AudioDescriptions }) => AudioDescriptions);
    t.is(renditions.length, 2);
    for (const { VideoDescription, AudioDescriptions = [] } of renditions) {
      // QVBR has a quality from 1 to 10, and frame rate and pixels are given or taken from the source
      t.like(VideoDescription.CodecSettings.H264Settings, {
        QvbrSettings: { QvbrQualityLevel: 8 },
        QualityTuningLevel: 'SINGLE_PASS_HQ',
        SceneChangeDetect: 'TRANSITION_DETECTION',
        FramerateControl: 'INITIALIZE_FROM_SOURCE',
        ParControl: 'INITIALIZE_FROM_SOURCE',
      });
      t.is(AudioDescriptions.length, 1);
      for (const { AudioSourceName, CodecSettings } of AudioDescriptions) {
        t.true(AudioSourceName in Inputs[0].AudioSelectors, 'a selector of the input');
        t.like(CodecSettings.AacSettings, { CodingMode: 'CODING_MODE_2_0', SampleRate: 48_000 });
      }
    }
  }
});

function inputsOfProvider() {
  const provider = graph.resources.find(({ type }) => type === 'pulumi:providers:aws');
  if (!provider) throw new Error('no provider');
  return provider.inputs;
}
