import type { Middleware } from 'koa';
import type { Log } from '../log.ts';
import type { RequestState } from './request.ts';

/** One line a request: who asked what, and what came of it. No query string, no body. */
export function requestLog(log: Log): Middleware<RequestState> {
  return async (ctx, next) => {
    const start = performance.now();
    await next();
    const { route, caller, listingIdentityId, batchId, code, error } = ctx.state;
    const line = {
      method: ctx.method,
      route: route ?? 'unknown',
      status: ctx.status,
      ms: Math.round((performance.now() - start) * 10) / 10,
      ...(caller && { caller_id: caller.userId, caller_role: caller.role }),
      ...(listingIdentityId && { listing_identity_id: listingIdentityId }),
      ...(batchId && { batch_id: batchId }),
      ...(code && { code }),
      ...(error !== undefined && { err: error }),
    };
    // asked every few seconds, and a 503 is an answer
    const probe = route === '/livez' || route === '/readyz' || route === '/metrics';
    const level = probe ? 'debug' : ctx.status >= 500 ? 'error' : 'info';
    log[level](line, 'service.media.request');
  };
}
