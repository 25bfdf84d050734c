import type { Modelled, ModelledResource } from '../harvest.ts';
import { type Aws, type Models, text, uuid } from './aws.ts';

/** What holds the media, moves the work and watches it. */
export const pipeline = ({ accountId, arn, hash, region, sqsEndpoint }: Aws): Models => ({
  'aws:kms/key:Key': ({ name }) => {
    const id = uuid(hash(name));
    return { id, state: { keyId: id, arn: arn('kms', `key/${id}`) } };
  },
  'aws:kms/alias:Alias': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('kms', name) } };
  },

  'aws:s3/bucket:Bucket': ({ inputs }) => {
    const bucket = text(inputs, 'bucket');
    return { id: bucket, state: { arn: `arn:aws:s3:::${bucket}` } };
  },
  'aws:s3/bucketPolicy:BucketPolicy': ofBucket,
  'aws:s3/bucketVersioning:BucketVersioning': ofBucket,
  'aws:s3/bucketLogging:BucketLogging': ofBucket,
  'aws:s3/bucketCorsConfiguration:BucketCorsConfiguration': ofBucket,
  'aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration': ofBucket,
  'aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock': ofBucket,
  'aws:s3/bucketOwnershipControls:BucketOwnershipControls': ofBucket,
  'aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration': ofBucket,

  'aws:sqs/queue:Queue': ({ inputs }) => {
    const name = text(inputs, 'name');
    const url = `${sqsEndpoint ?? `https://sqs.${region}.amazonaws.com`}/${accountId}/${name}`;
    return { id: url, state: { url, arn: arn('sqs', name) } };
  },
  'aws:sqs/queuePolicy:QueuePolicy': ofQueue,
  'aws:sqs/redriveAllowPolicy:RedriveAllowPolicy': ofQueue,

  'aws:iam/role:Role': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: `arn:aws:iam::${accountId}:role/${name}` } };
  },
  'aws:iam/rolePolicy:RolePolicy': ({ inputs }) => ({
    id: `${text(inputs, 'role')}:${text(inputs, 'name')}`,
  }),

  'aws:lambda/function:Function': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('lambda', `function:${name}`) } };
  },
  'aws:lambda/eventSourceMapping:EventSourceMapping': ({ name }) => ({ id: uuid(hash(name)) }),
  'aws:sfn/stateMachine:StateMachine': ({ inputs }) => {
    const id = arn('states', `stateMachine:${text(inputs, 'name')}`);
    return { id, state: { arn: id } };
  },

  'aws:mediaconvert/queue:Queue': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('mediaconvert', `queues/${name}`) } };
  },
  'aws:cloudformation/stack:Stack': ({ inputs }) => {
    const name = text(inputs, 'name');
    const id = arn('cloudformation', `stack/${name}/${uuid(hash(name))}`);
    return { id, state: { outputs: stackOutputs(text(inputs, 'templateBody'), arn) } };
  },

  'aws:cloudwatch/logGroup:LogGroup': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('logs', `log-group:${name}`) } };
  },
  'aws:cloudwatch/logResourcePolicy:LogResourcePolicy': ({ inputs }) => ({
    id: text(inputs, 'policyName'),
  }),
  'aws:cloudwatch/eventRule:EventRule': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('events', `rule/${name}`) } };
  },
  'aws:cloudwatch/eventTarget:EventTarget': ({ inputs }) => ({
    id: `${text(inputs, 'rule')}-${text(inputs, 'targetId')}`,
  }),
  'aws:sns/topic:Topic': ({ inputs }) => {
    const id = arn('sns', text(inputs, 'name'));
    return { id, state: { arn: id } };
  },
  'aws:sns/topicPolicy:TopicPolicy': ({ inputs }) => ({ id: text(inputs, 'arn') }),
  'aws:sns/topicSubscription:TopicSubscription': ({ inputs, name }) => ({
    id: `${text(inputs, 'topic')}:${uuid(hash(name))}`,
  }),

  'aws:secretsmanager/secret:Secret': ({ inputs, id: existing }) => {
    if (existing) return { id: existing, state: { arn: existing, name: secretName(existing) } };
    const name = text(inputs, 'name');
    // Secrets Manager ends every ARN with six characters of its own
    const id = arn('secretsmanager', `secret:${name}-${hash(name).slice(0, 6)}`);
    return { id, state: { arn: id } };
  },
  'aws:secretsmanager/secretVersion:SecretVersion': ({ inputs, name }) => ({
    id: `${text(inputs, 'secretId')}|${uuid(hash(name))}`,
  }),

  'aws:cloudwatch/metricAlarm:MetricAlarm': ({ inputs }) => {
    const name = text(inputs, 'name');
    return { id: name, state: { arn: arn('cloudwatch', `alarm:${name}`) } };
  },
  'aws:cloudwatch/dashboard:Dashboard': ({ inputs }) => {
    const name = text(inputs, 'dashboardName');
    return { id: name, state: { dashboardArn: `arn:aws:cloudwatch::${accountId}:dashboard/${name}` } };
  },
});

const ofBucket = ({ inputs }: ModelledResource): Modelled => ({ id: text(inputs, 'bucket') });
const ofQueue = ({ inputs }: ModelledResource): Modelled => ({ id: text(inputs, 'queueUrl') });

const secretName = (arn: string) => arn.replace(/^.*:secret:/, '').replace(/-[^-]{6}$/, '');

interface Template {
  Resources: Record<string, { Type: string; Properties: { Name: string } }>;
  Outputs: Record<string, { Value: { 'Fn::GetAtt': [string, 'Arn'] } }>;
}

/** Evaluates the outputs of a CloudFormation template whose resources are MediaConvert job templates. */
function stackOutputs(templateBody: string, arn: (service: string, resource: string) => string) {
  // the program's own template: anything else in it fails here
  const { Resources, Outputs } = JSON.parse(templateBody) as Template;
  return Object.fromEntries(
    Object.entries(Outputs).map(([key, { Value }]) => {
      const resource = Resources[Value['Fn::GetAtt'][0]];
      if (resource?.Type !== 'AWS::MediaConvert::JobTemplate')
        throw new Error(`output ${key}: unknown resource`);
      return [key, arn('mediaconvert', `jobTemplates/${resource.Properties.Name}`)];
    }),
  );
}
