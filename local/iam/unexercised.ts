import type { Permission } from './usage.ts';

interface Exemption {
  holder: RegExp;
  action: RegExp;
  reason: string;
  /** the end-to-end test does it, so there is no reason for that one */
  tested?: true;
}

/** Declared permissions that no run on one machine needs, each with the reason why it is declared all the same. */
export const UNEXERCISED: Exemption[] = [
  {
    holder: /./,
    action: /^(logs|xray):/,
    reason:
      'Lambda, ECS, Step Functions and the VPC write logs and traces by themselves; here the launcher keeps them',
  },
  {
    holder: /execution/,
    action: /^ecr:/,
    reason: 'ECS pulls the image; here the service runs from the working tree',
  },
  {
    holder: /stepfunctions/,
    action: /^events:/,
    reason: 'Step Functions makes the rule by which it learns that a job ended; here it asks with GetJob',
  },
  {
    holder: /stepfunctions/,
    action: /^mediaconvert:CancelJob$/,
    reason: 'only when an execution is stopped or times out in the middle of a transcode',
  },
  {
    holder: /lambda-start/,
    action: /^sqs:GetQueueAttributes$/,
    reason: 'Lambda looks at the queue when the mapping is created',
  },
  {
    holder: /lambda-zip/,
    action: /^s3:AbortMultipartUpload$/,
    reason: 'only when a bundle fails after its first part; tried in test/local/iam.test.ts',
  },
  {
    holder: /backend/,
    action: /^states:(Describe|Stop)Execution$/,
    reason: 'the reconciler, for an execution that was lost or is stuck; tried in test/local/iam.test.ts',
  },
  {
    holder: /backend|project-uploads/,
    action: /^(sts:AssumeRole|s3:PutObject|s3:PutObjectTagging|kms:GenerateDataKey)$/,
    reason: "an owner's project files, which the demo has none of",
    tested: true,
  },
  {
    holder: /lambda-thumbnails/,
    action: /^s3:PutObject$/,
    reason: "copies of an owner's project files, which the demo has none of",
    tested: true,
  },
  {
    holder: /lambda-|backend/,
    action: /^s3:ListBucket$/,
    reason: 'only where an object is missing, to be told so',
  },
  { holder: /-admin-/, action: /./, reason: 'break-glass: nobody uses it as long as nothing is broken' },
];

/** Why a permission may stay unused in a run, or even in the end-to-end test; undefined when it must not. */
export const reasonOf = ({ holder, action }: Permission, { tested = false } = {}): string | undefined =>
  UNEXERCISED.find(
    (exempt) => exempt.holder.test(holder) && exempt.action.test(action) && !(tested && exempt.tested),
  )?.reason;
