import * as pulumi from '@pulumi/pulumi';
import type { z } from 'zod';
import { Configuration } from './configuration.ts';

export interface Settings extends z.output<typeof Configuration> {
  /** the stack's name, and the suffix of its resources */
  environment: string;
  /** HMAC key of the callback */
  callbackSecret: pulumi.Output<string>;
}

const SECRET = 'callbackSecret';
/** Shortest HMAC key that is worth its hash: as long as a SHA-256 output. */
const SECRET_LENGTH = 32;

/**
 * Reads the stack's configuration. Called by the program, never while a module loads: one process may evaluate several
 * stacks. Stops with one sentence for each key that is missing, unknown or wrong.
 */
export function loadSettings(): Settings {
  const environment = pulumi.getStack();
  const project = pulumi.getProject();
  const given = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(`${project}:`));
  const { [SECRET]: secret = '', ...texts } = Object.fromEntries(
    given.map(([key, text]) => [key.slice(project.length + 1), text]),
  );
  const raw = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, parsed(text)]));

  const complaints: string[] = [];
  if (!/^[a-z][a-z0-9-]{0,14}$/.test(environment)) {
    complaints.push(
      `its name is the suffix of every resource and must be lower-case letters, digits and hyphens, at most 15. Remedy: pulumi stack init <name>`,
    );
  }
  const result = Configuration.safeParse(raw);
  for (const issue of result.error?.issues ?? []) complaints.push(...sentences(project, raw, issue));
  if (secret.length < SECRET_LENGTH) {
    complaints.push(
      `${project}:${SECRET} must be a secret of at least ${SECRET_LENGTH} characters. Remedy: openssl rand -base64 48 | pulumi config set --secret ${project}:${SECRET}`,
    );
  }
  if (!result.success || complaints.length) {
    throw new pulumi.RunError(complaints.map((complaint) => `Stack ${environment}: ${complaint}`).join('\n'));
  }
  return { ...result.data, environment, callbackSecret: new pulumi.Config().requireSecret(SECRET) };
}

/** The CLI hands structured values over as JSON text, and scalars as they are. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function sentences(project: string, raw: unknown, issue: z.core.$ZodIssue): string[] {
  const at = ([key, ...path]: PropertyKey[]) =>
    `${project}:${String(key)}${path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}`;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const name = at([...issue.path, key]);
      return `${name} is no setting of ours. Remedy: pulumi config rm --path '${name}'`;
    });
  }
  const name = at(issue.path);
  const remedy = `pulumi config set --path '${name}' <value>, as explained in Pulumi.staging.yaml`;
  const missing = issue.path.reduce(valueAt, raw) === undefined;
  return [`${name} ${missing ? 'is missing' : complaint(issue.message)}. Remedy: ${remedy}`];
}

const valueAt = (value: unknown, key: PropertyKey): unknown =>
  value && typeof value === 'object' ? Reflect.get(value, key) : undefined;

/** Our own messages say what a value must be, zod's what is wrong with it. */
const complaint = (message: string) =>
  message.startsWith('must ') ? message : `is not valid: ${message.replace('Invalid input: ', '')}`;
