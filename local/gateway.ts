import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { readAuthorization } from './authorization.ts';
import { AwsError } from './aws-error.ts';
import type { Credentials } from './credentials.ts';
import type { Caller } from './door.ts';
import type { HttpApi } from './graph/manifest.ts';
import { listening } from './listening.ts';
import { sha256Hex, verifySignature } from './sigv4.ts';

/** The most that an HTTP API passes on ("Amazon API Gateway quotas"). */
const LARGEST_BODY = 10 * 1024 ** 2;
const INTEGRATION_TIMEOUT_MS = 30_000;

/** Fields of one connection (RFC 9110 §7.6.1), which a proxy does not pass on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface GatewayOptions {
  api: HttpApi;
  /** where the VPC link leads: the service */
  target: URL;
  credentials: Credentials;
  region: string;
  port?: number;
  /** Throws for a caller who may not invoke the route, on AWS_IAM routes. `path` is the route's own. */
  authorize?: (caller: Caller, method: string, path: string) => Promise<void>;
  now?: () => Date;
}

/** Answered with the JSON that an HTTP API gives; the reason stays here. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Route {
  method: string;
  path: RegExp;
  greedy: boolean;
  declared: HttpApi['routes'][number];
}

/** `POST /a/{id}`, `ANY /a/{proxy+}`, `$default`. */
function compile(declared: HttpApi['routes'][number]): Route {
  if (declared.key === '$default') return { method: 'ANY', path: /^/, greedy: true, declared };
  const [method = '', path = ''] = declared.key.split(' ');
  const parts = path.split(/(\{[^}]+\})/).map((part) => {
    if (!part.startsWith('{')) return RegExp.escape(part);
    return part.endsWith('+}') ? '.+' : '[^/]+';
  });
  return { method, path: new RegExp(`^${parts.join('')}$`), greedy: path.endsWith('+}'), declared };
}

/** The most specific route wins: an exact path before a greedy one, a method before ANY. */
const bySpecificity = (a: Route, b: Route) =>
  Number(a.greedy) - Number(b.greedy) ||
  Number(a.method === 'ANY') - Number(b.method === 'ANY') ||
  b.declared.key.length - a.declared.key.length;

async function whole(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > LARGEST_BODY) throw new Refusal(413, 'Request Entity Too Large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Field lines without those of this hop, in their order and spelling. */
function endToEnd(message: IncomingMessage, without: string[] = []): string[] {
  const named = String(message.headers.connection ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  const dropped = new Set([...HOP_BY_HOP, ...named, ...without]);
  const lines: string[] = [];
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = message.rawHeaders.slice(i, i + 2);
    if (!dropped.has(name.toLowerCase())) lines.push(name, value);
  }
  return lines;
}

/** API Gateway's HTTP API with its VPC link: the declared routes and nothing else lead to the service. */
export async function startGateway(options: GatewayOptions) {
  const { api, target, credentials, region, now = () => new Date() } = options;
  const routes = api.routes.map(compile).sort(bySpecificity);

  async function authorize(request: IncomingMessage, path: string): Promise<Buffer> {
    const body = await whole(request);
    const authorization = readAuthorization(request);
    if (authorization?.service !== 'execute-api') throw new Refusal(403, 'Forbidden');
    const { caller } = verifySignature(request, authorization, sha256Hex(body), {
      credentials,
      region,
      now: now(),
    });
    await options.authorize?.(caller, request.method ?? '', path);
    return body;
  }

  async function pass(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const route = routes.find(
      ({ method, path }) => (method === 'ANY' || method === request.method) && path.test(url.pathname),
    );
    if (!route) throw new Refusal(404, 'Not Found');
    if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY) {
      throw new Refusal(413, 'Request Entity Too Large');
    }
    const signed =
      route.declared.authorization === 'AWS_IAM' ? await authorize(request, url.pathname) : undefined;

    const client = request.socket.remoteAddress ?? '';
    const earlier = request.headers['x-forwarded-for'];
    const outgoing = forward({
      host: target.hostname,
      port: target.port,
      method: request.method,
      path: `${route.declared.overwritePath ?? url.pathname}${url.search}`,
      headers: [
        ...endToEnd(request, ['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']),
        ...['Host', target.host, 'Via', 'HTTP/1.1 AmazonAPIGateway', 'X-Forwarded-Proto', 'http'],
        ...['X-Forwarded-For', earlier ? `${earlier}, ${client}` : client],
        ...(request.headers.host ? ['X-Forwarded-Host', request.headers.host] : []),
        ...(signed || !request.headers['transfer-encoding'] ? [] : ['Transfer-Encoding', 'chunked']),
      ],
      // a service that was restarted has closed what an agent would keep open
      agent: false,
      timeout: INTEGRATION_TIMEOUT_MS,
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('timeout')));
    response.once('close', () => outgoing.destroy());
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    if (signed) outgoing.end(signed);
    // a service may answer before it has read everything, and what it says counts
    else pipeline(request, outgoing).catch(() => undefined);

    const incoming = await answer.catch(() => {
      throw new Refusal(503, 'Service Unavailable');
    });
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, endToEnd(incoming));
    await pipeline(incoming, response);
  }

  function refuse(response: ServerResponse, error: unknown) {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { status, message } =
      error instanceof Refusal
        ? error
        : error instanceof AwsError
          ? new Refusal(403, 'Forbidden')
          : new Refusal(500, 'Internal Server Error');
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify({ message }));
  }

  const server = createServer((request, response) => {
    pass(request, response).catch((error) => refuse(response, error));
  });
  return listening(server, options.port);
}
