import { Writable } from 'node:stream';
import { type AppConfig, createApp } from '../../service/api/app.ts';
import { authenticate, type TokenRules } from '../../service/api/authenticate.ts';
import type { Checks } from '../../service/api/health.ts';
import { createLog } from '../../service/log.ts';
import type { MediaOperations } from '../../service/media/operations.ts';
import { createMetrics } from '../../service/metrics.ts';
import { fakeMedia, LIMITS } from './fake-media.ts';
import { serve } from './serve.ts';
import { startTokenIssuer } from './token-issuer.ts';

export const CALLBACK_SECRET = 'a secret of at least 32 characters';

const CONFIG: AppConfig = {
  ENV: 'test',
  VERSION: '1.2.3',
  CALLBACK_SECRET,
  CORS_ORIGINS: ['https://app.toq.test'],
  ...LIMITS,
};

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  traceId: string;
  errors?: { pointer: string; message: string; code?: string }[];
}

export interface ApiAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
  body: any;
}

export interface ApiOptions {
  media?: MediaOperations;
  checks?: Checks;
  tokens?: Partial<TokenRules>;
}

/** The real app on a real port, over the given operations or a fake, with a token issuer of its own. */
export async function startApi(options: ApiOptions = {}) {
  const issuer = await startTokenIssuer();
  const fake = fakeMedia();
  const lines: Record<string, unknown>[] = [];
  const lifecycle = { draining: false };
  const log = createLog(
    { level: 'debug', env: 'test', version: '1.2.3' },
    new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    }),
  );
  const metrics = createMetrics(
    { inflightJobs: async () => 3, deadLetters: async () => 0, oldestUnpublished: async () => 0 },
    log,
  );
  const app = createApp({
    config: CONFIG,
    media: options.media ?? fake.media,
    authenticate: authenticate({ ...issuer.rules, ...options.tokens }),
    checks: options.checks ?? { database: async () => {}, bucket: async () => {}, queue: async () => {} },
    lifecycle,
    metrics,
    log,
  });
  const served = await serve(app.callback());

  async function request(method: string, path: string, init: RequestInit = {}): Promise<ApiAnswer> {
    const response = await fetch(served.origin + path, { method, ...init });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    };
  }

  return {
    origin: served.origin,
    issuer,
    store: fake.store,
    lifecycle,
    /** what has been logged */
    lines,
    request,
    /** POSTs JSON (or a text as it is) below the base, as photographer 7 unless headers say otherwise. */
    async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
      const authorization = `Bearer ${await issuer.token()}`;
      return request('POST', `/api/v2/listings/media${path}`, {
        headers: { authorization, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    },
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
    },
  };
}

export type Api = Awaited<ReturnType<typeof startApi>>;
