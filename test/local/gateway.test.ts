import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, request } from 'node:http';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { createCredentials } from '../../local/credentials.ts';
import { startGateway } from '../../local/gateway.ts';
import type { HttpApi } from '../../local/graph/manifest.ts';
import { REGION, role } from '../support/front-door.ts';
import { serve } from '../support/serve.ts';
import { send, signByHeader } from '../support/wire.ts';

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A service that tells what reached it. */
const echo: RequestListener = async (incoming, response) => {
  const { method, url, headers } = incoming;
  const body = await text(incoming);
  response.writeHead(url === '/api/v2/teapot' ? 418 : 200, {
    'content-type': 'application/json',
    connection: 'x-hop, keep-alive',
    'x-hop': 'for one connection',
    'set-cookie': ['a=1', 'b=2'],
  });
  response.end(JSON.stringify({ method, url, headers, body } satisfies Seen));
};

const credentials = createCredentials();

/** The gateway of a test with these routes to a service. */
async function openGateway(t: ExecutionContext, routes: HttpApi['routes'], target: string) {
  const api = { id: 'local', arn: 'arn', executionArn: 'arn', endpoint: '', routes };
  const gateway = await startGateway({ api, target: new URL(target), credentials, region: REGION });
  t.teardown(gateway.close);
  return gateway;
}

test('the gateway passes declared routes on, signed where they ask for it, and nothing else', async (t) => {
  await using service = await serve(echo);
  const gateway = await openGateway(
    t,
    [
      { key: 'ANY /api/v2/{proxy+}', authorization: 'NONE' },
      { key: 'GET /api/v2/items/{id}', authorization: 'NONE', overwritePath: '/item' },
      {
        key: 'POST /media-processing/callback',
        authorization: 'AWS_IAM',
        overwritePath: '/internal/media-processing/callback',
      },
    ],
    service.origin,
  );

  const plain = await send(gateway.url, {
    method: 'PATCH',
    path: '/api/v2/a%20b?x=1&y=%2F',
    headers: {
      connection: 'x-mine',
      'x-mine': '1',
      te: 'trailers',
      'x-forwarded-for': '10.0.0.1',
      'x-kept': 'yes',
    },
    body: 'hello',
  });
  t.is(plain.status, 200);
  t.deepEqual(plain.headers['set-cookie'], ['a=1', 'b=2']);
  t.is(plain.headers['x-hop'], undefined);
  const seen: Seen = JSON.parse(plain.body);
  t.like(seen, { method: 'PATCH', url: '/api/v2/a%20b?x=1&y=%2F', body: 'hello' });
  t.is(seen.headers['x-mine'], undefined);
  t.is(seen.headers.te, undefined);
  t.is(seen.headers['x-kept'], 'yes');
  t.is(seen.headers['x-forwarded-for'], '10.0.0.1, 127.0.0.1');
  t.is(seen.headers.host, new URL(service.origin).host);

  t.is((await send(gateway.url, { method: 'GET', path: '/api/v2/teapot' })).status, 418);
  const item: Seen = JSON.parse(
    (await send(gateway.url, { method: 'GET', path: '/api/v2/items/7?q=1' })).body,
  );
  t.is(item.url, '/item?q=1', 'the more specific route wins');

  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/internal/media-processing/callback'],
    ['POST', '/internal/media-processing/callback'],
    ['GET', '/media-processing/callback'],
    ['GET', '/api/v2'],
    ['GET', '/xapi/v2/a'],
    ['GET', '/api/v2/../../internal/x'],
  ] as const) {
    t.is((await send(gateway.url, { method, path })).status, 404, `${method} ${path}`);
  }

  const callback = { method: 'POST', path: '/media-processing/callback', body: '{"jobId":1}' };
  const key = credentials.issueAccessKey(role('backend'));
  const signed = await signByHeader(gateway.url, callback, { key, service: 'execute-api' });
  const delivered = await send(gateway.url, signed);
  t.is(delivered.status, 200);
  t.like(JSON.parse(delivered.body), { url: '/internal/media-processing/callback', body: '{"jobId":1}' });

  const wrongService = await signByHeader(gateway.url, callback, { key, service: 's3' });
  const stranger = { ...key, accessKeyId: 'AKIANOBODYNOBODYNOBO' };
  const unknown = await signByHeader(gateway.url, callback, { key: stranger, service: 'execute-api' });
  for (const refused of [callback, { ...signed, body: '{"jobId":2}' }, wrongService, unknown]) {
    const answer = await send(gateway.url, refused);
    t.is(answer.status, 403);
    t.deepEqual(JSON.parse(answer.body), { message: 'Forbidden' });
  }
});

test('the gateway streams, caps a body at 10 MiB, and answers 503 for a service that is away', async (t) => {
  // a gateway that waits for the end of the request, or of the answer, waits forever
  t.timeout(30_000);
  const service = await serve((incoming, response) => incoming.pipe(response));
  const gateway = await openGateway(t, [{ key: '$default', authorization: 'NONE' }], service.origin);
  const outgoing = request(`${gateway.url}/stream`, { method: 'POST' });
  outgoing.write('one ');
  const [answer]: IncomingMessage[] = await once(outgoing, 'response');
  let streamed = '';
  for await (const piece of answer ?? []) {
    streamed += piece;
    if (streamed === 'one ') outgoing.end('two');
  }
  t.is(streamed, 'one two');

  const large = await send(gateway.url, {
    method: 'POST',
    path: '/large',
    headers: { 'content-length': String(11 * 1024 ** 2) },
  }).catch((error: NodeJS.ErrnoException) => error);
  t.like(large, { status: 413 });

  await service[Symbol.asyncDispose]();
  t.is((await send(gateway.url, { method: 'GET', path: '/' })).status, 503);
});
