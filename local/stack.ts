import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { migrations } from '../migrations/knexfile.ts';
import { type DatabaseAddress, openDatabase } from '../service/models/database.ts';
import { createActivity } from './activity.ts';
import { buildFunctions } from './build.ts';
import { startCloud } from './cloud.ts';
import { startConsole } from './console/server.ts';
import { startContainer } from './container.ts';
import { type Controls, createControls } from './controls.ts';
import { startDatabase } from './database.ts';
import { databaseUrlOf, parseDatabaseUrl } from './database-url.ts';
import { lockDirectory } from './directory-lock.ts';
import { createGate } from './gate.ts';
import { createIdentity, type Identity } from './identity.ts';
import { choosePorts } from './ports.ts';
import { ensurePrerequisites } from './prerequisites.ts';
import { listListings, type SeededListing, seed, USERS, type UserName } from './seed.ts';
import { readStackFile, removeStackFile, writeStackFile } from './stack-file.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

const ISSUER = 'toq-media-local';
const AUDIENCE = 'toq-media';
const DATABASE = 'toq_media';
/** What `fresh` removes. Ports stay, so that addresses do, and so do samples and what the demo has downloaded. */
const DATA = ['database', 's3', 'queues', 'step-functions', 'scratch', 'logs', 'stack.json'];

export interface StackOptions {
  /** everything is kept below; only one stack at a time uses it */
  directory: string;
  /** deletes the data of earlier starts first */
  fresh?: boolean;
  /** of the API; default the one of the last start, or any free one */
  port?: number;
  /** `mysql://user:password@host:port/database?tls=rds`, instead of a private MariaDB */
  databaseUrl?: string;
  /** variables of the service that differ from the declared ones */
  overrides?: Record<string, string>;
  /** one line for each step of the start */
  onProgress?: (line: string) => void;
}

export interface Stack extends Controls, AsyncDisposable {
  apiUrl: string;
  gatewayUrl: string;
  docsUrl: string;
  consoleUrl: string;
  awsEndpointUrl: string;
  databaseUrl: string;
  region: string;
  tokens: Record<UserName, string>;
  /** as they were when the stack came up */
  listings: SeededListing[];
  close(): Promise<void>;
}

/** Another stack runs on the directory. */
export class StackRunningError extends Error {
  override readonly name = 'StackRunningError';
}

/** A private MariaDB, or the given database; migrated, and filled where it was empty. */
async function openStackDatabase(options: StackOptions, watchdog: Watchdog, resources: AsyncDisposableStack) {
  let address: DatabaseAddress;
  if (options.databaseUrl) address = parseDatabaseUrl(options.databaseUrl);
  else {
    const server = await startDatabase({
      directory: path.join(options.directory, 'database'),
      database: DATABASE,
      user: DATABASE,
      password: randomBytes(18).toString('base64url'),
    });
    watchdog.watch(server.pid);
    resources.defer(async () => {
      await server.stop();
      watchdog.forget(server.pid);
    });
    address = server;
  }
  const knex = openDatabase({ ...address, poolSize: 4 });
  resources.defer(() => knex.destroy());
  await knex.migrate.latest(migrations);
  await seed(knex);
  return { address, knex };
}

async function tokensOf(identity: Identity): Promise<Record<UserName, string>> {
  const { photographer, owner, admin, otherPhotographer, otherOwner } = USERS;
  return {
    photographer: await identity.token(photographer),
    owner: await identity.token(owner),
    admin: await identity.token(admin),
    otherPhotographer: await identity.token(otherPhotographer),
    otherOwner: await identity.token(otherOwner),
  };
}

