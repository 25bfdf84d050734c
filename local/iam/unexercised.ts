import type { Permission } from './usage.ts';

interface Exemption {
  /** whose policy: a role, a role's trust, a key, a bucket, a queue, a topic, a policy of CloudWatch Logs */
  holder: RegExp;
  /** of the statement, where the action does not tell */
  statement?: RegExp;
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
    reason: 'only when a bundle fails after its first part; tried in test/local/iam/roles.test.ts',
  },
  {
    holder: /backend/,
    action: /^states:(Describe|Stop)Execution$/,
    reason:
      'the reconciler, for an execution that was lost or is stuck; tried in test/local/iam/roles.test.ts',
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
  {
    holder: /flow-logs-.*\(trust\)/,
    action: /^sts:AssumeRole$/,
    reason: 'the VPC writes flow logs; here there is none',
  },
  {
    holder: /^alias\//,
    statement: /^Administration$/,
    action: /^kms:/,
    reason: 'people and `pulumi up` administer the key; here it is declared and never changed',
  },
  {
    holder: /^alias\//,
    statement: /^Logs$/,
    action: /^kms:/,
    reason: 'CloudWatch Logs encrypts its groups by itself; here the launcher keeps the logs, in clear',
  },
  {
    holder: /^alias\/|-alerts-/,
    statement: /^Alarms$/,
    action: /^(kms|sns):/,
    reason: 'CloudWatch publishes alarms; here no alarm is evaluated',
  },
  {
    holder: /^alias\/|-alerts-/,
    statement: /^Events$/,
    action: /^(kms|sns):/,
    reason: 'EventBridge publishes failed transcodes, of which the demo has none',
    tested: true,
  },
  {
    holder: /^toq-logs-/,
    statement: /^(AccessLogs|LoadBalancerLogs)$/,
    action: /^s3:PutObject$/,
    reason: 'S3 and load balancers deliver access logs; here neither keeps any',
  },
];

/** Why a permission may stay unused in a run, or even in the end-to-end test; undefined when it must not. */
export const reasonOf = (permission: Permission, { tested = false } = {}): string | undefined =>
  UNEXERCISED.find((exempt) => covers(exempt, permission) && !(tested && exempt.tested))?.reason;

/** Whether an exemption speaks of a permission. */
export const covers = (exempt: Exemption, { holder, statement, action }: Permission) =>
  exempt.holder.test(holder) && (exempt.statement?.test(statement) ?? true) && exempt.action.test(action);
