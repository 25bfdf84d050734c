import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';
import { z } from 'zod';

const Ports = z.record(z.string(), z.int().min(1).max(65_535));

const listen = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

const close = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));

/**
 * A free port of 127.0.0.1 for each name: the wanted one, else the one remembered in `directory`, so that addresses
 * stay the same from start to start, else any. Throws when a wanted one is taken.
 */
export async function choosePorts<Name extends string>(
  names: readonly Name[],
  directory: string,
  wanted: Partial<Record<Name, number>> = {},
): Promise<Record<Name, number>> {
  const file = path.join(directory, 'ports.json');
  const remembered = Ports.catch({}).parse(await readFile(file, 'utf8').then(JSON.parse, () => ({})));
  // all are held until each has one, or two names could get the same
  const held: Server[] = [];
  const chosen: [Name, number][] = [];
  try {
    for (const name of names) {
      const port = wanted[name];
      const server =
        port === undefined
          ? await listen(remembered[name] ?? 0).catch(() => listen(0))
          : await listen(port).catch((error: Error) => {
              throw new Error(`Port ${port} cannot be used (${error.message}). Choose another with PORT=…`);
            });
      held.push(server);
      const address = server.address() as AddressInfo; // a TCP server that listens has one
      chosen.push([name, address.port]);
    }
  } finally {
    await Promise.all(held.map(close));
  }
  const ports = Object.fromEntries(chosen) as Record<Name, number>;
  await writeFile(file, JSON.stringify(ports, null, 2));
  return ports;
}
