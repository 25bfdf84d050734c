import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import type { z } from 'zod';
import { Configuration } from '../../infra/configuration.ts';
import program from '../../infra/index.ts';
import type { Late } from '../../infra/media-function.ts';
import type { ContainerEnvironment, ContainerSecrets } from '../../infra/service-container.ts';
import type { Environment } from '../../lambdas/config.ts';
import { harvest } from '../../local/graph/harvest.ts';
import { type ConfigOverrides, harvestStack, stackInputs } from '../../local/graph/program.ts';
import { CALLBACK_SECRET, inputsOf } from '../support/graphs.ts';

/** The sentences with which the program refuses staging after these changes; none when it does not. */
async function refusal(config: ConfigOverrides, callbackSecret = CALLBACK_SECRET) {
  try {
    await harvestStack('staging', { config, callbackSecret });
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : [String(error)];
  }
  return [];
}

const explained = (name: string) =>
  `Remedy: pulumi config set --path '${name}' <value>, as explained in Pulumi.staging.yaml`;

test.serial('staging is accepted as it stands', async (t) => {
  t.deepEqual(await refusal({}), []);
});

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const REFUSED: [string, ConfigOverrides, string, string][] = [
  ['a missing setting', { database: { host: null } }, 'toq-media:database.host', 'is missing'],
  ['a missing group', { jwt: null }, 'toq-media:jwt', 'is missing'],
  [
    'a number that is text',
    { database: { port: 'mysql' } },
    'toq-media:database.port',
    'is not valid: expected number, received string',
  ],
  [
    'an account that lost its leading zero',
    { account: { id: 58_264_253_741 } },
    'toq-media:account.id',
    'must be the 12 digits of an AWS account, in quotes',
  ],
  [
    'an image by tag',
    { service: { image: 'repository:latest' } },
    'toq-media:service.image',
    'must name the image by digest, repository@sha256:<64 hex digits>, or be build',
  ],
  [
    'a build spelt otherwise',
    { service: { image: 'Build' } },
    'toq-media:service.image',
    'must name the image by digest, repository@sha256:<64 hex digits>, or be build',
  ],
  [
    'any origin',
    { media: { frontendOrigins: ['https://app.example.com', '*'] } },
    'toq-media:media.frontendOrigins[1]',
    'must be an origin such as https://app.example.com',
  ],
  [
    'a database of its own beside another',
    {
      database: {
        credentialsSecretArn: null,
        cidrBlock: null,
        instance: {
          class: 'db.t4g.medium',
          storageGiB: 20,
          maxStorageGiB: 100,
          multiZone: false,
          backupDays: 7,
        },
      },
    },
    'toq-media:database.host',
    'must be left out where the stack has an instance of its own',
  ],
  [
    'a database behind an address, for which a certificate is no proof',
    { database: { host: '10.20.0.7' } },
    'toq-media:database.host',
    'must be a host name, for which TLS looks in the certificate of the server',
  ],
  [
    'a private authority without its certificates',
    { database: { tls: 'private-ca' } },
    'toq-media:database.tlsCa',
    'is missing',
  ],
  [
    'certificates that nobody looks at',
    { database: { tlsCa: PEM } },
    'toq-media:database.tlsCa',
    'must be given with tls: private-ca, and with no other',
  ],
  [
    'a key among the certificates',
    { database: { tls: 'private-ca', tlsCa: `${PEM}${PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY')}` } },
    'toq-media:database.tlsCa',
    'must be certificates in PEM (-----BEGIN CERTIFICATE----- …) and nothing else',
  ],
  [
    'a database of its own without TLS',
    {
      database: {
        host: null,
        credentialsSecretArn: null,
        cidrBlock: null,
        tls: 'disabled',
        instance: {
          class: 'db.t4g.medium',
          storageGiB: 20,
          maxStorageGiB: 100,
          multiZone: false,
          backupDays: 7,
        },
      },
    },
    'toq-media:database.tls',
    'must be rds where the stack has an instance of its own',
  ],
  [
    'fewer tasks at most than at least',
    { service: { tasks: { min: 5 } } },
    'toq-media:service.tasks.max',
    'must not be less than min',
  ],
  [
    'a network of public addresses',
    { network: { cidrBlock: '52.0.0.0/16' } },
    'toq-media:network.cidrBlock',
    'must be a block of private addresses such as 10.40.0.0/16',
  ],
  [
    'a network that is none',
    { network: { cidrBlock: 'all' } },
    'toq-media:network.cidrBlock',
    'must be a block of private addresses such as 10.40.0.0/16',
  ],
  [
    'a network too small for its subnets',
    { network: { cidrBlock: '10.40.0.0/20' } },
    'toq-media:network.cidrBlock',
    'must have 16 bits for addresses, such as 10.40.0.0/16',
  ],
  [
    'an endpoint of a service that nothing here talks to',
    { network: { interfaceEndpoints: ['ec2'] } },
    'toq-media:network.interfaceEndpoints[0]',
    'must be one of ecr.api, ecr.dkr, logs, secretsmanager, sqs, states, sts',
  ],
  [
    'an upload URL that outlives its quarter of an hour',
    { service: { uploads: { urlTtlSeconds: 901 } } },
    'toq-media:service.uploads.urlTtlSeconds',
    'is not valid: Too big: expected number to be <=900',
  ],
];
for (const [what, config, name, complaint] of REFUSED) {
  test.serial(`${what} is refused in one sentence that names stack, key and remedy`, async (t) => {
    t.deepEqual(await refusal(config), [`Stack staging: ${name} ${complaint}. ${explained(name)}`]);
  });
}

