import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import type { JSONWebKeySet } from 'jose';
import type { Knex } from 'knex';
import { z } from 'zod';
import type { Activity } from '../activity.ts';
import type { Controls } from '../controls.ts';
import { listening } from '../listening.ts';
import { createOverview } from './overview.ts';

/**
 * Every request that changes or reveals something carries it. A web page cannot send it across origins without a
 * preflight, and that is never answered.
 */
export const CONTROL_HEADER = 'x-toq-media-control';
const LARGEST_BODY = 65_536;
const UPDATE_EVERY_MS = 400;

export interface ConsoleOptions {
  port: number;
  controls: Controls;
  activity: Activity;
  knex: Knex;
  /** public half of the key that the tokens are signed with */
  jwks: JSONWebKeySet;
}

const json = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > LARGEST_BODY) throw new Error('the body is too large');
  }
  return JSON.parse(text || '{}');
}

const NewListing = z.strictObject({ offPlan: z.boolean().optional() });
const Role = z.object({ role: z.string().min(1) });

/** The console page, its live data, the token key, and the launcher's control endpoint, on 127.0.0.1 only. */
export async function startConsole({ port, controls, activity, knex, jwks }: ConsoleOptions) {
  const url = `http://127.0.0.1:${port}`;
  const page = await readFile(path.join(import.meta.dirname, 'page.html'));
  const overview = createOverview({ controls, activity, knex });

  async function stream(request: IncomingMessage, response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = (event: string, data: unknown) =>
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    for (const line of activity.lines()) send('line', line);
    const onLine = (line: unknown) => void send('line', line);
    activity.on('line', onLine);
    let open = true;
    request.once('close', () => {
      open = false;
      activity.off('line', onLine);
    });
    while (open) {
      send('overview', await overview.read());
      await new Promise((resolve) => setTimeout(resolve, UPDATE_EVERY_MS));
    }
  }

  const control: Record<string, (body: unknown) => Promise<unknown>> = {
    '/control/credentials': async (body) => {
      const { accessKeyId, secretAccessKey } = controls.credentials(Role.parse(body).role);
      return { accessKeyId, secretAccessKey, region: controls.manifest.region };
    },
    '/control/listings': async (body) => {
      const { offPlan = false } = NewListing.parse(body);
      return { listingIdentityId: await controls.addListing({ offPlan }) };
    },
    '/control/function-peaks': async () => controls.functionPeaks(),
  };

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const { pathname } = new URL(request.url ?? '/', url);
    // another name for this address is a page that has its own name resolve to it
    if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host ?? '')) {
      return json(response, 421, { error: `This is ${url}.` });
    }
    const action = Object.hasOwn(control, pathname) ? control[pathname] : undefined;
    if (action) {
      if (request.method !== 'POST' || !request.headers[CONTROL_HEADER]) {
        return json(response, 403, { error: `POST with the header ${CONTROL_HEADER}` });
      }
      return json(response, 200, await action(await readJson(request)));
    }
    if (request.method !== 'GET') return json(response, 405, { error: 'GET only' });
    switch (pathname) {
      case '/':
        response.writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy':
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
          'x-content-type-options': 'nosniff',
        });
        return response.end(page);
      case '/overview':
        return json(response, 200, await overview.read());
      case '/events':
        return stream(request, response);
      case '/.well-known/jwks.json':
        return json(response, 200, jwks);
      default:
        return json(response, 404, { error: 'no such page' });
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else json(response, 400, { error: error instanceof Error ? error.message : String(error) });
    });
  });
  const { close } = await listening(server, port);
  return {
    url,
    close: async () => {
      await close();
      overview.close();
    },
  };
}
