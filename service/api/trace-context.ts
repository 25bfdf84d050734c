import { randomBytes } from 'node:crypto';
import type { Middleware } from 'koa';
import { traceIdOf, withTraceId } from '../trace.ts';
import type { RequestState } from './request.ts';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A new W3C trace context, version 00, sampled. */
export const newTraceparent = () =>
  `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

/**
 * Joins the caller's trace, or starts one (https://www.w3.org/TR/trace-context/). A header of a later version is read
 * as far as version 00 goes; one that is not valid is dropped.
 */
export function traceContext(): Middleware<RequestState> {
  return async (ctx, next) => {
    const given = ctx.get('traceparent').trim();
    const known = given.startsWith('00-') ? given : given.slice(0, 55);
    const traceparent = TRACEPARENT.test(known) ? `00${known.slice(2)}` : newTraceparent();
    ctx.state.trace = { traceparent };
    ctx.state.traceId = traceIdOf(traceparent);
    ctx.set('traceparent', traceparent);
    await withTraceId(ctx.state.traceId, next);
  };
}