for (const name of ['Staging', '2staging', 'stag_ing', 'a-very-long-name']) {
  test.serial(`a stack cannot be called ${name}, which no bucket could end with`, async (t) => {
    const inputs = stackInputs('staging', { callbackSecret: CALLBACK_SECRET });
    await t.throwsAsync(harvest({ ...inputs, stack: name, program }), {
      message: `Stack ${name}: its name is the suffix of every resource and must be lower-case letters, digits and hyphens, at most 15. Remedy: pulumi stack init <name>`,
    });
  });
}

test.serial('a misspelt setting is refused, at any depth', async (t) => {
  t.deepEqual(await refusal({ medai: {}, media: { bucked: 'x' } }), [
    "Stack staging: toq-media:media.bucked is no setting of ours. Remedy: pulumi config rm --path 'toq-media:media.bucked'",
    "Stack staging: toq-media:medai is no setting of ours. Remedy: pulumi config rm --path 'toq-media:medai'",
  ]);
});

test.serial('everything wrong is said at once, the secret included but not repeated', async (t) => {
  const sentences = await refusal({ database: { name: null }, logs: { retentionDays: 31 } }, 'too short');
  t.is(sentences.length, 3);
  t.regex(sentences[0] ?? '', /toq-media:logs\.retentionDays must be one of CloudWatch's periods/);
  t.regex(sentences[1] ?? '', /toq-media:database\.name is missing/);
  t.regex(sentences[2] ?? '', /callbackSecret must be a secret of at least 32 characters.*--secret/);
  t.notRegex(sentences.join(), /too short/);
});

test.serial('a refused stack leaves nothing behind for the next one', async (t) => {
  await refusal({ jwt: null });
  t.deepEqual(await refusal({}), []);
});

test.serial('an optional setting that is not given leaves the default to the service', async (t) => {
  const graph = await harvestStack('staging', {
    callbackSecret: CALLBACK_SECRET,
    config: { service: { workers: null, features: null, version: null }, database: { poolSize: null } },
  });
  const task = inputsOf(graph, 'ecs/taskDefinition:TaskDefinition', 'hosting-service');
  const [container] = JSON.parse(String(task.containerDefinitions));
  const names = container.environment.map(({ name }: { name: string }) => name);
  for (const name of ['RECONCILE_INTERVAL_SECONDS', 'ALLOW_OWNER_PROJECT_UPLOADS', 'DATABASE_POOL_SIZE']) {
    t.false(names.includes(name), name);
  }
  t.true(names.includes('UPLOAD_URL_TTL_SECONDS'));
});

test('staging documents every setting there is', (t) => {
  // an alternative stands there as a comment
  const text = readFileSync('Pulumi.staging.yaml', 'utf8');
  const { config } = parse(text);
  const alternative = (path: string) => new RegExp(`^ *# +${path.split('.').at(-1)}: \\S`, 'm').test(text);
  const leaves = (schema: z.ZodType, path: string): string[] => {
    const inner = 'unwrap' in schema && typeof schema.unwrap === 'function' ? schema.unwrap() : schema;
    if (inner !== schema) return leaves(inner, path);
    if (!('shape' in schema)) return [path];
    return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([key, child]) =>
      leaves(child, path ? `${path}.${key}` : key),
    );
  };
  for (const path of leaves(Configuration, '')) {
    const [setting, ...keys] = path.split('.');
    const value = keys.reduce((group, key) => group?.[key], config[`toq-media:${setting}`]);
    t.true(value !== undefined || alternative(path), path);
  }
});

test('a variable that the program forgets, or adds, does not compile', (t) => {
  const common = { ENV: 'x', MEDIA_BUCKET: 'x', TRACE_HEADER_KEY: 'x' };
  const complete: Late<Environment<'start'>> = { ...common, PROCESSING_STATE_MACHINE_ARN: 'arn:x' };
  // @ts-expect-error PROCESSING_STATE_MACHINE_ARN is missing
  const forgotten: Late<Environment<'start'>> = { ...common };
  // @ts-expect-error SURPLUS is nobody's
  const surplus: Late<Environment<'validate'>> = { ...common, SURPLUS: 'x' };
  // @ts-expect-error QUEUE_URL and many others are missing
  const container: ContainerEnvironment = { ENV: 'x', MEDIA_BUCKET: 'x' };
  // @ts-expect-error CALLBACK_SECRET is missing
  const secrets: ContainerSecrets = { DATABASE_USER: 'x', DATABASE_PASSWORD: 'x' };
  t.deepEqual(
    [complete, forgotten, surplus, container, secrets].map((environment) => Object.keys(environment).length),
    [4, 3, 4, 2, 2],
  );
});
