import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createActivity } from '../../local/activity.ts';
import { startCloud } from '../../local/cloud.ts';
import { createGate } from '../../local/gate.ts';
import { loadManifest } from '../../local/graph/program.ts';
import { choosePorts } from '../../local/ports.ts';
import { roleNamed } from '../../local/roles.ts';
import { startWatchdog } from '../../local/watchdog.ts';
import { CALLBACK_SECRET } from './graphs.ts';

const urlOf = (port: number) => `http://127.0.0.1:${port}`;

/** The cloud that the program declares for the stack `local`, with its roles enforced; no service behind it. */
export async function openDeclaredCloud() {
  const directory = await mkdtemp(path.join(tmpdir(), 'toq-cloud-'));
  const ports = await choosePorts(['api', 'gateway', 'door', 'console'], directory);
  const manifest = await loadManifest({
    awsEndpointUrl: urlOf(ports.door),
    apiEndpointUrl: urlOf(ports.gateway),
    callbackSecret: CALLBACK_SECRET,
    databaseCredentials: { username: 'user', password: 'password' },
    config: {
      database: { host: '127.0.0.1', port: 3306, name: 'toq_media' },
      jwt: { issuer: 'test', audience: 'test', jwksUrl: `${urlOf(ports.console)}/.well-known/jwks.json` },
      service: { port: ports.api },
    },
  });
  /** a test sets it to what the requests are to count as */
  const wire = { tls: true };
  const activity = createActivity();
  const watchdog = startWatchdog();
  const cloud = await startCloud({
    manifest,
    directory,
    ports,
    activity,
    gate: createGate(),
    watchdog,
    secureTransport: () => wire.tls,
  });

  const roleArn = (role: string) => roleNamed(manifest.roles, 'local', role).arn;
  /** how an SDK client reaches the cloud as a declared role */
  const as = (role: string) => ({
    endpoint: cloud.endpoint,
    region: manifest.region,
    credentials: cloud.credentials.issueAccessKey(roleArn(role)),
    maxAttempts: 1,
    forcePathStyle: true,
  });
  const clients = new Map<string, unknown>();
  /** One client of a kind for each role. */
  function client<T>(Kind: new (config: ReturnType<typeof as>) => T, role: string): T {
    const name = `${Kind.name} ${role}`;
    if (!clients.has(name)) clients.set(name, new Kind(as(role)));
    return clients.get(name) as T; // the map holds what this line made
  }

  return {
    ...cloud,
    manifest,
    activity,
    wire,
    roleArn,
    as,
    client,
    async close() {
      await cloud.close();
      await watchdog.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
export type DeclaredCloud = Awaited<ReturnType<typeof openDeclaredCloud>>;
