import test from 'ava';
import { at, list } from '../../infra/rules/rule.ts';
import { VARIANT_WIDTHS } from '../../statemachines/contracts.ts';
import { bundleKey, rawKey, variantKeys } from '../../statemachines/object-keys.ts';
import { ACCOUNT, calledBy, grants, testSentences } from '../support/seeds.ts';

const TASKS = ['validate', 'thumbnails', 'zip', 'consolidate', 'callback-dispatch'];

/** The handover of what was created for staging. */
testSentences(test, '002', {
  '1': [
    [
      'the key is alias/toq-media-processing-staging',
      ({ names }) => names('kms/alias:Alias'),
      ['alias/toq-media-processing-staging'],
    ],
  ],

  '2': [
    [
      'the bucket is toq-listing-medias',
      ({ bucket }) => bucket('bucket:Bucket').bucket,
      'toq-listing-medias',
    ],
    [
      'everything is in us-east-1',
      ({ graph }) => graph.resources.find(({ type }) => type === 'pulumi:providers:aws')?.inputs.region,
      'us-east-1',
    ],
    [
      'the bucket is encrypted with the key of section 1',
      ({ bucket, key }) =>
        at(
          bucket('bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration'),
          'rules.applyServerSideEncryptionByDefault.kmsMasterKeyId',
        ) === key()?.outputs.arn,
      true,
    ],
    [
      'access logs go to toq-logs-staging',
      ({ bucket }) => bucket('bucketLogging:BucketLogging').targetBucket,
      'toq-logs-staging',
    ],
    [
      'the log bucket is declared',
      ({ inputs }) => inputs('s3/bucket:Bucket', 'storage-logs').bucket,
      'toq-logs-staging',
    ],
    [
      'an original is /{listing}/raw/{segment}/{reference}-{filename}, without a date',
      () =>
        rawKey({
          listingIdentityId: 28,
          type: 'PHOTO_HORIZONTAL',
          reference: 'horizontal-01',
          filename: 'IMG_2907.jpg',
          contentType: 'image/jpeg',
        }),
      '28/raw/photo/horizontal/horizontal-01-IMG_2907.jpg',
    ],
    [
      'a variant is /{listing}/processed/{segment}/{size}/{filename}',
      () => variantKeys('28/raw/photo/horizontal/a.jpg').large,
      '28/processed/photo/horizontal/large/a.jpg',
    ],
    [
      'sizes are 200, 400, 800 and 1200 px',
      () => VARIANT_WIDTHS,
      { thumbnail: 200, small: 400, medium: 800, large: 1200 },
    ],
    [
      'the bundle is /{listing}/processed/zip/listing-media.zip',
      () => bundleKey(28),
      '28/processed/zip/listing-media.zip',
    ],
  ],

  '3': [
    [
      'the queue is listing-media-processing-staging',
      ({ queue }) => queue().name,
      'listing-media-processing-staging',
    ],
    [
      'the queue’s URL is the one that was handed over',
      ({ graph }) => graph.outputs.queueUrl,
      `https://sqs.us-east-1.amazonaws.com/${ACCOUNT}/listing-media-processing-staging`,
    ],
    ['messages are kept for 4 days (345600 s)', ({ queue }) => queue().messageRetentionSeconds, 345_600],
    ['long polling 20 s', ({ queue }) => queue().receiveWaitTimeSeconds, 20],
    [
      'dead letters are kept for 14 days (1209600 s)',
      ({ deadLetters }) => deadLetters().messageRetentionSeconds,
      1_209_600,
    ],
    [
      'dead letters are encrypted',
      ({ deadLetters, key }) => deadLetters().kmsMasterKeyId === key()?.outputs.arn,
      true,
    ],
  ],

  '4.1': [
    [
      'the backend role is toq-media-processing-backend-staging',
      ({ inputs }) => inputs('iam/role:Role', 'toq-media-processing-backend-staging').name,
      'toq-media-processing-backend-staging',
    ],
    grants(
      'the backend sends messages and asks after the queue',
      'backend',
      'sqs:SendMessage',
      'sqs:GetQueueAttributes',
    ),
    grants('the backend uses the key', 'backend', 'kms:Decrypt', 'kms:GenerateDataKey'),
    grants(
      'the backend starts and describes executions',
      'backend',
      'states:StartExecution',
      'states:DescribeExecution',
    ),
  ],

  '4.2': [
    [
      'the Lambdas’ roles trust lambda.amazonaws.com',
      ({ trusted }) => TASKS.flatMap((task) => trusted(`lambda-${task}`)),
      TASKS.map(() => 'lambda.amazonaws.com'),
    ],
  ],

  '4.3': [
    [
      'the machines’ role is toq-media-processing-stepfunctions-staging and trusts states.amazonaws.com',
      ({ trusted }) => trusted('stepfunctions'),
      ['states.amazonaws.com'],
    ],
    [
      'the machines invoke all five Lambdas',
      ({ policy }) =>
        policy('stepfunctions').find(({ Action }) => list(Action).includes('lambda:InvokeFunction'))?.Resource
          ?.length,
      5,
    ],
    grants(
      'the machines create and get MediaConvert jobs',
      'stepfunctions',
      'mediaconvert:CreateJob',
      'mediaconvert:GetJob',
    ),
  ],

  '4.4': [
    [
      'MediaConvert’s role is toq-media-processing-mediaconvert-staging and trusts mediaconvert.amazonaws.com',
      ({ trusted }) => trusted('mediaconvert'),
      ['mediaconvert.amazonaws.com'],
    ],
    grants('MediaConvert gets and puts objects', 'mediaconvert', 's3:GetObject', 's3:PutObject'),
  ],

  '5': [
    [
      'the Lambdas have these names',
      ({ lambda }) => TASKS.map((task) => lambda(task).name),
      TASKS.map((task) => `listing-media-${task}-staging`),
    ],
  ],

  '6.1': [
    [
      'ValidateRawAssets → ParallelProcessing → ConsolidateResults → FinalizeAndCallback',
      ({ states }) =>
        ['ValidateRawAssets', 'ParallelProcessing', 'ConsolidateResults'].map((name) =>
          at(states('processing')[name], 'Next'),
        ),
      ['ParallelProcessing', 'ConsolidateResults', 'FinalizeAndCallback'],
    ],
    [
      'processing calls validate, consolidate and callback-dispatch',
      ({ states }) =>
        ['ValidateRawAssets', 'ConsolidateResults', 'FinalizeAndCallback'].map((name) =>
          calledBy(states('processing')[name]),
        ),
      ['validate', 'consolidate', 'callback-dispatch'].map((task) => `listing-media-${task}-staging`),
    ],
  ],

  '6.2': [
    [
      'finalization: CreateZipBundle by listing-media-zip-staging',
      ({ states }) => calledBy(states('finalization').CreateZipBundle),
      'listing-media-zip-staging',
    ],
    [
      'FinalizeAndCallback reports STEP_FUNCTIONS_FINALIZATION, ReportFailure FINALIZATION_FAILED',
      ({ states }) => {
        const { PrepareReport, ReportFailure } = states('finalization');
        return [
          at(PrepareReport, 'Parameters.provider'),
          at(PrepareReport, 'Next'),
          at(ReportFailure, 'Parameters.Payload.status'),
        ];
      },
      ['STEP_FUNCTIONS_FINALIZATION', 'FinalizeAndCallback', 'FINALIZATION_FAILED'],
    ],
  ],

  '7': [
    ['jobs are reconciled every 5 minutes', ({ variable }) => variable('RECONCILE_INTERVAL_SECONDS'), '300'],
    ['a job is stuck after 30 minutes', ({ variable }) => variable('STUCK_JOB_TIMEOUT_MINUTES'), '30'],
  ],
});
