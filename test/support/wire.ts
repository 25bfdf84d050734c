import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AccessKey } from '../../local/credentials.ts';

/** A request, written to the wire as it stands. */
export interface WireRequest {
  method: string;
  /** path and query, already encoded */
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

export interface WireAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** `Code` of an S3 error document */
  code: string | undefined;
}

/** Sends a request by node:http, which neither normalises the path nor adds headers other than Host. */
export function send(url: string, { method, path, headers = {}, body }: WireRequest): Promise<WireAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { hostname, port, method, path, headers, agent: false },
      async (incoming) => {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: text,
          code: /<Code>(.*?)<\/Code>/.exec(text)?.[1],
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Writes to a bare socket, and returns what came back until the server closed. */
export async function exchange(url: string, lines: string[], ...rest: string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.write([...lines, '', ''].join('\r\n'));
  for (const piece of rest) socket.write(piece);
  socket.end();
  return text(socket);
}

/** The headers of a request as lines of HTTP. */
export const headerLines = ({ headers = {} }: WireRequest) =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`);

export const sha256 = (body: Buffer | string) => createHash('sha256').update(body).digest('hex');

export interface SigningOptions {
  key: AccessKey;
  service?: string;
  region?: string;
  at?: Date;
}

const signer = ({ key, service = 's3', region = 'us-east-1' }: SigningOptions) =>
  new SignatureV4({
    credentials: key,
    region,
    service,
    sha256: Sha256,
    uriEscapePath: service !== 's3',
    applyChecksum: service !== 's3',
  });

function toSmithy(url: string, { method, path, headers = {}, body }: WireRequest) {
  const { host, hostname, port } = new URL(url);
  const [pathname = '/', search = ''] = path.split('?');
  const query: Record<string, string> = {};
  for (const pair of search.split('&').filter((part) => part !== '')) {
    const [name = '', value = ''] = pair.split('=');
    query[decodeURIComponent(name)] = decodeURIComponent(value);
  }
  return {
    method,
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: pathname,
    query,
    headers: { host, ...headers },
    ...(body !== undefined && { body }),
  };
}

/** The request with an Authorization header of AWS's own signer; x-amz-content-sha256 as given, or the body's. */
export async function signByHeader(
  url: string,
  request: WireRequest,
  options: SigningOptions,
): Promise<WireRequest> {
  const headers = { 'x-amz-content-sha256': sha256(request.body ?? ''), ...request.headers };
  const signed = await signer(options).sign(toSmithy(url, { ...request, headers }), {
    ...(options.at && { signingDate: options.at }),
  });
  return { ...request, headers: signed.headers };
}

/** The request with its signature in the query; the headers it has stay headers and are signed. */
export async function signByQuery(
  url: string,
  request: WireRequest,
  { expiresIn = 900, ...options }: SigningOptions & { expiresIn?: number },
): Promise<WireRequest> {
  const names = new Set(Object.keys(request.headers ?? {}));
  const smithy = toSmithy(url, request);
  const signed = await signer(options).presign(
    { ...smithy, headers: { ...smithy.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } },
    {
      expiresIn,
      unhoistableHeaders: names,
      signableHeaders: new Set([...names, 'host']),
      ...(options.at && { signingDate: options.at }),
    },
  );
  const query = Object.entries(signed.query ?? {})
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&');
  return { ...request, path: `${request.path.split('?')[0]}?${query}` };
}
