import test from 'ava';
import type { Graph, Properties } from '../../local/graph/graph.ts';
import { graphOf, graphWithDatabase, ofType } from '../support/graphs.ts';

/**
 * Settings that no rule asks for and nothing else of ours reads, so that only AWS would notice their absence: each with
 * what would happen.
 */
const SETTINGS: [type: string, name: RegExp, settings: Properties, otherwise: string][] = [
  [
    'apigatewayv2/integration:Integration',
    /^entrance-api-/,
    { integrationMethod: 'ANY', payloadFormatVersion: '1.0', integrationType: 'HTTP_PROXY' },
    'API Gateway refuses a private integration without a method, or with another payload format',
  ],
  [
    'apigatewayv2/api:Api',
    /^entrance-api$/,
    { protocolType: 'HTTP' },
    'API Gateway refuses, or makes a web socket of it',
  ],
  [
    'apigatewayv2/domainName:DomainName',
    /^entrance-api$/,
    { domainNameConfiguration: { endpointType: 'REGIONAL' } },
    'API Gateway refuses: an HTTP API has no other',
  ],
  [
    'lb/loadBalancer:LoadBalancer',
    /^entrance-load-balancer$/,
    { idleTimeout: 60, loadBalancerType: 'application' },
    'the service, which keeps idle connections for 65 s, would close one that the balancer is about to use',
  ],
  [
    'ec2/flowLog:FlowLog',
    /^entrance-network$/,
    { logDestinationType: 'cloud-watch-logs', maxAggregationInterval: 600 },
    'where flow logs go, and how often, is up to the provider’s defaults',
  ],
  [
    'sqs/queue:Queue',
    /^queues-/,
    { receiveWaitTimeSeconds: 20 },
    'whoever receives from an empty queue is answered at once, asks again, and pays for each answer',
  ],
  [
    'mediaconvert/queue:Queue',
    /^transcoding$/,
    { pricingPlan: 'ON_DEMAND' },
    'a reserved queue would ask for a commitment of a year',
  ],
  [
    's3/bucketCorsConfiguration:BucketCorsConfiguration',
    /^storage-media$/,
    {
      corsRules: [
        {
          allowedMethods: ['PUT', 'GET', 'HEAD'],
          allowedHeaders: ['content-type', 'x-amz-checksum-sha256', 'x-amz-tagging'],
          // the last one is what AWS's support asks for
          exposeHeaders: ['ETag', 'x-amz-checksum-sha256', 'x-amz-version-id', 'x-amz-request-id'],
          maxAgeSeconds: 3000,
        },
      ],
    },
    'a browser asks before every single upload, or cannot read what came of it',
  ],
  [
    'secretsmanager/secret:Secret',
    /^callback-secret$/,
    { recoveryWindowInDays: 7 },
    'a secret deleted by mistake stays for a month, and its name with it',
  ],
  [
    'kms/key:Key',
    /^encryption$/,
    { deletionWindowInDays: 30 },
    'less time to notice that a key was scheduled for deletion, with which every object is lost',
  ],
];

let graphs: Graph[];
test.before(async () => {
  graphs = await Promise.all([graphOf('staging'), graphOf('production'), graphWithDatabase()]);
});

for (const [type, name, settings, otherwise] of SETTINGS) {
  test(`${type.split(':')[1]} ${Object.keys(settings).join(', ')}: otherwise ${otherwise}`, (t) => {
    const found = graphs.flatMap((graph) =>
      ofType(graph, type).filter((resource) => resource.kind === 'custom' && name.test(resource.name)),
    );
    t.true(found.length > 0);
    for (const { inputs } of found) t.like(inputs, settings);
  });
}

test('an alert is mailed to whom the settings name', async (t) => {
  for (const stack of ['staging', 'production']) {
    const graph = await graphOf(stack);
    const [topic] = ofType(graph, 'sns/topic:Topic');
    const subscriptions = ofType(graph, 'sns/topicSubscription:TopicSubscription');
    t.deepEqual(
      subscriptions.map(({ inputs }) => inputs),
      [{ topic: topic?.outputs.arn, protocol: 'email', endpoint: 'alerts@toq.com.br' }],
    );
  }
});

test('a replaced callback secret stays behind, for requests that were signed with it', async (t) => {
  const [version] = ofType(await graphOf('production'), 'secretsmanager/secretVersion:SecretVersion');
  t.true(version?.options.retainOnDelete);
});

