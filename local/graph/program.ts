import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import program from '../../infra/index.ts';
import { calls } from './calls.ts';
import type { Graph } from './graph.ts';
import { type HarvestOptions, harvest } from './harvest.ts';
import type { Manifest } from './manifest.ts';
import type { Place } from './models/aws.ts';
import { models } from './models.ts';
import { manifestOf } from './projection.ts';

/** Values that replace or join those of `Pulumi.{stack}.yaml`, merged key by key: `{service: {port: 4000}}`; null removes one. */
export type ConfigOverrides = { [setting: string]: unknown };

export interface HarvestStackOptions {
  config?: ConfigOverrides;
  /** HMAC key of the callback, at least 32 characters; the file cannot have it */
  callbackSecret?: string;
  endpoints?: Pick<Place, 'sqsEndpoint' | 'apiEndpoint'>;
}

const ROOT = path.join(import.meta.dirname, '..', '..');
const PROJECT = 'toq-media';
const SECRET = 'callbackSecret';

const StackFile = z.object({ config: z.record(z.string(), z.unknown()) });
const Account = z.object({ id: z.string(), region: z.string() });

/** What the engine is told of a stack: its configuration as the CLI hands it over, and what AWS would answer. */
export type StackInputs = Omit<HarvestOptions, 'program' | 'patience'>;

/** Reads `Pulumi.{stack}.yaml`. Throws when there is no such stack. */
export function stackInputs(stack: string, options: HarvestStackOptions = {}): StackInputs {
  const file = StackFile.parse(parse(readFileSync(path.join(ROOT, `Pulumi.${stack}.yaml`), 'utf8')));
  const own = Object.fromEntries(
    Object.entries(options.config ?? {}).map(([key, value]) => [`${PROJECT}:${key}`, value]),
  );
  const config = merge(file.config, own);
  const account = Account.safeParse(isObject(config) ? config[`${PROJECT}:account`] : undefined);
  return {
    project: PROJECT,
    stack,
    config: {
      ...texts(config),
      ...(options.callbackSecret !== undefined && { [`${PROJECT}:${SECRET}`]: options.callbackSecret }),
    },
    secretKeys: [`${PROJECT}:${SECRET}`],
    model: models({
      region: account.data?.region ?? 'us-east-1',
      accountId: account.data?.id ?? '000000000000',
      ...options.endpoints,
    }),
    call: calls,
  };
}

/** Evaluates the program for a stack, as `pulumi preview` would with its `Pulumi.{stack}.yaml`. */
export const harvestStack = (stack: string, options?: HarvestStackOptions): Promise<Graph> =>
  harvest({ ...stackInputs(stack, options), program });

export interface LoadManifestOptions {
  /** base URL of the front door: `http://127.0.0.1:PORT` */
  awsEndpointUrl: string;
  /** base URL of the API Gateway: `http://127.0.0.1:PORT` */
  apiEndpointUrl: string;
  /** settings that are known only now: database, jwt, service, media.frontendOrigins */
  config?: ConfigOverrides;
  /** HMAC key of the callback, at least 32 characters */
  callbackSecret: string;
  /** what the database's secret holds */
  databaseCredentials: { username: string; password: string };
}

/**
 * What the program declares for the stack `local`. Throws, with the whole list, when the graph is incomplete.
 * The manifest holds secrets: it is never written down.
 */
export async function loadManifest(options: LoadManifestOptions): Promise<Manifest> {
  const graph = await harvestStack('local', {
    ...(options.config && { config: options.config }),
    callbackSecret: options.callbackSecret,
    endpoints: { sqsEndpoint: options.awsEndpointUrl, apiEndpoint: options.apiEndpointUrl },
  });
  return manifestOf(graph, JSON.stringify(options.databaseCredentials));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over === undefined ? base : over;
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries(
    [...keys].filter((key) => over[key] !== null).map((key) => [key, merge(base[key], over[key])]),
  );
}

/** The CLI hands structured values over as JSON text and scalars as they are. */
const texts = (config: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(isObject(config) ? config : {}).map(([key, value]) => [
      key,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );
