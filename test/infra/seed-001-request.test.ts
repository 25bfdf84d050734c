import test from 'ava';
import { at, list, statements } from '../../infra/rules/rule.ts';
import { ofType } from '../support/graphs.ts';
import { ACCOUNT, arnOf, grants, testSentences } from '../support/seeds.ts';

/** Who uses the key, by the ends of their roles' names. */
const KEY_USERS = ['backend', 'lambda-validate', 'lambda-thumbnails', 'lambda-zip', 'mediaconvert'];
const DASHBOARD = ['ExecutionsSucceeded', 'ExecutionsFailed', 'ApproximateNumberOfMessagesVisible', 'Errors'];
const OUTPUTS = [
  'processingStateMachineArn',
  'finalizationStateMachineArn',
  'queueArn',
  'deadLetterQueueArn',
  'roleArns',
  'kmsKeyArn',
];

/** The request for infrastructure to the cloud and database teams. Objects' keys are left to seed 002, which is newer. */
testSentences(test, '001', {
  '1.1': [
    [
      'the bucket is encrypted with SSE-KMS',
      ({ bucket }) =>
        at(
          bucket('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration'),
          'rules.applyServerSideEncryptionByDefault.sseAlgorithm',
        ),
      'aws:kms',
    ],
    [
      'versioning is on',
      ({ bucket }) => at(bucket('bucketVersioning:BucketVersioning'), 'versioningConfiguration.status'),
      'Enabled',
    ],
    [
      'public access is blocked, all four options',
      ({ bucket }) => {
        const { bucket: _, ...blocks } = bucket('bucketPublicAccessBlock:BucketPublicAccessBlock');
        return blocks;
      },
      { blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    ],
    [
      'raw/ goes to Glacier after 180 days',
      ({ bucket }) =>
        at(bucket('bucketLifecycleConfiguration:BucketLifecycleConfiguration').rules, 'transitions'),
      [{ days: 180, storageClass: 'GLACIER' }],
    ],
    [
      'deletes are denied but for the backend (and break-glass)',
      ({ bucket }) => {
        const denied = statements(bucket('bucketPolicy:BucketPolicy').policy).find(({ Action }) =>
          list(Action).includes('s3:DeleteObject'),
        );
        return [denied?.Effect, denied?.Condition?.ArnNotEquals?.['aws:PrincipalArn']];
      },
      [
        'Deny',
        ['backend', 'admin'].map(
          (part) => `arn:aws:iam::${ACCOUNT}:role/toq-media-processing-${part}-staging`,
        ),
      ],
    ],
    [
      'project/* has a policy of its own, for requests that the backend signs',
      ({ policy }) => policy('project-uploads')[0]?.Resource,
      ['arn:aws:s3:::toq-listing-medias/*/raw/project/*'],
    ],
    grants('the backend puts and gets objects', 'backend', 's3:PutObject', 's3:GetObject'),
  ],

  '1.2': [
    [
      'the key rotates every year',
      ({ key }) => [key()?.inputs.enableKeyRotation, key()?.inputs.rotationPeriodInDays],
      [true, undefined],
    ],
    [
      'backend, Lambdas and MediaConvert may use the key',
      ({ key }) => {
        const use = statements(key()?.inputs.policy).find(({ Sid }) => Sid === 'Use');
        const users = list(use?.Condition?.ArnEquals?.['aws:PrincipalArn']).join(' ');
        return KEY_USERS.filter((part) => users.includes(`-${part}-staging`));
      },
      KEY_USERS,
    ],
  ],

  '1.3': [
    ['the queue is Standard, not FIFO', ({ queue }) => queue().fifoQueue, undefined],
    ['visibility timeout 60 s', ({ queue }) => queue().visibilityTimeoutSeconds, 60],
    [
      'the queue is encrypted with the same key',
      ({ queue, key }) => queue().kmsMasterKeyId === key()?.outputs.arn,
      true,
    ],
    [
      'dead letters after 5 receives',
      ({ queue }) => JSON.parse(String(queue().redrivePolicy)),
      { deadLetterTargetArn: arnOf('sqs', 'listing-media-processing-dlq-staging'), maxReceiveCount: 5 },
    ],
  ],

  '1.4': [
    grants(
      'the machines deliver logs and write traces',
      'stepfunctions',
      'logs:CreateLogDelivery',
      'xray:PutTraceSegments',
    ),
    ['the machine is Standard', ({ machine }) => machine('processing').type, 'STANDARD'],
    [
      'the machine ends after an hour',
      ({ machine }) => JSON.parse(String(machine('processing').definition)).TimeoutSeconds,
      3600,
    ],
    [
      'the machine has the branches ImageThumbnails and VideoTranscode',
      ({ states }) =>
        list(at(states('processing').ParallelProcessing, 'Branches'))
          .slice(0, 2)
          .map((branch) => at(branch, 'StartAt')),
      ['ImageThumbnails', 'VideoTranscode'],
    ],
  ],

  '1.5': [
    [
      'the Lambdas’ environment has ENV, MEDIA_BUCKET and TRACE_HEADER_KEY',
      ({ lambda }) => at(lambda('validate'), 'environment.variables'),
      { ENV: 'staging', MEDIA_BUCKET: 'toq-listing-medias', TRACE_HEADER_KEY: 'traceparent' },
    ],
    [
      'callback-dispatch has CALLBACK_URL',
      ({ lambda, graph }) =>
        at(lambda('callback-dispatch'), 'environment.variables.CALLBACK_URL') === graph.outputs.callbackUrl,
      true,
    ],
    ['X-Ray is on', ({ lambda }) => at(lambda('zip'), 'tracingConfig.mode'), 'Active'],
    [
      'logs are in /aws/lambda/{function}',
      ({ lambda }) => at(lambda('zip'), 'loggingConfig.logGroup'),
      '/aws/lambda/listing-media-zip-staging',
    ],
    grants('validate reads originals with their attributes', 'lambda-validate', 's3:GetObject'),
  ],

  '1.6': [
    [
      'the template is toq-media-video-preset, MP4 in 1080p and 720p',
      ({ inputs }) => {
        const template = JSON.parse(String(inputs('cloudformation/stack:Stack').templateBody));
        const { Name, SettingsJson } = template.Resources.Horizontal.Properties;
        const outputs = list(at(SettingsJson, 'OutputGroups.Outputs')).slice(0, 2);
        return [
          Name,
          ...outputs.map((one) => `${at(one, 'NameModifier')} ${at(one, 'ContainerSettings.Container')}`),
        ];
      },
      ['toq-media-video-preset', '-1080p MP4', '-720p MP4'],
    ],
    ['the queue is toq-media-queue', ({ names }) => names('mediaconvert/queue:Queue'), ['toq-media-queue']],
  ],

  '1.7': [
    [
      'POST /media-processing/callback goes through a VPC link',
      ({ graph }) => {
        const route = ofType(graph, 'apigatewayv2/route:Route').find(
          ({ inputs }) => inputs.routeKey === 'POST /media-processing/callback',
        );
        return ofType(graph, 'apigatewayv2/integration:Integration').find(
          ({ id }) => route?.inputs.target === `integrations/${id}`,
        )?.inputs.connectionType;
      },
      'VPC_LINK',
    ],
    [
      'the rule toq-media-mediaconvert-status filters the ends of jobs',
      ({ inputs }) => {
        const rule = inputs('cloudwatch/eventRule:EventRule', 'toq-media-mediaconvert-status-staging');
        return JSON.parse(String(rule.eventPattern)).detail.status;
      },
      ['COMPLETE', 'ERROR'],
    ],
  ],

  '1.8': [
    grants(
      'a break-glass role reaches bucket and queues',
      'admin',
      ...['s3:GetObject', 's3:DeleteObject', 'sqs:ReceiveMessage', 'sqs:StartMessageMoveTask'],
    ),
  ],

  '1.9': [
    [
      'a failed transcode reaches SNS toq-media-alerts',
      ({ graph }) =>
        ofType(graph, 'cloudwatch/eventTarget:EventTarget')
          .map(({ inputs }) => inputs.arn)
          .includes(arnOf('sns', 'toq-media-alerts-staging')),
      true,
    ],
    [
      'an alarm for failed executions, dead letters and callback-dispatch, within 5 min',
      ({ graph }) =>
        ofType(graph, 'cloudwatch/metricAlarm:MetricAlarm')
          .map(({ inputs }) => inputs)
          .filter(
            ({ metricName, period, threshold, dimensions }) =>
              (Number(period) <= 300 &&
                threshold === 1 &&
                ['ExecutionsFailed', 'ApproximateNumberOfMessagesVisible'].includes(String(metricName))) ||
              (metricName === 'Errors' && JSON.stringify(dimensions).includes('callback-dispatch')),
          )
          .map(({ metricName }) => metricName)
          .sort(),
      ['ApproximateNumberOfMessagesVisible', 'Errors', 'ExecutionsFailed', 'ExecutionsFailed'],
    ],
    [
      'a dashboard shows executions, queue depths and errors',
      ({ inputs }) => {
        const { dashboardBody } = inputs('cloudwatch/dashboard:Dashboard');
        return DASHBOARD.filter((metric) => String(dashboardBody).includes(`"${metric}"`));
      },
      DASHBOARD,
    ],
  ],

  '3': [
    [
      'ARNs of machines, queues and roles are handed over',
      ({ graph }) => OUTPUTS.filter((name) => graph.outputs[name]),
      OUTPUTS,
    ],
  ],

  '4': [
    [
      'no component removes objects by itself',
      ({ bucket }) =>
        list(bucket('bucketLifecycleConfiguration:BucketLifecycleConfiguration').rules).filter((rule) =>
          at(rule, 'expiration.days'),
        ),
      [],
    ],
  ],
});
