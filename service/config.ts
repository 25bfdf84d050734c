import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';

const Count = z.coerce.number().int().positive();
const Flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const Arn = z.string().startsWith('arn:');

/** Every variable the container reads. Those in `secretVariables` come from Secrets Manager, the others are plain. */
export const ServiceConfig = z.object({
  ENV: z.string().min(1),
  /** what `/version` answers: the image's tag or commit */
  VERSION: z.string().default('development'),
  PORT: Count.default(3000),
  HOST: z.string().default('0.0.0.0'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),

  MEDIA_BUCKET: z.string().min(3),
  QUEUE_URL: z.url(),
  PROCESSING_STATE_MACHINE_ARN: Arn,
  FINALIZATION_STATE_MACHINE_ARN: Arn,
  /** signs the owner's PROJECT_* uploads; may only put below `raw/project/` */
  PROJECT_UPLOADS_ROLE_ARN: Arn,

  DATABASE_HOST: z.string().min(1),
  DATABASE_PORT: Count.default(3306),
  DATABASE_NAME: z.string().min(1),
  DATABASE_USER: z.string().min(1),
  DATABASE_PASSWORD: z.string(),
  DATABASE_POOL_SIZE: Count.default(10),
  /** whose authority has signed the server's certificate; `disabled`: no TLS */
  DATABASE_TLS: z.enum(['rds', 'public-ca', 'private-ca', 'disabled']).default('rds'),
  /** certificates of the private authority, PEM */
  DATABASE_TLS_CA: z
    .string()
    .refine(areCertificates, 'must be certificates in PEM and nothing else')
    .optional(),

  /** HMAC key of the callback, at least 32 characters */
  CALLBACK_SECRET: z.string().min(32),

  JWT_ISSUER: z.string().min(1),
  JWT_AUDIENCE: z.string().min(1),
  JWT_JWKS_URL: z.url(),

  /** comma-separated origins of the frontends */
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((list) => list.split(',').filter(Boolean)),

  UPLOAD_URL_TTL_SECONDS: Count.max(900).default(900),
  DOWNLOAD_URL_TTL_SECONDS: Count.default(3600),
  MAX_FILES_PER_REQUEST: Count.default(60),
  /** in portions: what one processing run can carry through a state machine's 256 KiB */
  MAX_FILES_PER_BATCH: Count.max(100).default(100),
  MAX_FILE_BYTES: Count.default(256 * 1024 ** 2),
  MAX_BATCH_BYTES: Count.default(1024 ** 3),
  UPLOAD_EXPIRY_HOURS: z.coerce.number().positive().default(24),
  STUCK_JOB_TIMEOUT_MINUTES: z.coerce.number().positive().default(30),
  RECONCILE_INTERVAL_SECONDS: z.coerce.number().positive().default(300),
  OUTBOX_INTERVAL_SECONDS: z.coerce.number().positive().default(2),
  SHUTDOWN_GRACE_SECONDS: Count.default(25),

  LISTING_APPROVAL_ADMIN_REVIEW: Flag.default(false),
  ALLOW_OWNER_PROJECT_UPLOADS: Flag.default(true),
});
export type ServiceConfig = z.output<typeof ServiceConfig>;

/** Variables whose values are secrets. */
export const secretVariables = ['DATABASE_USER', 'DATABASE_PASSWORD', 'CALLBACK_SECRET'] as const;
export type SecretVariable = (typeof secretVariables)[number];
/** The plain variables that the infrastructure must or may give the container: name → text. */
export type ServiceEnvironment = {
  [K in keyof Omit<z.input<typeof ServiceConfig>, SecretVariable>]: string;
};

const DatabaseConfig = ServiceConfig.pick({
  DATABASE_HOST: true,
  DATABASE_PORT: true,
  DATABASE_NAME: true,
  DATABASE_USER: true,
  DATABASE_PASSWORD: true,
  DATABASE_TLS: true,
  DATABASE_TLS_CA: true,
});

/** Whether a text is one or more certificates that can be read. */
function areCertificates(text: string) {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const rest = blocks.reduce((left, block) => left.replace(block, ''), text);
  try {
    return blocks.map((block) => new X509Certificate(block)).length > 0 && !rest.trim();
  } catch {
    return false;
  }
}

/** What TLS needs of the other variables: an authority, and a name that a certificate can have. */
function tlsIsPossible(
  config: Pick<ServiceConfig, 'DATABASE_HOST' | 'DATABASE_TLS' | 'DATABASE_TLS_CA'>,
  { addIssue }: Pick<z.RefinementCtx, 'addIssue'>,
) {
  const { DATABASE_HOST, DATABASE_TLS, DATABASE_TLS_CA } = config;
  const complain = (name: keyof typeof config, message: string) =>
    addIssue({ code: 'custom', path: [name], message });
  if (DATABASE_TLS === 'private-ca' && !DATABASE_TLS_CA)
    complain('DATABASE_TLS_CA', 'is missing: DATABASE_TLS=private-ca needs it');
  if (DATABASE_TLS !== 'private-ca' && DATABASE_TLS_CA)
    complain('DATABASE_TLS_CA', `is not used with DATABASE_TLS=${DATABASE_TLS}`);
  if (DATABASE_TLS !== 'disabled' && isIP(DATABASE_HOST))
    complain(
      'DATABASE_HOST',
      `must be a host name: DATABASE_TLS=${DATABASE_TLS} looks for it in the certificate`,
    );
}

function read<Schema extends z.ZodType>(schema: Schema, environment: NodeJS.ProcessEnv): z.output<Schema> {
  const result = schema.safeParse(environment);
  if (!result.success) throw new Error(`bad environment\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** Reads and checks the environment. Throws one error that lists every missing or wrong variable. */
export const readConfig = (environment: NodeJS.ProcessEnv = process.env) =>
  read(ServiceConfig.superRefine(tlsIsPossible), environment);

/** The database's part alone, for migrations. */
export const readDatabaseConfig = (environment: NodeJS.ProcessEnv = process.env) =>
  read(DatabaseConfig.superRefine(tlsIsPossible), environment);
