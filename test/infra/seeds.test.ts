import { readFileSync } from 'node:fs';
import test from 'ava';
import { at, list, type Statement, statements } from '../../infra/rules/rule.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { VARIANT_WIDTHS } from '../../statemachines/contracts.ts';
import { bundleKey, rawKey, variantKeys } from '../../statemachines/object-keys.ts';
import { graphOf, inputsOf, ofType } from '../support/graphs.ts';
import { DIFFERENCES } from '../support/seed-differences.ts';

let graph: Graph;
test.before(async () => {
  graph = await graphOf('staging');
});

const ACCOUNT = '058264253741';
const regional = (service: string, resource: string) => `arn:aws:${service}:us-east-1:${ACCOUNT}:${resource}`;
const key = () => ofType(graph, 'kms/key:Key')[0];
const bucket = (type: string) => inputsOf(graph, `s3/${type}`, 'storage-media');
const queue = () => inputsOf(graph, 'sqs/queue:Queue', 'listing-media-processing-staging');
const deadLetters = () => inputsOf(graph, 'sqs/queue:Queue', 'listing-media-processing-dlq-staging');
const lambda = (task: string) => inputsOf(graph, 'lambda/function:Function', `listing-media-${task}-staging`);
const machine = (part: string) =>
  inputsOf(graph, 'sfn/stateMachine:StateMachine', `listing-media-${part}-sm-staging`);
const definition = (part: string) => JSON.parse(String(machine(part).definition));
const invoked = (state: unknown) => String(at(state, 'Parameters.FunctionName')).split(':').at(-1);
const role = (part: string) => inputsOf(graph, 'iam/role:Role', `toq-media-processing-${part}-staging`);
const trusts = (part: string) =>
  list(at(statements(role(part).assumeRolePolicy)[0]?.Principal, 'Service')).join();
const names = (type: string) => ofType(graph, type).map(({ inputs }) => String(inputs.name));
const template = () =>
  JSON.parse(String(inputsOf(graph, 'cloudformation/stack:Stack').templateBody)).Resources;
