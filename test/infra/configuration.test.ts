import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { Configuration } from '../../infra/configuration.ts';

type Tree = { [key: string]: Tree | unknown };

const PREFIX = 'toq-media:';
const STAGING: Tree = Object.fromEntries(
  Object.entries<unknown>(parse(readFileSync('Pulumi.staging.yaml', 'utf8')).config)
    .filter(([key]) => key.startsWith(PREFIX))
    .map(([key, group]) => [key.slice(PREFIX.length), group]),
);

/** The settings of staging with one of them, `service.tasks.min`, as given. */
function stagingWith(path: string, value: unknown): Tree {
  const settings = structuredClone(STAGING);
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const group = keys.reduce<Tree>((tree, key) => Object(tree[key]), settings);
  group[last] = value;
  return settings;
}

const issue = (path: string, value: unknown) =>
  Configuration.safeParse(stagingWith(path, value)).error?.issues[0];

/** What is wrong with the setting, in the words that follow its name; nothing when it is taken. */
const complaint = (path: string, value: unknown) => issue(path, value)?.message;

const BLOCK = 'must be a block of private addresses such as 10.40.0.0/16';
const ARN = 'must be an ARN (arn:aws:…)';
const INSTANCE = {
  class: 'db.t4g.medium',
  storageGiB: 20,
  maxStorageGiB: 100,
  multiZone: false,
  backupDays: 7,
};
/** PutRetentionPolicy of CloudWatch Logs. */
const PERIODS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** Setting → what it takes, what it refuses, and with which words where zod's own do not say it. */
const LIMITS: [path: string, takes: unknown[], refuses: unknown[], complaint?: string][] = [
  [
    'account.region',
    ['us-east-1', 'sa-east-1', 'us-gov-west-1'],
    ['us-east', 'US-EAST-1'],
    'must be an AWS region such as us-east-1',
  ],
  ['account.deployer', [undefined, 'arn:aws:iam::058264253741:role/x'], ['role/x'], ARN],
  ['protectData', [true, false], ['yes', undefined]],
  ['media.bucket', ['abc', 'a.b-c'], ['ab', 'Photos', '-abc'], 'must be an S3 bucket name'],
  [
    'media.frontendOrigins',
    [['http://localhost:5173'], ['https://a.br', 'https://b.br']],
    [['https://a.br/'], ['https://*.a.br'], ['a.br']],
    'must be an origin such as https://app.example.com',
  ],
  ['media.frontendOrigins', [], [[], undefined]],
  ['media.archiveRawAfterDays', [undefined, 30, 365], [29, 180.5]],
  ['media.keepNoncurrentDays', [undefined, 1], [0]],
  [
    'logs.retentionDays',
    PERIODS,
    [2, 10, 31, 366, 1000, 4000],
    `must be one of CloudWatch's periods: ${PERIODS.join(', ')}`,
  ],
  ['logs.accessLogDays', [undefined, 1], [0]],
  ['alerts.email', [undefined, 'a@b.br'], ['nobody'], 'must be an email address'],
  ['database.host', ['x'], ['']],
  ['database.port', [undefined, 1, 65_535], [0, 65_536]],
  ['database.name', ['t'], ['', undefined]],
  ['database.credentialsSecretArn', [], ['toq-server/staging'], ARN],
  ['database.cidrBlock', ['10.0.0.0/8', '172.16.0.0/16', '172.31.0.0/16', '192.168.1.0/24'], []],
  ['database.cidrBlock', [], ['172.15.0.0/16', '172.32.0.0/16', '193.168.0.0/16', '10.20.0.7', 'all'], BLOCK],
  ['database.tls', [undefined, 'rds', 'public-ca', 'disabled'], []],
  ['database.tls', [], ['required', true], 'must be rds, public-ca, private-ca or disabled'],
  ['database.poolSize', [undefined, 1], [0]],
  ['jwt.issuer', ['x'], ['', undefined]],
  ['jwt.audience', ['x'], ['', undefined]],
  ['jwt.jwksUrl', ['https://a.br/jwks.json'], ['a.br', undefined]],
  ['network.availabilityZones', [2, 3], []],
  ['network.availabilityZones', [], [1, 4, '2'], 'must be 2 or 3'],
  ['network.natGateways', ['single', 'perZone'], []],
  ['network.natGateways', [], ['none', 1], 'must be single or perZone'],
  [
    'network.interfaceEndpoints',
    [undefined, [], ['ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'sqs', 'states', 'sts']],
    [],
  ],
  ['api.requestsPerSecond', [1], [0, 1.5, undefined]],
  ['api.burst', [1], [0, undefined]],
  ['api.domain', [undefined], [{ name: 'media.a.br' }]],
  [
    'api.domain.name',
    ['media.a.br'],
    ['https://media.a.br', 'media/a'],
    'must be a host name such as media.example.com',
  ],
  ['api.domain.certificateArn', [], ['1b2c3d4e'], ARN],
  ['api.domain.hostedZoneId', [undefined, 'Z1'], ['']],
  ['service.version', [undefined, 'a'], ['']],
  ['service.cpu', [256, 512], []],
  ['service.cpu', [], [128, 8192, '512'], 'must be a Fargate size: 256, 512, 1024, 2048 or 4096'],
  ['service.memoryMiB', [1024, 4096], [0, '1024', undefined]],
  [
    'service.tasks',
    [
      { min: 0, max: 0 },
      { min: 2, max: 2 },
    ],
    [{ min: -1, max: 0 }, { min: 0 }],
  ],
  ['service.tasks', [], [{ min: 3, max: 2 }], 'must not be less than min'],
  ['service.port', [undefined, 1, 65_535], [0, 65_536]],
  ['service.logLevel', [undefined, 'debug', 'info', 'warn', 'error'], ['trace']],
  ['service.uploads', [undefined, {}], [{ urlTtl: 1 }]],
  ['service.uploads.urlTtlSeconds', [undefined, 1, 900], [0, 901]],
  ['service.uploads.maxFilesPerRequest', [undefined, 1], [0]],
  ['service.uploads.maxFilesPerBatch', [undefined, 1, 100], [0, 101]],
  ['service.uploads.maxFileBytes', [undefined, 1], [0]],
  ['service.uploads.maxBatchBytes', [undefined, 1], [0]],
  ['service.uploads.expiryHours', [undefined, 0.5], [0]],
  ['service.downloadUrlTtlSeconds', [undefined, 1, 3600], [0, 3601]],
  ['service.workers', [undefined, {}], [{ outbox: 1 }]],
  ['service.workers.outboxIntervalSeconds', [undefined, 0.5], [0]],
  ['service.workers.reconcileIntervalSeconds', [undefined, 0.5], [0]],
  ['service.workers.stuckJobTimeoutMinutes', [undefined, 0.5], [0]],
  ['service.features', [undefined, {}], [{ review: true }]],
  ['service.features.adminReview', [undefined, true, false], ['yes']],
  ['service.features.ownerProjectUploads', [undefined, true, false], ['yes']],
];
for (const [path, takes, refuses, words] of LIMITS) {
  const told = (values: unknown[]) => values.map((value) => JSON.stringify(value) ?? 'nothing').join(' ');
  const title = [takes.length && `takes ${told(takes)}`, refuses.length && `refuses ${told(refuses)}`];
  test(`${path} ${title.filter(Boolean).join(', ')}`, (t) => {
    for (const value of takes) t.is(complaint(path, value), undefined, JSON.stringify(value));
    for (const value of refuses) {
      const said = complaint(path, value);
      if (words) t.is(said, words, JSON.stringify(value));
      else t.truthy(said, JSON.stringify(value));
    }
  });
}

/** Amazon ECS, "Task CPU and memory": CPU units, least and most memory in MiB, one that is not there. */
const FARGATE = [
  [256, 512, 2048, 1536],
  [512, 1024, 4096, 512],
  [1024, 2048, 8192, 9216],
  [2048, 4096, 16_384, 3072],
  [4096, 8192, 30_720, 31_744],
] as const;
for (const [cpu, least, most, none] of FARGATE) {
  test(`a task of ${cpu} CPU units has ${least} to ${most} MiB`, (t) => {
    const { service } = stagingWith('service.cpu', cpu);
    const refusal = (memoryMiB: number) => issue('service', Object.assign({}, service, { memoryMiB }));
    t.is(refusal(least), undefined);
    t.is(refusal(most), undefined);
    t.deepEqual(refusal(none)?.path, ['service', 'memoryMiB']);
    t.regex(
      refusal(none)?.message ?? '',
      new RegExp(`^must be one of ${least}, .*${most} with ${cpu} CPU units$`),
    );
  });
}

test('a database of its own takes sizes that RDS has', (t) => {
  const refusal = (changes: Tree) =>
    issue('database', { name: 'toq', instance: { ...INSTANCE, ...changes } });
  for (const taken of [{}, { storageGiB: 100 }, { backupDays: 1 }, { backupDays: 35 }]) {
    t.is(refusal(taken), undefined, JSON.stringify(taken));
  }
  const smaller = refusal({ storageGiB: 101 });
  t.is(smaller?.message, 'must not be less than storageGiB');
  t.deepEqual(smaller?.path, ['database', 'instance', 'maxStorageGiB']);
  t.is(refusal({ class: 'm5.large' })?.message, 'must be an RDS instance class such as db.t4g.medium');
  for (const refused of [{ storageGiB: 19 }, { maxStorageGiB: 19 }, { backupDays: 0 }, { backupDays: 36 }]) {
    t.truthy(refusal(refused), JSON.stringify(refused));
  }
});

for (const key of ['host', 'credentialsSecretArn', 'cidrBlock']) {
  test(`database.${key} is given, or the stack has an instance of its own`, (t) => {
    t.truthy(complaint(`database.${key}`, undefined));
    const foreign = { host: 'a.br', credentialsSecretArn: 'arn:aws:x', cidrBlock: '10.0.0.0/16' };
    const [, one] = Object.entries(foreign).find(([name]) => name === key) ?? [];
    t.is(
      complaint('database', { name: 'toq', instance: INSTANCE, [key]: one }),
      'must be left out where the stack has an instance of its own',
    );
  });
}
