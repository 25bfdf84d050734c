import Router from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { ServiceConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { MediaOperations } from '../media/operations.ts';
import type { Metrics } from '../metrics.ts';
import { CALLBACK_PATHS, callback } from './callback.ts';
import { cors } from './cors.ts';
import { docsFile, docsPage } from './docs.ts';
import { downloads } from './downloads.ts';
import { type Checks, type Lifecycle, lastAnswer, livez, readyz, version } from './health.ts';
import { openApiDocument } from './openapi.ts';
import { problems } from './problems.ts';
import { named, type RequestState } from './request.ts';
import { requestLog } from './request-log.ts';
import { mount } from './route.ts';
import type { RequestLimits } from './schemas.ts';
import { securityHeaders } from './security-headers.ts';
import { traceContext } from './trace-context.ts';
import { uploads } from './uploads.ts';

export const BASE = '/api/v2/listings/media';

export type AppConfig = RequestLimits &
  Pick<ServiceConfig, 'ENV' | 'VERSION' | 'CALLBACK_SECRET' | 'CORS_ORIGINS'>;

export interface AppDependencies {
  config: AppConfig;
  media: MediaOperations;
  authenticate: Middleware<RequestState>;
  checks: Checks;
  lifecycle: Lifecycle;
  metrics: Metrics;
  log: Log;
}

/** The HTTP face of the service; from top to bottom, the life of a request. */
export function createApp({ config, media, authenticate, checks, lifecycle, metrics, log }: AppDependencies) {
  const app = new Koa<RequestState>();
  // a client that went away while it was answered; everything else is answered and logged below
  app.on('error', (err) => log.debug({ err }, 'service.media.request.broken'));

  app.use(traceContext());
  app.use(requestLog(log));
  app.use(lastAnswer(lifecycle));
  app.use(securityHeaders());
  app.use(cors(config.CORS_ORIGINS));
  app.use(problems());

  const router = new Router<RequestState>();

  const routes = [...uploads(media, config), ...downloads(media)];
  for (const route of routes) mount(router, BASE, authenticate, route);

  const receive = callback({ media, secrets: [config.CALLBACK_SECRET], log, metrics });
  for (const path of CALLBACK_PATHS) router.post(path, named(path), receive);

  const document = JSON.stringify(openApiDocument(BASE, routes, config.VERSION));
  router.get('/openapi.json', named('/openapi.json'), (ctx) => {
    ctx.type = 'json';
    ctx.body = document;
  });
  router.get('/docs', named('/docs'), docsPage());
  router.get('/docs/:file', named('/docs/:file'), docsFile());

  router.get('/livez', named('/livez'), livez());
  router.get('/readyz', named('/readyz'), readyz(checks, lifecycle));
  router.get('/version', named('/version'), version({ version: config.VERSION, env: config.ENV }));
  router.get('/metrics', named('/metrics'), async (ctx) => {
    const { type, text } = await metrics.exposition();
    ctx.type = type;
    ctx.body = text;
  });

  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}
