import * as pulumi from '@pulumi/pulumi';
import { denyInsecureTransport, type Statement, type Text } from './policies.ts';

/** How long a presigned URL of the service can live, in seconds. */
export const LONGEST_LIFE = { upload: 900, download: 3600 };

const denyOldUrls = (sid: string, actions: string[], objects: Text, seconds: number): Statement => ({
  Sid: sid,
  Effect: 'Deny',
  Principal: '*',
  Action: actions,
  Resource: objects,
  Condition: { NumericGreaterThan: { 's3:signatureAge': String(seconds * 1000) } },
});

/**
 * Policy of the media bucket: TLS only; objects are deleted by `deleters` and by nobody else; what is put is encrypted
 * with `keyArn`. A put that names no encryption is fine, the bucket's default applies: hence the `Null` conditions,
 * without which a negated operator would also match the missing header. A presigned URL, whatever it says itself, is good
 * for no longer than ours are; requests that are signed in their headers have no such age.
 */
export const mediaBucketPolicy = (bucketArn: Text, keyArn: Text, deleters: Text[]): Statement[] => {
  const objects = pulumi.interpolate`${bucketArn}/*`;
  return [
    denyInsecureTransport('s3:*', [bucketArn, objects]),
    {
      Sid: 'DenyDelete',
      Effect: 'Deny',
      Principal: '*',
      Action: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
      Resource: objects,
      Condition: { ArnNotEquals: { 'aws:PrincipalArn': deleters } },
    },
    {
      Sid: 'DenyOtherEncryption',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: objects,
      Condition: {
        Null: { 's3:x-amz-server-side-encryption': 'false' },
        StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' },
      },
    },
    {
      Sid: 'DenyOtherKey',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: objects,
      Condition: {
        Null: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'false' },
        StringNotEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': keyArn },
      },
    },
    denyOldUrls('DenyOldUploadUrls', ['s3:PutObject'], objects, LONGEST_LIFE.upload),
    denyOldUrls(
      'DenyOldDownloadUrls',
      ['s3:GetObject', 's3:GetObjectVersion'],
      objects,
      LONGEST_LIFE.download,
    ),
  ];
};

/** Where the load balancer's access logs lie in the log bucket. */
export const LOAD_BALANCER_LOGS = 'load-balancer';

/** Policy of the log bucket: S3 delivers the media bucket's access logs and the load balancer its own, over TLS. */
export const logsBucketPolicy = (
  bucketArn: Text,
  sourceArn: Text,
  account: { id: string; region: string },
): Statement[] => [
  denyInsecureTransport('s3:*', [bucketArn, pulumi.interpolate`${bucketArn}/*`]),
  {
    Sid: 'AccessLogs',
    Effect: 'Allow',
    Principal: { Service: 'logging.s3.amazonaws.com' },
    Action: 's3:PutObject',
    Resource: pulumi.interpolate`${bucketArn}/*`,
    Condition: {
      ArnLike: { 'aws:SourceArn': sourceArn },
      StringEquals: { 'aws:SourceAccount': account.id },
    },
  },
  {
    Sid: 'LoadBalancerLogs',
    Effect: 'Allow',
    Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
    Action: 's3:PutObject',
    Resource: pulumi.interpolate`${bucketArn}/${LOAD_BALANCER_LOGS}/AWSLogs/${account.id}/*`,
    Condition: {
      ArnLike: {
        'aws:SourceArn': `arn:aws:elasticloadbalancing:${account.region}:${account.id}:loadbalancer/*`,
      },
    },
  },
];
