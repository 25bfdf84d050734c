import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Served extends AsyncDisposable {
  origin: string;
}

/** Listens on a free port of 127.0.0.1 until it is disposed of; open connections are cut then. */
export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port of 127.0.0.1 that nobody has now. */
export async function freePort(): Promise<number> {
  const { origin, ...served } = await serve(() => {});
  await served[Symbol.asyncDispose]();
  return Number(new URL(origin).port);
}
