import {
  at,
  type Declared,
  deniesPlainHttp,
  type Estate,
  isOwnKey,
  list,
  type Rule,
  statements,
  unless,
} from './rule.ts';

const BUCKET = 's3/bucket:Bucket';
const BLOCKS = ['blockPublicAcls', 'blockPublicPolicy', 'ignorePublicAcls', 'restrictPublicBuckets'];
const HEADER = 's3:x-amz-server-side-encryption';

/** What is in force of a bucket's lifecycle. */
const lifecycleOf = (bucket: Declared, estate: Estate) =>
  estate
    .about('s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration', 'bucket', bucket)
    .flatMap(({ inputs }) => list(inputs.rules))
    .filter((rule) => at(rule, 'status') === 'Enabled');

const encryptionOf = (rules: unknown) => at(rules, 'applyServerSideEncryptionByDefault');

/** Rules for buckets. */
export const storageRules: Rule[] = [
  {
    id: 'S1',
    also: ['S3.9'],
    meaning: 'a bucket has server access logs',
    of: [BUCKET],
    faults: (bucket, estate) =>
      unless(
        estate
          .about('s3/bucketLogging:BucketLogging', 'bucket', bucket)
          .some(({ inputs }) =>
            estate.of(BUCKET).some(({ id }) => id === inputs.targetBucket && id !== bucket.id),
          ),
        'no access logs',
      ),
  },
  {
    id: 'S2',
    also: ['S3.2', 'S3.3', 'S3.8', 'S3.12'],
    meaning: 'a bucket blocks public access in all four ways and knows no ACLs',
    of: [BUCKET],
    faults: (bucket, estate) => [
      ...unless(
        estate
          .about('s3/bucketPublicAccessBlock:BucketPublicAccessBlock', 'bucket', bucket)
          .some(({ inputs }) => BLOCKS.every((block) => inputs[block] === true)),
        'public access is not blocked',
      ),
      ...unless(
        estate
          .about('s3/bucketOwnershipControls:BucketOwnershipControls', 'bucket', bucket)
          .some(({ inputs }) => at(inputs, 'rule.objectOwnership') === 'BucketOwnerEnforced'),
        'ACLs are in force',
      ),
    ],
  },
  {
    id: 'S10',
    also: ['S3.5', 'PS3'],
    meaning: 'a bucket refuses plain HTTP, for itself and for its objects',
    of: [BUCKET],
    faults: (bucket, estate) =>
      unless(
        estate
          .about('s3/bucketPolicy:BucketPolicy', 'bucket', bucket)
          .some(
            ({ inputs }) =>
              deniesPlainHttp(inputs.policy, 's3:*') &&
              statements(inputs.policy).some(
                ({ Action, Resource }) =>
                  list(Action).includes('s3:*') &&
                  list(Resource).includes(bucket.outputs.arn) &&
                  list(Resource).includes(`${bucket.outputs.arn}/*`),
              ),
          ),
        'plain HTTP is not refused',
      ),
  },
  {
    id: 'S3BucketVersioningEnabled',
    meaning: 'a bucket keeps overwritten and deleted objects as versions',
    of: [BUCKET],
    faults: (bucket, estate) =>
      unless(
        estate
          .about('s3/bucketVersioning:BucketVersioning', 'bucket', bucket)
          .some(({ inputs }) => at(inputs, 'versioningConfiguration.status') === 'Enabled'),
        'not versioned',
      ),
  },
  {
    id: 'S3DefaultEncryptionKMS',
    meaning: "a bucket encrypts by default with the stack's key, one data key for many objects",
    of: [BUCKET],
    faults: (bucket, estate) =>
      unless(
        estate
          .about(
            's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration',
            'bucket',
            bucket,
          )
          .some(
            ({ inputs: { rules } }) =>
              at(encryptionOf(rules), 'sseAlgorithm') === 'aws:kms' &&
              isOwnKey(at(encryptionOf(rules), 'kmsMasterKeyId'), estate) &&
              at(rules, 'bucketKeyEnabled') === true,
          ),
        "not encrypted with the stack's key",
      ),
  },
  {
    id: 'TOQ-S3-REFUSES-OTHER-KEYS',
    meaning:
      'a versioned bucket refuses puts that name another encryption or another key, and takes those that name none',
    of: ['s3/bucketVersioning:BucketVersioning'],
    faults: ({ inputs: { bucket } }, estate) => {
      const denials = estate
        .of('s3/bucketPolicy:BucketPolicy')
        .filter(({ inputs }) => inputs.bucket === bucket)
        .flatMap(({ inputs }) => statements(inputs.policy))
        .filter(({ Effect, Action }) => Effect === 'Deny' && list(Action).includes('s3:PutObject'));
      const denied = (header: string, fits: (value: unknown) => boolean) =>
        denials.some(
          ({ Condition = {} }) =>
            Condition.Null?.[header] === 'false' && fits(Condition.StringNotEquals?.[header]),
        );
      return [
        ...unless(
          denied(HEADER, (value) => value === 'aws:kms'),
          'takes another encryption',
        ),
        ...unless(
          denied(`${HEADER}-aws-kms-key-id`, (value) => isOwnKey(value, estate)),
          'takes another key',
        ),
      ];
    },
  },
  {
    id: 'TOQ-S3-DELETES',
    meaning: 'objects of a versioned bucket are deleted by named roles only, versions too',
    of: ['s3/bucketVersioning:BucketVersioning'],
    faults: ({ inputs: { bucket } }, estate) =>
      unless(
        estate
          .of('s3/bucketPolicy:BucketPolicy')
          .filter(({ inputs }) => inputs.bucket === bucket)
          .flatMap(({ inputs }) => statements(inputs.policy))
          .some(
            ({ Effect, Principal, Action, Condition }) =>
              Effect === 'Deny' &&
              Principal === '*' &&
              ['s3:DeleteObject', 's3:DeleteObjectVersion'].every((one) => list(Action).includes(one)) &&
              list(Condition?.ArnNotEquals?.['aws:PrincipalArn']).every(
                (arn) => estate.byArn(arn)?.type === 'aws:iam/role:Role',
              ),
          ),
        'anybody with the permission deletes',
      ),
  },
  {
    id: 'S3.13',
    meaning: 'a bucket forgets old versions or the objects themselves in time',
    of: [BUCKET],
    faults: (bucket, estate) => {
      const some = (path: string) => lifecycleOf(bucket, estate).some((rule) => Number(at(rule, path)) > 0);
      return unless(
        some('noncurrentVersionExpiration.noncurrentDays') || some('expiration.days'),
        'keeps everything for ever',
      );
    },
  },
  {
    id: 'PS8',
    meaning: 'a bucket forgets the parts of an abandoned upload after a day',
    of: [BUCKET],
    faults: (bucket, estate) =>
      unless(
        lifecycleOf(bucket, estate).some(
          (rule) => at(rule, 'abortIncompleteMultipartUpload.daysAfterInitiation') === 1,
        ),
        'keeps abandoned uploads',
      ),
  },
  {
    id: 'TOQ-S3-ARCHIVE',
    meaning: 'originals (tag stage=raw) go to Glacier after 180 days, and no rule ends an original',
    of: ['s3/bucketVersioning:BucketVersioning'],
    faults: ({ inputs: { bucket } }, estate) => {
      const rules = estate
        .of('s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration')
        .filter(({ inputs }) => inputs.bucket === bucket)
        .flatMap(({ inputs }) => list(inputs.rules));
      return [
        ...unless(
          rules.some(
            (rule) =>
              at(rule, 'status') === 'Enabled' &&
              at(rule, 'filter.tag.key') === 'stage' &&
              at(rule, 'filter.tag.value') === 'raw' &&
              at(rule, 'transitions.days') === 180 &&
              at(rule, 'transitions.storageClass') === 'GLACIER',
          ),
          'originals are not archived',
        ),
        ...unless(!rules.some((rule) => at(rule, 'expiration.days')), 'current objects expire'),
      ];
    },
  },
  {
    id: 'TOQ-S3-CORS',
    meaning: 'browsers reach a bucket from named origins, and never delete or post',
    of: ['s3/bucketCorsConfiguration:BucketCorsConfiguration'],
    faults: ({ inputs }) =>
      list(inputs.corsRules).flatMap((rule) => [
        ...unless(
          !list(at(rule, 'allowedOrigins')).some((origin) => String(origin).includes('*')),
          'any origin',
        ),
        ...unless(
          list(at(rule, 'allowedMethods')).every((method) => ['GET', 'HEAD', 'PUT'].includes(String(method))),
          'a method too many',
        ),
      ]),
  },
];
