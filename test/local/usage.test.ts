import test from 'ava';
import { policyLines, usageLines } from '../../local/iam/report.ts';
import { createUsage } from '../../local/iam/usage.ts';

const ROLE = 'toq-media-processing-backend-local';
const TOPIC = 'toq-media-alerts-local';
const allow = (Sid: string, Action: string[], Resource: string) => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
});

const counted = () =>
  createUsage([
    {
      holder: ROLE,
      document: {
        Statement: [
          allow('0', ['s3:GetObject', 's3:PutObject', 'xray:PutTraceSegments'], 'arn:aws:s3:::b/*'),
        ],
      },
    },
    { holder: `${ROLE} (trust)`, document: { Statement: [allow('0', ['sts:AssumeRole'], '*')] } },
    {
      holder: TOPIC,
      document: {
        Statement: [
          { Sid: 'DenyInsecureTransport', Effect: 'Deny', Action: 'sns:Publish', Resource: '*' },
          allow('Events', ['sns:Publish'], 'arn:aws:sns:us-east-1:0:t'),
          allow('Alarms', ['sns:Publish'], 'arn:aws:sns:us-east-1:0:t'),
        ],
      },
    },
    {
      holder: 'listing-media-processing-local',
      document: { Statement: [{ Effect: 'Deny', Action: 'sqs:*', Resource: '*' }] },
    },
  ]);

test('a statement is used by what it allowed, and a refusal allows nothing', (t) => {
  const usage = counted();
  usage.record([{ holder: TOPIC, index: 1 }], 'sns:Publish', 'arn:aws:sns:us-east-1:0:t');
  const topic = usage.read().find(({ holder }) => holder === TOPIC);
  t.deepEqual(
    topic?.used.map(({ statement }) => statement),
    ['Events'],
  );
  t.deepEqual(
    topic?.unused.map(({ statement }) => statement),
    ['Alarms'],
  );
});

test('the report names the unused actions of a role, and the unused statements of a resource that allows anything', (t) => {
  const usage = counted();
  usage.record([{ holder: ROLE, index: 0 }], 's3:GetObject', 'arn:aws:s3:::b/key');
  const [role, ...otherRoles] = usageLines(usage.read(), 'local');
  t.regex(String(role), /^backend +1\/3 +s3:PutObject, 1 for AWS alone$/);
  t.deepEqual(otherRoles, []);
  const [topic, ...others] = policyLines(usage.read());
  t.regex(String(topic), /^toq-media-alerts-local +0\/2 +Events, Alarms$/);
  t.deepEqual(others, []);
});
