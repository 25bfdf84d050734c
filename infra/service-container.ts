import * as pulumi from '@pulumi/pulumi';
import type { SecretVariable, ServiceEnvironment } from '../service/config.ts';
import type { Settings } from './config.ts';
import type { Text } from './policies.ts';

/** Name of the one container of a task. */
export const CONTAINER = 'service';

/** What the container reads, each value known early or late. A missing or a surplus variable does not compile. */
export type ContainerEnvironment = {
  [K in keyof ServiceEnvironment]: pulumi.Input<ServiceEnvironment[K]>;
};
/** Variable → what ECS reads it from: a secret's ARN, or `{arn}:{json key}::`. */
export type ContainerSecrets = Record<SecretVariable, Text>;

export interface ContainerArgs {
  image: Text;
  port: number;
  environment: ContainerEnvironment;
  secrets: ContainerSecrets;
  logGroup: Text;
  region: string;
}

/** Seconds between SIGTERM and SIGKILL; the service drains in 25 (SHUTDOWN_GRACE_SECONDS). */
const STOP_TIMEOUT_SECONDS = 60;
const HEALTH_SECONDS = 10;

/** The JSON of the task's one container: not root, nothing writable, asked after its health by its own Node. */
export const containerDefinitions = (args: ContainerArgs): pulumi.Output<string> =>
  pulumi.jsonStringify([
    {
      ...sandboxed(args, 'service'),
      portMappings: [{ containerPort: args.port, protocol: 'tcp' }],
      healthCheck: {
        command: [
          'CMD',
          'node',
          '-e',
          `fetch('http://127.0.0.1:${args.port}/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`,
        ],
        interval: HEALTH_SECONDS,
        timeout: HEALTH_SECONDS / 2,
        retries: 3,
        startPeriod: 30,
      },
      stopTimeout: STOP_TIMEOUT_SECONDS,
    },
  ]);

/** The same image, which brings the schema up to date and ends. It knows the database and nothing else. */
export const migrationDefinitions = (
  args: Omit<ContainerArgs, 'environment' | 'secrets' | 'port'> & {
    environment: Pick<
      ContainerEnvironment,
      'DATABASE_HOST' | 'DATABASE_PORT' | 'DATABASE_NAME' | 'DATABASE_TLS' | 'DATABASE_TLS_CA'
    >;
    secrets: Pick<ContainerSecrets, 'DATABASE_USER' | 'DATABASE_PASSWORD'>;
  },
): pulumi.Output<string> =>
  pulumi.jsonStringify([
    {
      ...sandboxed(args, 'migrations'),
      command: ['node', 'migrations/migrate.ts'],
    },
  ]);

/** What every container of ours has: neither root nor a writable file, and a log. */
const sandboxed = (
  args: Pick<ContainerArgs, 'image' | 'logGroup' | 'region'> & {
    environment: Record<string, pulumi.Input<string | undefined>>;
    secrets: Record<string, Text>;
  },
  stream: string,
) => ({
  name: CONTAINER,
  image: args.image,
  essential: true,
  user: '1000:1000',
  readonlyRootFilesystem: true,
  linuxParameters: { initProcessEnabled: true },
  environment: Object.entries(args.environment)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ name, value })),
  secrets: Object.entries(args.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
  logConfiguration: {
    logDriver: 'awslogs',
    options: {
      'awslogs-group': args.logGroup,
      'awslogs-region': args.region,
      'awslogs-stream-prefix': stream,
    },
  },
});

/** The variables that come from settings rather than from other resources; what is not set is the service's default. */
export const settingsEnvironment = ({ environment, media, database, jwt, service }: Settings) =>
  ({
    ENV: environment,
    VERSION: service.version,
    PORT: String(service.port),
    LOG_LEVEL: service.logLevel,
    DATABASE_PORT: String(database.port),
    DATABASE_NAME: database.name,
    DATABASE_POOL_SIZE: text(database.poolSize),
    DATABASE_TLS: database.tls,
    DATABASE_TLS_CA: database.tlsCa,
    JWT_ISSUER: jwt.issuer,
    JWT_AUDIENCE: jwt.audience,
    JWT_JWKS_URL: jwt.jwksUrl,
    CORS_ORIGINS: media.frontendOrigins.join(','),
    UPLOAD_URL_TTL_SECONDS: text(service.uploads.urlTtlSeconds),
    DOWNLOAD_URL_TTL_SECONDS: text(service.downloadUrlTtlSeconds),
    MAX_FILES_PER_REQUEST: text(service.uploads.maxFilesPerRequest),
    MAX_FILES_PER_BATCH: text(service.uploads.maxFilesPerBatch),
    MAX_FILE_BYTES: text(service.uploads.maxFileBytes),
    MAX_BATCH_BYTES: text(service.uploads.maxBatchBytes),
    UPLOAD_EXPIRY_HOURS: text(service.uploads.expiryHours),
    STUCK_JOB_TIMEOUT_MINUTES: text(service.workers.stuckJobTimeoutMinutes),
    RECONCILE_INTERVAL_SECONDS: text(service.workers.reconcileIntervalSeconds),
    OUTBOX_INTERVAL_SECONDS: text(service.workers.outboxIntervalSeconds),
    LISTING_APPROVAL_ADMIN_REVIEW: text(service.features.adminReview),
    ALLOW_OWNER_PROJECT_UPLOADS: text(service.features.ownerProjectUploads),
  }) satisfies Partial<ContainerEnvironment>;

const text = (value: number | boolean | undefined) => (value === undefined ? undefined : String(value));
