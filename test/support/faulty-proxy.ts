import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { ExecutionContext } from 'ava';
import { listening } from '../../local/listening.ts';

/**
 * What happens to a request: nothing, an answer of its own (true: it has answered), or the answer cut after so many
 * bytes of its body.
 */
export type Fault = undefined | true | { cutAfter: number };

/** A reverse proxy that spoils what it is told to. `Host` is kept, so signatures stay valid. */
export async function faultyProxy(
  t: ExecutionContext,
  origin: string,
  fault: (request: IncomingMessage, response: ServerResponse) => Fault,
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const planned = fault(incoming, outgoing);
    if (planned === true) return incoming.resume();
    const upstream = request(
      new URL(incoming.url ?? '/', origin),
      { method: incoming.method, headers: incoming.headers, setHost: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        if (!planned) return answer.pipe(outgoing);
        let left = planned.cutAfter;
        answer.on('data', (chunk: Buffer) => {
          outgoing.write(chunk.subarray(0, left));
          left -= chunk.length;
          if (left <= 0) setImmediate(() => outgoing.destroy());
        });
        answer.on('end', () => outgoing.destroy());
      },
    );
    upstream.on('error', () => outgoing.destroy());
    incoming.on('error', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  const { url, close } = await listening(server);
  t.teardown(close);
  return url;
}