const container = () =>
  JSON.parse(
    String(inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service').containerDefinitions),
  )[0];
const variable = (name: string) => list(container().environment).find((one) => at(one, 'name') === name);

/** What a role may do, of these actions. */
function grants(part: string, actions: string[]) {
  const allowed = statements(
    inputsOf(graph, 'iam/rolePolicy:RolePolicy', `toq-media-processing-${part}-staging`).policy,
  ).flatMap(({ Action }: Statement) => list(Action).map(String));
  return actions.filter((action) => allowed.includes(action));
}
const all = (part: string, ...actions: string[]) => ({ is: () => grants(part, actions), should: actions });
const same = (is: () => unknown, should: unknown) => ({ is, should });

/** Seed, section, what it says; how the graph has it, and what that should be. */
const STATEMENTS: [string, string, string, { is: () => unknown; should: unknown }][] = [
  [
    '001',
    '1.1',
    'the bucket is encrypted with SSE-KMS',
    same(
      () =>
        at(
          bucket('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration').rules,
          'applyServerSideEncryptionByDefault.sseAlgorithm',
        ),
      'aws:kms',
    ),
  ],
  [
    '002',
    '2',
    'with the key of section 1',
    same(
      () =>
        at(
          bucket('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration').rules,
          'applyServerSideEncryptionByDefault.kmsMasterKeyId',
        ) === key()?.outputs.arn,
      true,
    ),
  ],
  [
    '001',
    '1.1',
    'versioning is on',
    same(() => at(bucket('bucketVersioning:BucketVersioning'), 'versioningConfiguration.status'), 'Enabled'),
  ],
  [
    '001',
    '1.1',
    'public access is blocked, all four options',
    same(
      () => {
        const { bucket: _, ...blocks } = bucket('bucketPublicAccessBlock:BucketPublicAccessBlock');
        return blocks;
      },
      { blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    ),
  ],
  [
    '001',
    '1.1',
    'raw/ goes to Glacier after 180 days',
    same(
      () => at(bucket('bucketLifecycleConfiguration:BucketLifecycleConfiguration').rules, 'transitions'),
      [{ days: 180, storageClass: 'GLACIER' }],
    ),
  ],
  [
    '001',
    '1.1',
    'deletes are denied but for the backend (and break-glass)',
    same(() => {
      const denied = statements(bucket('bucketPolicy:BucketPolicy').policy).find(({ Action }) =>
        list(Action).includes('s3:DeleteObject'),
      );
      return [denied?.Effect, denied?.Condition?.ArnNotEquals?.['aws:PrincipalArn']];
    }, [
      'Deny',
      ['backend', 'admin'].map((part) => `arn:aws:iam::${ACCOUNT}:role/toq-media-processing-${part}-staging`),
    ]),
  ],
  [
    '001',
    '1.1',
    'project/* has a policy of its own, for requests that the backend signs',
    same(
      () =>
        statements(
          inputsOf(graph, 'iam/rolePolicy:RolePolicy', 'toq-media-processing-project-uploads-staging').policy,
        )[0]?.Resource,
      ['arn:aws:s3:::toq-listing-medias/*/raw/project/*'],
    ),
  ],
  ['001', '1.1', 'the backend puts and gets objects', all('backend', 's3:PutObject', 's3:GetObject')],
  [
    '002',
    '2',
    'the bucket is toq-listing-medias',
    same(() => bucket('bucket:Bucket').bucket, 'toq-listing-medias'),
  ],
  [
    '002',
    '2',
    'in us-east-1',
    same(
      () => graph.resources.find(({ type }) => type === 'pulumi:providers:aws')?.inputs.region,
      'us-east-1',
    ),
  ],
  [
    '002',
    '2',
    'access logs go to toq-logs-staging',
    same(() => bucket('bucketLogging:BucketLogging').targetBucket, 'toq-logs-staging'),
  ],
  [
    '002',
    '2',
    'the log bucket is declared',
    same(() => inputsOf(graph, 's3/bucket:Bucket', 'storage-logs').bucket, 'toq-logs-staging'),
  ],
  [
    '002',
    '2',
    'an original is /{listing}/raw/{segment}/{reference}-{filename}, without a date',
    same(
      () =>
        rawKey({
          listingIdentityId: 28,
          type: 'PHOTO_HORIZONTAL',
          reference: 'horizontal-01',
          filename: 'IMG_2907.jpg',
          contentType: 'image/jpeg',
        }),
      '28/raw/photo/horizontal/horizontal-01-IMG_2907.jpg',
    ),
  ],
  [
    '002',
    '2',
    'a variant is /{listing}/processed/{segment}/{size}/{filename}',
    same(
      () => variantKeys('28/raw/photo/horizontal/a.jpg').large,
      '28/processed/photo/horizontal/large/a.jpg',
    ),
  ],
  [
    '002',
    '2',
    'sizes are 200, 400, 800 and 1200 px',
    same(() => VARIANT_WIDTHS, { thumbnail: 200, small: 400, medium: 800, large: 1200 }),
  ],
  [
    '002',
    '2',
    'the bundle is /{listing}/processed/zip/listing-media.zip',
    same(() => bundleKey(28), '28/processed/zip/listing-media.zip'),
  ],
  [
    '002',
    '1',
    'the key is alias/toq-media-processing-staging',
    same(() => names('kms/alias:Alias'), ['alias/toq-media-processing-staging']),
  ],
  [
    '001',
    '1.2',
    'the key rotates every year',
    same(() => [key()?.inputs.enableKeyRotation, key()?.inputs.rotationPeriodInDays], [true, undefined]),
  ],
  [
    '001',
    '1.2',
    'backend, Lambdas and MediaConvert may use the key',
    same(() => {
      const use = statements(key()?.inputs.policy).find(({ Sid }) => Sid === 'Use');
      const users = list(use?.Condition?.ArnEquals?.['aws:PrincipalArn']).join(' ');
      return ['backend', 'lambda-validate', 'lambda-thumbnails', 'lambda-zip', 'mediaconvert'].filter(
        (part) => users.includes(`-${part}-staging`),
      );
    }, ['backend', 'lambda-validate', 'lambda-thumbnails', 'lambda-zip', 'mediaconvert']),
  ],
  [
    '002',
    '3',
    'the queue is listing-media-processing-staging',
    same(() => queue().name, 'listing-media-processing-staging'),
  ],
  [
    '002',
    '3',
    'at this URL',
    same(
      () => graph.outputs.queueUrl,
      `https://sqs.us-east-1.amazonaws.com/${ACCOUNT}/listing-media-processing-staging`,
    ),
  ],
  ['001', '1.3', 'Standard, not FIFO', same(() => queue().fifoQueue, undefined)],
  ['001', '1.3', 'visibility timeout 60 s', same(() => queue().visibilityTimeoutSeconds, 60)],
  [
    '002',
    '3',
    'messages are kept for 4 days (345600 s)',
    same(() => queue().messageRetentionSeconds, 345_600),
  ],
  ['002', '3', 'long polling 20 s', same(() => queue().receiveWaitTimeSeconds, 20)],
  [
    '001',
    '1.3',
    'encrypted with the same key',
    same(() => queue().kmsMasterKeyId === key()?.outputs.arn, true),
  ],
  [
    '001',
    '1.3',
    'dead letters after 5 receives',
    same(() => JSON.parse(String(queue().redrivePolicy)), {
      deadLetterTargetArn: regional('sqs', 'listing-media-processing-dlq-staging'),
      maxReceiveCount: 5,
    }),
  ],
  [
    '002',
    '3',
    'dead letters are kept for 14 days (1209600 s)',
    same(() => deadLetters().messageRetentionSeconds, 1_209_600),
  ],
  [
    '002',
    '3',
    'dead letters are encrypted',
    same(() => deadLetters().kmsMasterKeyId === key()?.outputs.arn, true),
  ],
  [
    '002',
    '4.1',
    'the backend role is toq-media-processing-backend-staging',
    same(() => role('backend').name, 'toq-media-processing-backend-staging'),
  ],
  [
    '002',
    '4.1',
    'it sends messages and asks after the queue',
    all('backend', 'sqs:SendMessage', 'sqs:GetQueueAttributes'),
  ],
  ['002', '4.1', 'it uses the key', all('backend', 'kms:Decrypt', 'kms:GenerateDataKey')],
  [
    '002',
    '4.1',
    'it starts and describes executions',
    all('backend', 'states:StartExecution', 'states:DescribeExecution'),
  ],
  [
    '002',
    '4.2',
    'the Lambdas’ roles trust lambda.amazonaws.com',
    same(() => trusts('lambda-validate'), 'lambda.amazonaws.com'),
  ],
  [
    '002',
    '4.3',
    'the machines’ role is toq-media-processing-stepfunctions-staging and trusts states.amazonaws.com',
    same(() => trusts('stepfunctions'), 'states.amazonaws.com'),
  ],
  [
    '002',
    '4.3',
    'it invokes all five Lambdas',
    same(
      () =>
        statements(
          inputsOf(graph, 'iam/rolePolicy:RolePolicy', 'toq-media-processing-stepfunctions-staging').policy,
        ).find(({ Action }) => list(Action).includes('lambda:InvokeFunction'))?.Resource?.length,
      5,
    ),
  ],
  [
    '002',
    '4.3',
    'it creates and gets MediaConvert jobs',
    all('stepfunctions', 'mediaconvert:CreateJob', 'mediaconvert:GetJob'),
  ],
  [
    '001',
    '1.4',
    'it delivers logs and writes traces',
    all('stepfunctions', 'logs:CreateLogDelivery', 'xray:PutTraceSegments'),
  ],
  [
    '002',
    '4.4',
    'MediaConvert’s role is toq-media-processing-mediaconvert-staging and trusts mediaconvert.amazonaws.com',
    same(() => trusts('mediaconvert'), 'mediaconvert.amazonaws.com'),
  ],
  ['002', '4.4', 'it gets and puts objects', all('mediaconvert', 's3:GetObject', 's3:PutObject')],
  [
    '001',
    '1.8',
    'a break-glass role reaches bucket and queues',
    all('admin', 's3:GetObject', 's3:DeleteObject', 'sqs:ReceiveMessage', 'sqs:StartMessageMoveTask'),
  ],
  [
    '002',
    '5',
    'the Lambdas have these names',
    same(
      () =>
        ['validate', 'thumbnails', 'zip', 'consolidate', 'callback-dispatch'].map(
          (task) => lambda(task).name,
        ),
      ['validate', 'thumbnails', 'zip', 'consolidate', 'callback-dispatch'].map(
        (task) => `listing-media-${task}-staging`,
      ),
    ),
  ],
  [
    '001',
    '1.5',
    'their environment has ENV, MEDIA_BUCKET and TRACE_HEADER_KEY',
    same(() => at(lambda('validate'), 'environment.variables'), {
      ENV: 'staging',
      MEDIA_BUCKET: 'toq-listing-medias',
      TRACE_HEADER_KEY: 'traceparent',
    }),
  ],
  [
    '001',
    '1.5',
    'callback-dispatch has CALLBACK_URL',
    same(
      () =>
        at(lambda('callback-dispatch'), 'environment.variables.CALLBACK_URL') === graph.outputs.callbackUrl,
      true,
    ),
  ],
  ['001', '1.5', 'X-Ray is on', same(() => at(lambda('zip'), 'tracingConfig.mode'), 'Active')],
  [
    '001',
    '1.5',
    'logs are in /aws/lambda/{function}',
    same(() => at(lambda('zip'), 'loggingConfig.logGroup'), '/aws/lambda/listing-media-zip-staging'),
  ],
  ['001', '1.5', 'validate reads originals with their attributes', all('lambda-validate', 's3:GetObject')],
  ['001', '1.4', 'the machine is Standard', same(() => machine('processing').type, 'STANDARD')],
  ['001', '1.4', 'and ends after an hour', same(() => definition('processing').TimeoutSeconds, 3600)],
  [
    '002',
    '6.1',
    'ValidateRawAssets → ParallelProcessing → ConsolidateResults → FinalizeAndCallback',
    same(() => {
      const { States } = definition('processing');
      return ['ValidateRawAssets', 'ParallelProcessing', 'ConsolidateResults'].map(
        (name) => States[name].Next,
      );
    }, ['ParallelProcessing', 'ConsolidateResults', 'FinalizeAndCallback']),
  ],
  [
    '001',
    '1.4',
    'with the branches ImageThumbnails and VideoTranscode',
    same(
      () =>
        definition('processing')
          .States.ParallelProcessing.Branches.slice(0, 2)
          .map(({ StartAt }: { StartAt: string }) => StartAt),
      ['ImageThumbnails', 'VideoTranscode'],
    ),
  ],
  [
    '002',
    '6.1',
    'by these functions',
    same(
      () =>
        ['ValidateRawAssets', 'ConsolidateResults', 'FinalizeAndCallback'].map((name) =>
          invoked(definition('processing').States[name]),
        ),
      [
        'listing-media-validate-staging',
        'listing-media-consolidate-staging',
        'listing-media-callback-dispatch-staging',
      ],
    ),
  ],
  [
    '002',
    '6.2',
    'finalization: CreateZipBundle by listing-media-zip-staging',
    same(() => invoked(definition('finalization').States.CreateZipBundle), 'listing-media-zip-staging'),
  ],
  [
    '002',
    '6.2',
    'FinalizeAndCallback reports STEP_FUNCTIONS_FINALIZATION, ReportFailure FINALIZATION_FAILED',
    same(
      () =>
        ['FinalizeAndCallback', 'ReportFailure', 'STEP_FUNCTIONS_FINALIZATION', 'FINALIZATION_FAILED'].filter(
          (word) => String(machine('finalization').definition).includes(`"${word}"`),
        ).length,
      4,
    ),
  ],
  [
    '001',
    '1.6',
    'the template is toq-media-video-preset, MP4 in 1080p and 720p',
    same(
      () => [
        template().Horizontal.Properties.Name,
        ...template()
          .Horizontal.Properties.SettingsJson.OutputGroups[0].Outputs.slice(0, 2)
          .map(
            ({
              NameModifier,
              ContainerSettings,
            }: {
              NameModifier: string;
              ContainerSettings: { Container: string };
            }) => `${NameModifier} ${ContainerSettings.Container}`,
          ),
      ],
      ['toq-media-video-preset', '-1080p MP4', '-720p MP4'],
    ),
  ],
  [
    '001',
    '1.6',
    'the queue is toq-media-queue',
    same(() => names('mediaconvert/queue:Queue'), ['toq-media-queue']),
  ],
  [
    '001',
    '1.7',
    'POST /media-processing/callback goes through a VPC link',
    same(() => {
      const found = ofType(graph, 'apigatewayv2/route:Route').find(
        ({ inputs }) => inputs.routeKey === 'POST /media-processing/callback',
      );
      return ofType(graph, 'apigatewayv2/integration:Integration').find(
        ({ id }) => found?.inputs.target === `integrations/${id}`,
      )?.inputs.connectionType;
    }, 'VPC_LINK'),
  ],
  [
    '001',
    '1.7',
    'the rule toq-media-mediaconvert-status filters the ends of jobs',
    same(
      () =>
        JSON.parse(
          String(
            inputsOf(graph, 'cloudwatch/eventRule:EventRule', 'toq-media-mediaconvert-status-staging')
              .eventPattern,
          ),
        ).detail.status,
      ['COMPLETE', 'ERROR'],
    ),
  ],
  [
    '001',
    '1.9',
    'a failed transcode reaches SNS toq-media-alerts',
    same(
      () =>
        ofType(graph, 'cloudwatch/eventTarget:EventTarget')
          .map(({ inputs }) => inputs.arn)
          .includes(regional('sns', 'toq-media-alerts-staging')),
      true,
    ),
  ],
  [
    '001',
    '1.9',
    'an alarm for failed executions, dead letters and callback-dispatch, within 5 min',
    same(
      () =>
        ofType(graph, 'cloudwatch/metricAlarm:MetricAlarm')
          .filter(
            ({ inputs }) =>
              (Number(inputs.period) <= 300 &&
                Number(inputs.threshold) === 1 &&
                ['ExecutionsFailed', 'ApproximateNumberOfMessagesVisible'].includes(
                  String(inputs.metricName),
                )) ||
              (inputs.metricName === 'Errors' &&
                JSON.stringify(inputs.dimensions).includes('callback-dispatch')),
          )
          .map(({ inputs }) => inputs.metricName)
          .sort(),
      ['ApproximateNumberOfMessagesVisible', 'Errors', 'ExecutionsFailed', 'ExecutionsFailed'],
    ),
  ],
  [
    '001',
    '1.9',
    'a dashboard shows executions, queue depths and errors',
    same(
      () =>
        ofType(graph, 'cloudwatch/dashboard:Dashboard').map(
          ({ inputs }) =>
            [
              'ExecutionsSucceeded',
              'ExecutionsFailed',
              'ApproximateNumberOfMessagesVisible',
              'Errors',
            ].filter((metric) => String(inputs.dashboardBody).includes(metric)).length,
        ),
      [4],
    ),
  ],
  [
    '002',
    '7',
    'jobs are reconciled every 5 minutes',
    same(() => at(variable('RECONCILE_INTERVAL_SECONDS'), 'value'), '300'),
  ],
  [
    '002',
    '7',
    'a job is stuck after 30 minutes',
    same(() => at(variable('STUCK_JOB_TIMEOUT_MINUTES'), 'value'), '30'),
  ],
  [
    '001',
    '3',
    'ARNs of machines, queues and roles are handed over',
    same(
      () =>
        [
          'processingStateMachineArn',
          'finalizationStateMachineArn',
          'queueArn',
          'deadLetterQueueArn',
          'roleArns',
          'kmsKeyArn',
        ].filter((name) => !graph.outputs[name]),
      [],
    ),
  ],
  [
    '001',
    '4',
    'no component removes objects by itself',
    same(
      () =>
        list(bucket('bucketLifecycleConfiguration:BucketLifecycleConfiguration').rules).filter((rule) =>
          at(rule, 'expiration.days'),
        ).length,
      0,
    ),
  ],
];

for (const [seed, section, said, { is, should }] of STATEMENTS) {
  test(`seed ${seed} §${section}: ${said}`, (t) => {
    t.deepEqual(is(), should);
  });
}

for (const { seed, section, asks, now } of DIFFERENCES) {
  test(`seed ${seed} §${section} is answered differently: ${asks}`, (t) => {
    t.true(now(graph));
  });
}

test('docs/seeds.md lists exactly these differences', (t) => {
  const rows = readFileSync('docs/seeds.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| 00/.test(line));
  t.deepEqual(
    rows,
    DIFFERENCES.map(
      ({ seed, section, asks, answer, reason }) =>
        `| ${seed} §${section} | ${asks} | ${answer} | ${reason} |`,
    ),
  );
});
