import type { Middleware } from 'koa';
import type { Caller, Trace } from '../media/operations.ts';

/** What the middleware knows of a request; written once each, from the top of `app.ts` down. */
export interface RequestState {
  trace: Trace;
  /** 32 hex digits of the trace */
  traceId: string;
  /** pattern of the route, for logs and metrics: never an id */
  route?: string;
  caller?: Caller;
  /** what the request is about */
  listingIdentityId?: number;
  batchId?: string;
  /** stable code of the problem that was answered */
  code?: string;
  /** what lies behind a 500 or 503 */
  error?: unknown;
}

/** Notes the pattern of the route that answers. */
export const named =
  (route: string): Middleware<RequestState> =>
  (ctx, next) => {
    ctx.state.route = route;
    return next();
  };
