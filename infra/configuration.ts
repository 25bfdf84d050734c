import { isIP } from 'node:net';
import { z } from 'zod';
import { LONGEST_LIFE } from './bucket-policies.ts';

const Positive = z.int().positive();
const Seconds = z.number().positive();
const Arn = z.string().startsWith('arn:aws:', 'must be an ARN (arn:aws:…)');
/** An IPv4 block of RFC 1918. */
const Block = z
  .cidrv4({ error: 'must be a block of private addresses such as 10.40.0.0/16', abort: true })
  .regex(/^(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.)/);
/** Services that the tasks and functions of the VPC talk to, as PrivateLink names them. */
const ENDPOINTS = ['ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'sqs', 'states', 'sts'];
/** One or more certificates in PEM, and no key among them. */
const CERTIFICATES = /^(\s*-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*)+$/;
const ACCOUNT_ID = 'must be the 12 digits of an AWS account, in quotes';
/** Retention periods that CloudWatch Logs accepts, in days. */
const LOG_RETENTION = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

const gibibytes = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => (from + index) * 1024);
/** CPU units → MiB of memory that Fargate has with them (Amazon ECS, "Task CPU and memory"). */
const FARGATE_MEMORY = {
  256: [512, 1024, 2048],
  512: gibibytes(1, 4),
  1024: gibibytes(2, 8),
  2048: gibibytes(4, 16),
  4096: gibibytes(8, 30),
};

/** In the place of an image's digest: the stack builds the image. */
export const BUILD = 'build';

/** Every key of the stack's configuration; each is explained in Pulumi.staging.yaml. */
export const Configuration = z.strictObject({
  account: z.strictObject({
    id: z.string(ACCOUNT_ID).regex(/^\d{12}$/, ACCOUNT_ID),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as us-east-1'),
    deployer: Arn.optional(),
  }),
  protectData: z.boolean(),
  media: z.strictObject({
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be an S3 bucket name'),
    frontendOrigins: z
      .array(z.string().regex(/^https?:\/\/[^/*\s]+$/, 'must be an origin such as https://app.example.com'))
      .min(1),
    archiveRawAfterDays: z.int().min(30).default(180),
    keepNoncurrentDays: Positive.default(30),
  }),
  logs: z.strictObject({
    retentionDays: z.int().refine((days) => LOG_RETENTION.includes(days), {
      error: `must be one of CloudWatch's periods: ${LOG_RETENTION.join(', ')}`,
    }),
    accessLogDays: Positive.default(365),
  }),
  alerts: z.strictObject({ email: z.email('must be an email address').optional() }).default({}),
  database: z
    .strictObject({
      host: z.string().min(1).optional(),
      port: Positive.max(65_535).default(3306),
      name: z.string().min(1),
      credentialsSecretArn: Arn.optional(),
      tls: z
        .literal(
          ['rds', 'public-ca', 'private-ca', 'disabled'],
          'must be rds, public-ca, private-ca or disabled',
        )
        .default('rds'),
      tlsCa: z
        .string()
        .regex(CERTIFICATES, 'must be certificates in PEM (-----BEGIN CERTIFICATE----- …) and nothing else')
        .optional(),
      cidrBlock: Block.optional(),
      instance: z
        .strictObject({
          class: z.string().startsWith('db.', 'must be an RDS instance class such as db.t4g.medium'),
          storageGiB: z.int().min(20),
          maxStorageGiB: z.int().min(20),
          multiZone: z.boolean(),
          backupDays: z.int().min(1).max(35),
        })
        .refine(({ storageGiB, maxStorageGiB }) => storageGiB <= maxStorageGiB, {
          path: ['maxStorageGiB'],
          error: 'must not be less than storageGiB',
        })
        .optional(),
      poolSize: Positive.optional(),
    })
    .superRefine((database, context) => {
      for (const key of ['host', 'credentialsSecretArn', 'cidrBlock'] as const) {
        const given = database[key] !== undefined;
        if (given && database.instance) {
          const message = 'must be left out where the stack has an instance of its own';
          context.addIssue({ code: 'custom', path: [key], message });
        }
        if (!given && !database.instance) context.addIssue({ code: 'custom', path: [key] });
      }
      const complain = (key: 'host' | 'tls' | 'tlsCa', message: string) =>
        context.addIssue({ code: 'custom', path: [key], message });
      if (database.instance && database.tls !== 'rds')
        complain('tls', 'must be rds where the stack has an instance of its own');
      if ((database.tls === 'private-ca') !== (database.tlsCa !== undefined))
        complain('tlsCa', 'must be given with tls: private-ca, and with no other');
      if (database.tls !== 'disabled' && isIP(database.host ?? ''))
        complain('host', 'must be a host name, for which TLS looks in the certificate of the server');
    }),
  jwt: z.strictObject({ issuer: z.string().min(1), audience: z.string().min(1), jwksUrl: z.url() }),
  network: z.strictObject({
    cidrBlock: Block.endsWith('/16', 'must have 16 bits for addresses, such as 10.40.0.0/16'),
    availabilityZones: z.literal([2, 3], 'must be 2 or 3'),
    natGateways: z.literal(['single', 'perZone'], 'must be single or perZone'),
    interfaceEndpoints: z.array(z.literal(ENDPOINTS, `must be one of ${ENDPOINTS.join(', ')}`)).default([]),
  }),
  api: z.strictObject({
    requestsPerSecond: Positive,
    burst: Positive,
    domain: z
      .strictObject({
        name: z.hostname('must be a host name such as media.example.com'),
        certificateArn: Arn,
        hostedZoneId: z.string().min(1).optional(),
      })
      .optional(),
  }),
  service: z
    .strictObject({
      image: z
        .string()
        .regex(
          new RegExp(`^${BUILD}$|@sha256:[0-9a-f]{64}$`),
          `must name the image by digest, repository@sha256:<64 hex digits>, or be ${BUILD}`,
        ),
      version: z.string().min(1).optional(),
      cpu: z.literal([256, 512, 1024, 2048, 4096], 'must be a Fargate size: 256, 512, 1024, 2048 or 4096'),
      memoryMiB: Positive,
      tasks: z
        .strictObject({ min: z.int().min(0), max: z.int().min(0) })
        .refine(({ min, max }) => min <= max, { path: ['max'], error: 'must not be less than min' }),
      port: Positive.max(65_535).default(3000),
      logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      uploads: z
        .strictObject({
          urlTtlSeconds: Positive.max(LONGEST_LIFE.upload).optional(),
          maxFilesPerRequest: Positive.optional(),
          maxFilesPerBatch: Positive.max(100).optional(),
          maxFileBytes: Positive.optional(),
          maxBatchBytes: Positive.optional(),
          expiryHours: z.number().positive().optional(),
        })
        .default({}),
      downloadUrlTtlSeconds: Positive.max(LONGEST_LIFE.download).optional(),
      workers: z
        .strictObject({
          outboxIntervalSeconds: Seconds.optional(),
          reconcileIntervalSeconds: Seconds.optional(),
          stuckJobTimeoutMinutes: z.number().positive().optional(),
        })
        .default({}),
      features: z
        .strictObject({ adminReview: z.boolean().optional(), ownerProjectUploads: z.boolean().optional() })
        .default({}),
    })
    .superRefine(({ cpu, memoryMiB }, context) => {
      const sizes = FARGATE_MEMORY[cpu];
      if (sizes.includes(memoryMiB)) return;
      const message = `must be one of ${sizes.join(', ')} with ${cpu} CPU units`;
      context.addIssue({ code: 'custom', path: ['memoryMiB'], message });
    }),
});
