import type { Middleware } from 'koa';
import type { Log } from '../log.ts';
import type { RequestState } from './request.ts';

/** One line a request: who asked what, and what came of it. No query string, no body. */
export function requestLog(log: Log): Middleware<RequestState> {
  return async (ctx, next) => {
    const start = performance.now();
    await next();
    const { route, traceId, caller, listingIdentityId, batchId, code, error } = ctx.state;
    const line = {
      event: 'service.media.request',
      method: ctx.method,
      route: route ?? 'unknown',
      status: ctx.status,
      ms: Math.round((performance.now() - start) * 10) / 10,
      trace_id: traceId,
      ...(caller && { caller_id: caller.userId, caller_role: caller.role }),
      ...(listingIdentityId && { listing_identity_id: listingIdentityId }),
      ...(batchId && { batch_id: batchId }),
      ...(code && { code }),
      ...(error !== undefined && { err: error }),
    };
    const said = `${ctx.method} ${line.route} ${ctx.status}`;
    if (ctx.status >= 500) log.error(line, said);
    else if (route?.endsWith('z') || route === '/metrics') log.debug(line, said);
    else log.info(line, said);
  };
}
