import type { SignedRequest } from '../door.ts';
import type { Inventory } from './inventory.ts';
import type { Need } from './need.ts';
import { s3Needs } from './s3-needs.ts';

type Needs = (signed: SignedRequest, inventory: Inventory) => Need[] | Promise<Need[]>;
type Input = Record<string, unknown>;

const text = (value: unknown) => (typeof value === 'string' ? value : '');

/** Operation and input of a JSON or form protocol. What cannot be read is left to the service to refuse. */
async function read(signed: SignedRequest): Promise<{ operation: string; input: Input }> {
  const body = (await signed.body()).toString();
  const target = text(signed.request.headers['x-amz-target']);
  if (target) return { operation: target.slice(target.lastIndexOf('.') + 1), input: parse(body) };
  const form = Object.fromEntries(new URLSearchParams(body));
  return { operation: form.Action ?? '', input: form };
}

function parse(body: string): Input {
  try {
    const value: unknown = JSON.parse(body || '{}');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Several messages in one request need what each of them would (SQS developer guide, "API permissions reference"). */
const single = (operation: string) => operation.replace(/Batch$/, '');

/** SQS developer guide, "Configure KMS permissions": producers decrypt, too, to verify the data key that they reuse. */
const QUEUE_KEY_ACTIONS: Record<string, ('Decrypt' | 'GenerateDataKey')[]> = {
  SendMessage: ['GenerateDataKey', 'Decrypt'],
  ReceiveMessage: ['Decrypt'],
};

const sqs: Needs = async (signed, inventory) => {
  const { operation, input } = await read(signed);
  if (operation === 'ListQueues') return [{ action: 'sqs:ListQueues', resource: '*' }];
  const action = single(operation);
  const { arn, keyArn } = inventory.queue(
    text(input.QueueUrl) || text(input.QueueName) || text(input.SourceArn),
  );
  const keyActions = QUEUE_KEY_ACTIONS[action] ?? [];
  return [
    { action: `sqs:${action}`, resource: arn },
    ...inventory.keyNeeds('sqs', keyArn, { 'aws:sqs:arn': arn }, ...keyActions),
  ];
};

const sns: Needs = async (signed, inventory) => {
  const { operation, input } = await read(signed);
  return publication(inventory, text(input.TopicArn), `sns:${single(operation)}`);
};

/** What it takes to publish to a topic, which is encrypted on arrival. */
export function publication(inventory: Inventory, topicArn: string, action = 'sns:Publish'): Need[] {
  if (!topicArn) return [{ action, resource: '*' }];
  const { keyArn } = inventory.topic(topicArn);
  const key = inventory.keyNeeds(
    'sns',
    keyArn,
    { 'aws:sns:topicArn': topicArn },
    'GenerateDataKey',
    'Decrypt',
  );
  return [{ action, resource: topicArn }, ...(action === 'sns:Publish' ? key : [])];
}

const states: Needs = async (signed) => {
  const { operation, input } = await read(signed);
  const resource = text(input.executionArn) || text(input.stateMachineArn) || '*';
  return [{ action: `states:${operation}`, resource }];
};

const lambda: Needs = ({ url }, inventory) => {
  const [, name = ''] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname) ?? [];
  return name
    ? [{ action: 'lambda:InvokeFunction', resource: inventory.functionArn(decodeURIComponent(name)) }]
    : [];
};

/** A job is made in a queue, from a template, and carried out with a role that is passed on and has to trust. */
function jobCreation(input: Input, inventory: Inventory): Need[] {
  const service = 'mediaconvert.amazonaws.com';
  const role = text(input.role);
  const template = text(input.jobTemplate);
  const queue = inventory.jobQueueArn(text(input.queue) || 'Default');
  const resources = [queue, ...(template ? [inventory.jobTemplateArn(template)] : [])];
  return [
    ...resources.map((resource) => ({ action: 'mediaconvert:CreateJob', resource })),
    { action: 'iam:PassRole', resource: role, context: { 'iam:PassedToService': service } },
    assumption(inventory, service, role),
  ];
}

/** What it takes for a service to act as a role of this account. */
export const assumption = ({ accountId }: Inventory, by: string, roleArn: string): Need => ({
  action: 'sts:AssumeRole',
  resource: roleArn,
  context: { 'aws:SourceAccount': accountId },
  by,
});

const mediaconvert: Needs = async ({ request, url, body }, inventory) => {
  const [, collection = '', item] = /^\/2017-08-29\/(\w+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  const name = decodeURIComponent(item ?? '');
  switch (`${request.method} ${collection}${item ? '/' : ''}`) {
    case 'POST jobs':
      return jobCreation(parse((await body()).toString()), inventory);
    case 'GET jobs':
      return [
        {
          action: 'mediaconvert:ListJobs',
          resource: inventory.jobQueueArn(url.searchParams.get('queue') || 'Default'),
        },
      ];
    case 'GET jobs/':
      return [{ action: 'mediaconvert:GetJob', resource: inventory.arn('mediaconvert', `jobs/${name}`) }];
    case 'DELETE jobs/':
      return [{ action: 'mediaconvert:CancelJob', resource: inventory.arn('mediaconvert', `jobs/${name}`) }];
    case 'GET jobTemplates/':
      return [{ action: 'mediaconvert:GetJobTemplate', resource: inventory.jobTemplateArn(name) }];
    case 'POST endpoints':
      return [{ action: 'mediaconvert:DescribeEndpoints', resource: '*' }];
    default:
      return [];
  }
};

const secretsmanager: Needs = async (signed, inventory) => {
  const { operation, input } = await read(signed);
  const stage = text(input.VersionStage) || 'AWSCURRENT';
  return secretNeeds(inventory, operation, text(input.SecretId), stage);
};

const SECRET_KEY_ACTIONS: Record<string, ('Decrypt' | 'GenerateDataKey')[]> = {
  GetSecretValue: ['Decrypt'],
  PutSecretValue: ['GenerateDataKey', 'Decrypt'],
};

/** What it takes to use a secret, which a key may encrypt (Secrets Manager user guide, "Secret encryption"). */
export function secretNeeds(inventory: Inventory, operation: string, id: string, stage: string): Need[] {
  const { arn, keyArn } = inventory.secret(id);
  const context = { 'secretsmanager:SecretId': arn, 'secretsmanager:VersionStage': stage };
  return [
    { action: `secretsmanager:${operation}`, resource: arn, context },
    ...inventory.keyNeeds(
      'secretsmanager',
      keyArn,
      { SecretARN: arn },
      ...(SECRET_KEY_ACTIONS[operation] ?? []),
    ),
  ];
}

const sts: Needs = async (signed) => {
  const { operation, input } = await read(signed);
  // everybody may ask who he is
  if (operation === 'GetCallerIdentity') return [];
  const context = { 'sts:RoleSessionName': text(input.RoleSessionName) };
  return [{ action: `sts:${operation}`, resource: text(input.RoleArn) || '*', context }];
};

const events: Needs = async (signed, inventory) => {
  const { operation } = await read(signed);
  return [{ action: `events:${operation}`, resource: inventory.arn('events', 'event-bus/default') }];
};

/** By the service name of the credential scope: what a signed request has to be allowed. */
export const NEEDS: Record<string, Needs> = {
  s3: s3Needs,
  sqs,
  sns,
  states,
  lambda,
  mediaconvert,
  secretsmanager,
  sts,
  events,
};
