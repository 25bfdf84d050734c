import { type Estate, list, type Rule, statements, unless } from './rule.ts';

const MINUTE = 60_000;

/** Age in milliseconds beyond which a bucket's policy refuses a presigned URL; undefined where it takes any. */
const longestLife = (bucket: unknown, action: string, estate: Estate) =>
  estate
    .of('s3/bucketPolicy:BucketPolicy')
    .filter(({ inputs }) => inputs.bucket === bucket)
    .flatMap(({ inputs }) => statements(inputs.policy))
    .filter(
      ({ Effect, Principal, Action }) =>
        Effect === 'Deny' && Principal === '*' && list(Action).includes(action),
    )
    .map(({ Condition }) => Number(Condition?.NumericGreaterThan?.['s3:signatureAge']))
    .find((age) => age > 0);

/** Rules for presigned URLs (AWS Prescriptive Guidance, "Presigned URL best practices"), numbered by us. */
export const presignedUrlRules: Rule[] = [
  {
    id: 'PS1',
    meaning: 'a role that puts originals puts nothing else',
    of: ['iam/rolePolicy:RolePolicy'],
    faults: ({ inputs }) => {
      const targets = statements(inputs.policy)
        .filter(({ Effect, Action }) => Effect === 'Allow' && list(Action).includes('s3:PutObject'))
        .flatMap(({ Resource }) => list(Resource).map(String));
      const ofOriginals = targets.filter((target) => /\*\/raw\/|:::[^/]+\/\*$/.test(target));
      return ofOriginals.length
        ? targets.filter((target) => !target.includes('/*/raw/')).map((target) => `puts ${target}`)
        : [];
    },
  },
  {
    id: 'PS2',
    meaning: 'a versioned bucket refuses a presigned URL that is older than any of ours is meant to live',
    of: ['s3/bucketVersioning:BucketVersioning'],
    faults: ({ inputs: { bucket } }, estate) =>
      ['s3:PutObject', 's3:GetObject', 's3:GetObjectVersion'].flatMap((action) =>
        unless(longestLife(bucket, action, estate), `${action}: any age`),
      ),
  },
  {
    id: 'PS5',
    meaning: 'a presigned upload lives for 15 minutes at most, a presigned download for 5',
    of: ['s3/bucketVersioning:BucketVersioning'],
    faults: ({ inputs: { bucket } }, estate) =>
      Object.entries({ 's3:PutObject': 15 * MINUTE, 's3:GetObject': 5 * MINUTE }).flatMap(
        ([action, most]) => {
          const age = longestLife(bucket, action, estate) ?? Number.POSITIVE_INFINITY;
          return unless(age <= most, `${action}: ${age / MINUTE} minutes`);
        },
      ),
  },
];
