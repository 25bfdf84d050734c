import { at, isOwnKey, type Rule, unless } from './rule.ts';

const KEY = 'kms/key:Key';
const SECRET = 'secretsmanager/secret:Secret';
/** What cannot be made again when it is gone. */
const STATEFUL = ['s3/bucket:Bucket', KEY, 'ecr/repository:Repository'];

/** Rules for keys, for secrets, and for whatever must not be lost. */
export const safekeepingRules: Rule[] = [
  {
    id: 'KMS5',
    also: ['KMS.4'],
    meaning: 'a key is rotated',
    of: [KEY],
    faults: ({ inputs }) => unless(inputs.enableKeyRotation === true, 'not rotated'),
  },
  {
    id: 'KMS.3',
    meaning: 'a key that is deleted by mistake can be kept for 30 days yet',
    of: [KEY],
    faults: ({ inputs }) => unless(Number(inputs.deletionWindowInDays) === 30, 'gone before anybody notices'),
  },
  {
    id: 'SMG4',
    also: ['SecretsManager.1', 'SecretsManager.4'],
    meaning: 'a secret rotates by itself, within 90 days',
    of: [SECRET],
    faults: (secret, estate) =>
      unless(
        estate
          .about('secretsmanager/secretRotation:SecretRotation', 'secretId', secret)
          .some(({ inputs }) => Number(at(inputs, 'rotationRules.automaticallyAfterDays')) <= 90),
        'no rotation',
      ),
  },
  {
    id: 'SecretsManagerUsingKMSKey',
    meaning: "a secret is encrypted with the stack's key",
    of: [SECRET],
    faults: ({ inputs }, estate) => unless(isOwnKey(inputs.kmsKeyId, estate), "not the stack's key"),
  },
  {
    id: 'TOQ-PROTECT',
    meaning: 'what holds data cannot be destroyed by mistake and outlives the stack',
    of: STATEFUL,
    faults: ({ inputs, options }) => [
      ...unless(options.protect && options.retainOnDelete !== false, 'not protected and retained'),
      ...unless(inputs.forceDestroy !== true, 'destroyed with all that is in it'),
    ],
  },
];
