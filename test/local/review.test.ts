import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'ava';
import { harvestStack } from '../../local/graph/program.ts';
import { type Difference, differenceOf } from '../../local/review/difference.ts';
import { type Inventory, inventoryOf } from '../../local/review/inventory.ts';
import { differenceTable, tableOf } from '../../local/review/table.ts';
import { CALLBACK_SECRET, graphOf } from '../support/graphs.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** `npm run -s stack -- …` */
const review = (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      ['local/review/main.ts', ...args],
      { cwd: ROOT, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

const inventory = async (stack: string) => inventoryOf(await graphOf(stack));
const find = ({ items }: Inventory, type: string, name: string) =>
  items.find((item) => item.type === type && item.name === name);
const change = ({ changed }: Difference, type: string, name: string, path: string) =>
  changed
    .find(({ item }) => item.type === type && item.name === name)
    ?.settings.find((setting) => setting.path === path);

test('a stack is printed as a table of its components that fits into 120 columns', async (t) => {
  const { code, stdout, stderr } = await review('staging');
  t.is(code, 0);
  t.is(stderr, '');
  const lines = stdout.split('\n');
  t.deepEqual(
    lines.filter((line) => line.length > 120),
    [],
  );
  t.regex(lines[0] ?? '', /^Stack staging: \d+ resources, account 058264253741, region us-east-1$/);
  for (const component of ['encryption', 'queues', 'state-machines', 'storage', 'tasks']) {
    t.true(lines.includes(component), component);
  }
  t.regex(stdout, /^sqs\.Queue +listing-media-processing-staging +\S/m);
  t.regex(stdout, /^ +visibilityTimeoutSeconds: 60$/m);
  t.regex(stdout, /^s3\.Bucket +toq-listing-medias +protect: true$/m);
});

test('every resource that the program declares is in the inventory, once', async (t) => {
  const graph = await graphOf('production');
  const { items } = inventoryOf(graph);
  const declared = graph.resources.filter(({ kind }) => kind === 'custom' || kind === 'read');
  t.is(items.length, declared.length);
  t.is(new Set(items.map(({ type, name }) => `${type} ${name}`)).size, items.length);
  t.deepEqual(
    items.filter(({ component }) => component === '').map(({ type }) => type),
    ['providers.aws'],
  );
});

test('a policy reads as a sentence a statement', async (t) => {
  const policy = find(await inventory('staging'), 's3.BucketPolicy', 'storage-media');
  t.is(
    policy?.settings['policy.Statement.DenyDelete'],
    'Deny s3:DeleteObject, s3:DeleteObjectVersion to * on s3:toq-listing-medias/* if ArnNotEquals aws:PrincipalArn ' +
      'iam:role/toq-media-processing-backend-staging, iam:role/toq-media-processing-admin-staging',
  );
});

test('a secret is in no table and in no JSON', async (t) => {
  const staging = await inventory('staging');
  t.is(find(staging, 'secretsmanager.SecretVersion', 'callback-secret')?.settings.secretString, '(secret)');
  const difference = differenceOf(
    staging,
    inventoryOf(await harvestStack('production', { callbackSecret: 'x'.repeat(32) })),
  );
  const said = [
    tableOf(staging, 120),
    JSON.stringify(staging),
    differenceTable(difference, 120),
    JSON.stringify(difference),
  ].join('\n');
  t.false(said.includes(CALLBACK_SECRET));
  t.false(said.includes('x'.repeat(32)));
});

test('two environments differ by their settings and not by their names', async (t) => {
  const difference = differenceOf(await inventory('staging'), await inventory('production'));
  t.like(change(difference, 'cloudwatch.LogGroup', 'tasks-zip', 'retentionInDays'), {
    before: '30',
    after: '180',
  });
  t.like(change(difference, 's3.Bucket', 'storage-media', 'name'), {
    before: 'toq-listing-medias',
    after: 'toq-listing-medias-{environment}',
  });
  for (const [type, name] of [
    ['sqs.Queue', 'queues-jobs'],
    ['iam.Role', 'transcoding-role'],
    ['kms.Key', 'encryption'],
    ['sfn.StateMachine', 'state-machines-media-processing'],
  ]) {
    t.true(
      (await inventory('staging')).items.some((item) => item.type === type && item.name === name),
      name,
    );
    t.false(
      difference.changed.some(({ item }) => item.type === type && item.name === name),
      name,
    );
  }
});

test('a resource that only one environment has is said to be added or removed', async (t) => {
  const withMail = await inventory('staging');
  const withoutMail = inventoryOf(
    await harvestStack('staging', { callbackSecret: CALLBACK_SECRET, config: { alerts: { email: null } } }),
  );
  const names = (items: { type: string }[]) => items.map(({ type }) => type);
  const removal = differenceOf(withMail, withoutMail);
  t.deepEqual(names(removal.removed), ['sns.TopicSubscription']);
  t.deepEqual([removal.added, removal.changed], [[], []]);
  t.deepEqual(names(differenceOf(withoutMail, withMail).added), ['sns.TopicSubscription']);
});

test('a stack does not differ from itself', async (t) => {
  const staging = await inventory('staging');
  t.deepEqual(differenceOf(staging, staging), {
    from: 'staging',
    to: 'staging',
    added: [],
    removed: [],
    changed: [],
  });
});

test('a setting that is missing in one environment is named as such, among the changed', async (t) => {
  const { code, stdout } = await review('staging', '--diff', 'production');
  t.is(code, 0);
  t.regex(stdout, /^staging → production: \d+ resources more, \d+ fewer, \d+ changed$/m);
  t.regex(stdout, /retentionInDays: 30 → 180/);
  t.regex(stdout, /\(not set\)/);
  t.notRegex(stdout, /058264253741|111122223333/);
});

test('machines get JSON', async (t) => {
  const one: Inventory = JSON.parse((await review('local', '--json')).stdout);
  t.is(one.stack, 'local');
  t.is(find(one, 'sqs.Queue', 'queues-jobs')?.settings.visibilityTimeoutSeconds, '60');
  const two: Difference = JSON.parse((await review('local', '--diff', 'staging', '--json')).stdout);
  t.like(two, { from: 'local', to: 'staging' });
  t.true(two.changed.length > 10);
});

test('what cannot be answered is one sentence and an exit code', async (t) => {
  const unknown = await review('nowhere');
  t.is(unknown.code, 1);
  t.is(unknown.stdout, '');
  t.regex(
    unknown.stderr,
    /^There is no stack nowhere: Pulumi\.nowhere\.yaml is missing\. Stacks: local, production, staging\.\n$/,
  );
  const none = await review();
  t.is(none.code, 1);
  t.regex(none.stderr, /^Usage: npm run -s stack -- STACK/);
  const misspelt = await review('staging', '--dif', 'production');
  t.is(misspelt.code, 1);
  t.regex(misspelt.stderr, /^Unknown option '--dif'/);
});