/** As Promise.all, but nothing is still starting when it rejects: what has started can be stopped. */
async function together<T extends unknown[]>(...work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(work);
  return Promise.all(work) as Promise<T>;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * Boots what the Pulumi program declares for the stack `local`, and the service in it. Everything that was started is
 * stopped by `close`, by a failing start, and, should this process be killed, by a watchdog.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, onProgress = () => {} } = options;
  await using resources = new AsyncDisposableStack();
  const lock = lockDirectory(directory);
  if (!lock) {
    const other = await readStackFile(directory);
    throw new StackRunningError(
      `A stack already runs on ${directory}${other ? ` (process ${other.pid}, ${other.consoleUrl})` : ''}. Stop it first, or use it.`,
    );
  }
  resources.defer(() => lock[Symbol.dispose]());
  await removeStackFile(directory);
  if (options.fresh) {
    const below = DATA.map((name) => path.join(directory, name));
    await Promise.all(below.map((file) => rm(file, { recursive: true, force: true })));
  }
  await mkdir(path.join(directory, 'logs'), { recursive: true });

  const begun = performance.now();
  const step = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work.catch((error: unknown) => {
      throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
    });
    onProgress(`${what} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
    return result;
  };

  await ensurePrerequisites(onProgress);
  const activity = createActivity();
  const log = createWriteStream(path.join(directory, 'logs/stack.log'), { mode: 0o600 });
  resources.defer(() => new Promise<void>((resolve) => void log.end(() => resolve())));
  activity.on('line', ({ at, source, text }) =>
    log.write(`${new Date(at).toISOString()} ${source} ${text}\n`),
  );
  const watchdog = startWatchdog();
  resources.defer(() => watchdog.close());

  const ports = await choosePorts(
    ['api', 'gateway', 'door', 'console'],
    directory,
    options.port === undefined ? {} : { api: options.port },
  );
  const urlOf = (port: number) => `http://127.0.0.1:${port}`;
  const identity = await createIdentity({ issuer: ISSUER, audience: AUDIENCE });
  const [database, { loadManifest }] = await together(
    step('Database', openStackDatabase(options, watchdog, resources)),
    // Pulumi's modules take a while to load, as the database does to start
    import('./graph/program.ts'),
    step('Functions', buildFunctions(onProgress)),
  );
  const { address, knex } = database;
  const manifest = await step(
    'Declared resources',
    loadManifest({
      awsEndpointUrl: urlOf(ports.door),
      apiEndpointUrl: urlOf(ports.gateway),
      callbackSecret: randomBytes(36).toString('base64url'),
      databaseCredentials: { username: address.user, password: address.password },
      config: {
        database: { host: address.host, port: address.port, name: address.database, tls: address.tls },
        jwt: { issuer: ISSUER, audience: AUDIENCE, jwksUrl: `${urlOf(ports.console)}/.well-known/jwks.json` },
        service: { port: ports.api },
      },
    }),
  );

  const gate = createGate();
  const cloud = await step('Cloud', startCloud({ manifest, directory, ports, activity, gate, watchdog }));
  resources.defer(() => cloud.close());
  const { taskRoleArn } = manifest.container;
  const container = startContainer({
    container: manifest.container,
    resolveSecret: cloud.secrets.resolve,
    credentials: cloud.credentials.issueAccessKey(taskRoleArn),
    awsEndpointUrl: cloud.endpoint,
    region: manifest.region,
    ...(options.overrides ? { overrides: options.overrides } : {}),
    onLine: (line) => activity.log('service', line),
    onExit: (how) => activity.log('launcher', `the service ended with ${how} and is started again`),
    watchdog,
  });
  resources.defer(() => container.stop());

  const controls = createControls({ manifest, cloud, container, activity, gate, knex });
  const site = await startConsole({ port: ports.console, controls, activity, knex, jwks: identity.jwks });
  resources.defer(() => site.close());
  await step('Service', container.ready());
  cloud.flow();

  const described = {
    apiUrl: container.url,
    gatewayUrl: cloud.gatewayUrl,
    docsUrl: `${container.url}/docs`,
    consoleUrl: site.url,
    awsEndpointUrl: cloud.endpoint,
    databaseUrl: databaseUrlOf(address),
    region: manifest.region,
    tokens: await tokensOf(identity),
    listings: await listListings(knex),
  };
  const write = () =>
    writeStackFile(directory, {
      pid: process.pid,
      ...described,
      service: container.pid === undefined ? {} : { pid: container.pid },
    });
  await write();
  resources.defer(() => removeStackFile(directory));
  container.onStart(() => void write().catch(() => undefined));
  onProgress(`Ready (${((performance.now() - begun) / 1000).toFixed(1)} s)`);

  const owned = resources.move();
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= owned.disposeAsync();
    return closing;
  };
  return { ...described, ...controls, close, [Symbol.asyncDispose]: close };
}
