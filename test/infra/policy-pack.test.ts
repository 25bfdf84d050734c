import test from 'ava';
import { graphOf } from '../support/graphs.ts';
import { ADVISORY, MANDATORY, startPolicyPack } from '../support/policy-pack.ts';
import { changed } from '../support/spoilt.ts';

/** In place of a text that is not known yet (unknownStringValue of @pulumi/pulumi/runtime). */
const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

const starting = startPolicyPack();
test.after.always(async () => (await starting).close());

for (const stack of ['staging', 'production']) {
  test(`${stack} passes the policy pack as Pulumi's host loads it`, async (t) => {
    const pack = await starting;
    t.deepEqual(await pack.analyze((await graphOf(stack)).resources), []);
  });
}

test('a mistake ends the deployment, and is told by the names of the rule and the resource', async (t) => {
  const pack = await starting;
  const spoilt = changed('sqs/queue:Queue', { kmsMasterKeyId: 'alias/aws/sqs' })(
    (await graphOf('staging')).resources,
  );
  const queues = spoilt.filter(({ type }) => type === 'aws:sqs/queue:Queue');
  t.is(queues.length, 2);
  const violations = await pack.analyze(spoilt);
  t.deepEqual(
    violations.map(({ policy, level, urn }) => ({ policy, level, urn })),
    queues.map(({ urn }) => ({ policy: 'SQS2', level: MANDATORY, urn })),
  );
  for (const { message } of violations) t.regex(message, /sqs\/queue:Queue::queues-\S+: not the stack's key/);
});

test('what only the deployment will tell is no mistake of a preview', async (t) => {
  const pack = await starting;
  const { resources } = await graphOf('staging');
  const first = resources.map((resource) =>
    resource.type === 'aws:kms/key:Key'
      ? { ...resource, outputs: { ...resource.outputs, arn: UNKNOWN } }
      : resource,
  );
  const violations = await pack.analyze(first);
  t.true(violations.some(({ policy }) => policy === 'SQS2'));
  for (const { level, message } of violations) {
    t.is(level, ADVISORY, message);
    t.regex(message, /can't run policy .* during preview/);
  }
});
