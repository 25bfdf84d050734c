import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { logsBucketPolicy, mediaBucketPolicy } from './bucket-policies.ts';
import type { Foundation } from './foundation.ts';
import { policy, type Statement } from './policies.ts';

export interface StorageArgs extends Foundation {
  /** Name of the media bucket. */
  mediaBucket: string;
  /** Origins of the frontends, which upload to and play from the bucket. */
  frontendOrigins: string[];
  /** ARNs of the roles that the bucket policy lets delete objects. */
  deleters: string[];
  /** Age in days at which an original goes to Glacier. */
  archiveRawAfterDays: number;
  /** How long an overwritten or deleted object can be brought back, in days. */
  keepNoncurrentDays: number;
  /** How long access logs are kept, in days. */
  accessLogDays: number;
  /** Keep both buckets when the stack is taken down. */
  protect: boolean;
}

/** The media bucket and the bucket that holds its access logs. */
export class Storage extends pulumi.ComponentResource {
  readonly mediaBucket: pulumi.Output<string>;
  readonly mediaBucketArn: pulumi.Output<string>;
  /** Known only when the services that log into it may: a load balancer tries at once. */
  readonly logsBucket: pulumi.Output<string>;

  constructor(name: string, args: StorageArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Storage', name, {}, opts);

    const logs = this.bucket(`${name}-logs`, args.names.logsBucket, args.protect);
    const media = this.bucket(`${name}-media`, args.mediaBucket, args.protect);

    // neither S3 nor a load balancer delivers access logs to a bucket whose default is SSE-KMS
    this.encrypt(`${name}-logs`, logs.id, {
      applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' },
    });
    this.encrypt(`${name}-media`, media.id, {
      applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: args.keyArn },
      // one data key for many objects: a gallery costs a handful of KMS calls, not hundreds
      bucketKeyEnabled: true,
    });
    const deliveries = this.policy(
      `${name}-logs`,
      logs.id,
      logsBucketPolicy(logs.arn, media.arn, args.account),
    );
    this.policy(`${name}-media`, media.id, mediaBucketPolicy(media.arn, args.keyArn, args.deleters));

    new aws.s3.BucketVersioning(
      `${name}-media`,
      { bucket: media.id, versioningConfiguration: { status: 'Enabled' } },
      { parent: this },
    );
    new aws.s3.BucketLogging(
      `${name}-media`,
      { bucket: media.id, targetBucket: logs.id, targetPrefix: `${args.mediaBucket}/` },
      { parent: this },
    );
    new aws.s3.BucketCorsConfiguration(
      `${name}-media`,
      { bucket: media.id, corsRules: [corsRule(args.frontendOrigins)] },
      { parent: this },
    );
    new aws.s3.BucketLifecycleConfiguration(
      `${name}-media`,
      { bucket: media.id, rules: mediaLifecycle(args.archiveRawAfterDays, args.keepNoncurrentDays) },
      { parent: this },
    );
    new aws.s3.BucketLifecycleConfiguration(
      `${name}-logs`,
      {
        bucket: logs.id,
        rules: [
          {
            id: 'expire',
            status: 'Enabled',
            filter: { prefix: '' },
            expiration: { days: args.accessLogDays },
            abortIncompleteMultipartUpload: { daysAfterInitiation: ABANDONED_AFTER_DAYS },
          },
        ],
      },
      { parent: this },
    );

    this.mediaBucket = media.bucket;
    this.mediaBucketArn = media.arn;
    this.logsBucket = pulumi.all([logs.bucket, deliveries.id]).apply(([bucket]) => bucket);
    this.registerOutputs({
      mediaBucket: this.mediaBucket,
      mediaBucketArn: this.mediaBucketArn,
      logsBucket: this.logsBucket,
    });
  }

  /** A private bucket: no public access, no ACLs. */
  private bucket(name: string, physicalName: string, protect: boolean) {
    const bucket = new aws.s3.Bucket(
      name,
      { bucket: physicalName },
      { parent: this, protect, retainOnDelete: protect },
    );
    new aws.s3.BucketPublicAccessBlock(
      name,
      {
        bucket: bucket.id,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      { parent: this },
    );
    new aws.s3.BucketOwnershipControls(
      name,
      { bucket: bucket.id, rule: { objectOwnership: 'BucketOwnerEnforced' } },
      { parent: this },
    );
    return bucket;
  }

  private encrypt(
    name: string,
    bucket: pulumi.Input<string>,
    rule: aws.types.input.s3.BucketServerSideEncryptionConfigurationRule,
  ) {
    new aws.s3.BucketServerSideEncryptionConfiguration(name, { bucket, rules: [rule] }, { parent: this });
  }

  private policy(name: string, bucket: pulumi.Input<string>, statements: Statement[]) {
    return new aws.s3.BucketPolicy(name, { bucket, policy: policy(statements) }, { parent: this });
  }
}

/** A bundle is written within minutes: parts that are a day old belong to none. */
const ABANDONED_AFTER_DAYS = 1;

/** What a browser needs: the headers that a presigned PUT has signed, and the ETag that `complete` takes. */
const corsRule = (allowedOrigins: string[]) => ({
  allowedOrigins,
  allowedMethods: ['PUT', 'GET', 'HEAD'],
  allowedHeaders: ['content-type', 'x-amz-checksum-sha256', 'x-amz-tagging'],
  exposeHeaders: ['ETag', 'x-amz-checksum-sha256', 'x-amz-version-id', 'x-amz-request-id'],
  maxAgeSeconds: 3000,
});

/**
 * Originals are found by their tag: keys begin with the listing's id, so no prefix selects them. A rule with a tag may
 * not abort multipart uploads (S3's rule), hence two.
 */
const mediaLifecycle = (
  archiveRawAfterDays: number,
  keepNoncurrentDays: number,
): aws.types.input.s3.BucketLifecycleConfigurationRule[] => [
  {
    id: 'archive-originals',
    status: 'Enabled',
    filter: { tag: { key: 'stage', value: 'raw' } },
    transitions: [{ days: archiveRawAfterDays, storageClass: 'GLACIER' }],
  },
  {
    id: 'forget',
    status: 'Enabled',
    filter: { prefix: '' },
    noncurrentVersionExpiration: { noncurrentDays: keepNoncurrentDays },
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: ABANDONED_AFTER_DAYS },
  },
];
