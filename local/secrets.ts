import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AwsError } from './aws-error.ts';
import type { AwsService } from './door.ts';
import type { Secret } from './graph/manifest.ts';
import { jsonService, type Operation } from './json-service.ts';

interface Version {
  id: string;
  value: string;
  stages: Set<string>;
  createdAt: Date;
}

interface Kept extends Omit<Secret, 'value'> {
  versions: Version[];
}

const notFound = (what = 'secret') =>
  new AwsError('ResourceNotFoundException', 400, `Secrets Manager can't find the specified ${what}.`);

const unixSeconds = (date: Date) => date.getTime() / 1000;

const checked = <T>(schema: z.ZodType<T>, input: unknown): T => {
  const result = schema.safeParse(input);
  if (!result.success) throw new AwsError('InvalidParameterException', 400, z.prettifyError(result.error));
  return result.data;
};

const Get = z.object({
  SecretId: z.string().min(1),
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
});
const Put = z.object({
  SecretId: z.string().min(1),
  SecretString: z.string().max(65_536),
  ClientRequestToken: z.string().min(32).max(64).optional(),
  VersionStages: z.array(z.string()).min(1).default(['AWSCURRENT']),
});

/** Secrets Manager for the declared secrets. Values live in this process's memory and nowhere else. */
export function createSecrets(declared: Secret[]) {
  const secrets: Kept[] = declared.map(({ name, arn }) => ({ name, arn, versions: [] }));

  function find(id: string): Kept {
    // an ARN may be given without its six random characters
    const secret = secrets.find(
      ({ name, arn }) => id === name || id === arn || arn.replace(/-\w{6}$/, '') === id,
    );
    if (!secret) throw notFound();
    return secret;
  }

  function version(secret: Kept, stage = 'AWSCURRENT', id?: string): Version {
    const found = secret.versions.find((known) => (id ? known.id === id : known.stages.has(stage)));
    if (!found) throw notFound(`secret value for ${id ? `VersionId: ${id}` : `staging label: ${stage}`}`);
    return found;
  }

  function put(id: string, value: string, stages = ['AWSCURRENT'], token: string = randomUUID()): Version {
    const secret = find(id);
    const twin = secret.versions.find((known) => known.id === token);
    if (twin && twin.value !== value) {
      throw new AwsError('ResourceExistsException', 400, `The version ${token} already has another value.`);
    }
    if (twin) return twin;
    const current = secret.versions.find((known) => known.stages.has('AWSCURRENT'));
    const moved = new Set(stages);
    if (moved.has('AWSCURRENT') && current) moved.add('AWSPREVIOUS');
    for (const known of secret.versions) for (const stage of moved) known.stages.delete(stage);
    if (stages.includes('AWSCURRENT')) current?.stages.add('AWSPREVIOUS');
    const fresh = { id: token, value, stages: new Set(stages), createdAt: new Date() };
    // a version without a stage is deprecated, and Secrets Manager deletes it
    secret.versions = [...secret.versions.filter((known) => known.stages.size), fresh];
    return fresh;
  }

  for (const { arn, value } of declared) if (value !== undefined) put(arn, value);

  const operations: Record<string, Operation> = {
    GetSecretValue(input) {
      const { SecretId, VersionStage, VersionId } = checked(Get, input);
      const secret = find(SecretId);
      const { id, value, stages, createdAt } = version(secret, VersionStage, VersionId);
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: id,
        SecretString: value,
        VersionStages: [...stages],
        CreatedDate: unixSeconds(createdAt),
      };
    },
    DescribeSecret(input) {
      const secret = find(checked(Get, input).SecretId);
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionIdsToStages: Object.fromEntries(secret.versions.map(({ id, stages }) => [id, [...stages]])),
      };
    },
    PutSecretValue(input) {
      const { SecretId, SecretString, VersionStages, ClientRequestToken } = checked(Put, input);
      const secret = find(SecretId);
      const { id, stages } = put(SecretId, SecretString, VersionStages, ClientRequestToken);
      return { ARN: secret.arn, Name: secret.name, VersionId: id, VersionStages: [...stages] };
    },
  };

  const service: AwsService = jsonService(operations);
  return {
    service,

    /** Puts a new AWSCURRENT; the version before becomes AWSPREVIOUS. */
    put: (id: string, value: string) => void put(id, value),

    /**
     * What ECS resolves for a container: `{arn}`, or `{arn}:{json key}:{version stage}:{version id}` with empty parts left
     * to their defaults (ECS developer guide, "Pass Secrets Manager secrets").
     */
    resolve(reference: string): string {
      const parts = reference.split(':');
      const [key, stage, id] = parts.slice(7);
      const { value } = version(find(parts.slice(0, 7).join(':')), stage || undefined, id || undefined);
      if (!key) return value;
      const member: unknown = Reflect.get(z.looseObject({}).parse(JSON.parse(value)), key);
      if (typeof member !== 'string' && typeof member !== 'number') {
        throw new Error(`the secret ${parts.slice(0, 7).join(':')} has no key ${key}`);
      }
      return String(member);
    },
  };
}
export type Secrets = ReturnType<typeof createSecrets>;
