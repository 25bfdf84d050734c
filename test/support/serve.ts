import { createServer, type RequestListener } from 'node:http';
import { listening } from '../../local/listening.ts';

export interface Served extends AsyncDisposable {
  origin: string;
}

/** Listens on a free port of 127.0.0.1 until it is disposed of; open connections are cut then. */
export async function serve(listener: RequestListener): Promise<Served> {
  const { url, close } = await listening(createServer(listener));
  return { origin: url, [Symbol.asyncDispose]: close };
}

/** A port of 127.0.0.1 that nobody has now. */
export async function freePort(): Promise<number> {
  const { origin, ...served } = await serve(() => {});
  await served[Symbol.asyncDispose]();
  return Number(new URL(origin).port);
}