test('autoscaling moves the number of tasks, and a deployment does not set it back', async (t) => {
  const [service] = ofType(await graphOf('production'), 'ecs/service:Service');
  t.deepEqual(service?.options.ignoreChanges, ['desiredCount']);
});

test('only what MediaConvert says of jobs in our queue is an event of ours', async (t) => {
  const graph = await graphOf('production');
  const [queue] = ofType(graph, 'mediaconvert/queue:Queue');
  for (const { inputs } of ofType(graph, 'cloudwatch/eventRule:EventRule')) {
    const { source, 'detail-type': kind, detail } = JSON.parse(String(inputs.eventPattern));
    t.deepEqual([source, kind], [['aws.mediaconvert'], ['MediaConvert Job State Change']]);
    t.deepEqual(detail.queue, [queue?.outputs.arn]);
  }
});

test('a rendition is an MP4 that starts at once, with what editors ask of edit lists; a still is a good JPEG', async (t) => {
  const stacks = ofType(await graphOf('production'), 'cloudformation/stack:Stack');
  const { Resources } = JSON.parse(String(stacks[0]?.inputs.templateBody));
  for (const orientation of ['Horizontal', 'Vertical']) {
    const [group, ...others] = Resources[orientation].Properties.SettingsJson.OutputGroups;
    t.deepEqual(others, []);
    t.is(group.Name, 'Renditions');
    t.deepEqual(group.OutputGroupSettings, { Type: 'FILE_GROUP_SETTINGS', FileGroupSettings: {} });
    const [hd, sd, poster] = group.Outputs;
    for (const { ContainerSettings } of [hd, sd]) {
      t.deepEqual(ContainerSettings.Mp4Settings, {
        MoovPlacement: 'PROGRESSIVE_DOWNLOAD',
        CslgAtom: 'INCLUDE',
        FreeSpaceBox: 'EXCLUDE',
      });
    }
    t.is(poster.VideoDescription.CodecSettings.FrameCaptureSettings.Quality, 90);
  }
});

test('buckets forget by age, wherever an object lies: S3 takes no rule without a filter', async (t) => {
  const rulesOf = async (name: string) => {
    const found = ofType(
      await graphOf('production'),
      's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration',
    ).find((resource) => resource.name === name);
    return found?.inputs.rules;
  };
  const everything = { status: 'Enabled', filter: { prefix: '' } };
  const abandoned = { abortIncompleteMultipartUpload: { daysAfterInitiation: 1 } };
  t.deepEqual(await rulesOf('storage-logs'), [
    { id: 'expire', ...everything, expiration: { days: 365 }, ...abandoned },
  ]);
  t.deepEqual(await rulesOf('storage-media'), [
    {
      id: 'archive-originals',
      status: 'Enabled',
      filter: { tag: { key: 'stage', value: 'raw' } },
      transitions: [{ days: 180, storageClass: 'GLACIER' }],
    },
    {
      id: 'forget',
      ...everything,
      noncurrentVersionExpiration: { noncurrentDays: 30 },
      // a mark under which no version is left would be listed for ever
      expiration: { expiredObjectDeleteMarker: true },
      ...abandoned,
    },
  ]);
});

test('CloudFormation makes both job templates as MediaConvert lists them, and hands their ARNs over', async (t) => {
  const stacks = ofType(await graphOf('production'), 'cloudformation/stack:Stack');
  const { Resources, Outputs, ...template } = JSON.parse(String(stacks[0]?.inputs.templateBody));
  t.deepEqual(template, {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: 'MediaConvert job templates for the videos of listings',
  });
  t.deepEqual(Outputs, {
    HorizontalArn: { Value: { 'Fn::GetAtt': ['Horizontal', 'Arn'] } },
    VerticalArn: { Value: { 'Fn::GetAtt': ['Vertical', 'Arn'] } },
  });
  for (const [part, name] of [
    ['Horizontal', 'toq-media-video-preset'],
    ['Vertical', 'toq-media-video-preset-vertical'],
  ] as const) {
    const { SettingsJson: _, ...properties } = Resources[part].Properties;
    t.is(Resources[part].Type, 'AWS::MediaConvert::JobTemplate');
    t.deepEqual(properties, {
      Name: name,
      Description: `MP4 1080p and 720p and a poster frame, ${part.toLowerCase()}`,
      Category: 'listing-media',
      // the shortest: the machine waits for it
      StatusUpdateInterval: 'SECONDS_10',
    });
  }
});
