import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { listening } from '../../local/listening.ts';

export interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}
export type Reply = [status: number, body: unknown, headers?: Record<string, string>];

/** A real HTTP server on a free port that answers as told and remembers what it was asked. */
export async function recordingServer(t: ExecutionContext, answer: (seen: Seen) => Reply | 'hang up') {
  const requests: Seen[] = [];
  const server = createServer(async (request, response) => {
    const seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: await text(request),
    };
    requests.push(seen);
    const reply = answer(seen);
    if (reply === 'hang up') return request.socket.destroy();
    const [status, body, headers] = reply;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const { url, close } = await listening(server);
  t.teardown(close);
  return { url, requests };
}
