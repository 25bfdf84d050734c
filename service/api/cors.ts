import type { Middleware } from 'koa';

const ALLOWED_HEADERS = 'Authorization, Content-Type, If-None-Match, traceparent';
const EXPOSED_HEADERS = 'ETag, Retry-After, traceparent, WWW-Authenticate';
const MAX_AGE_SECONDS = '600';

/** Lets the given origins read answers (https://fetch.spec.whatwg.org/#http-cors-protocol). No cookies: a token is enough. */
export function cors(origins: string[]): Middleware {
  return async (ctx, next) => {
    ctx.vary('Origin');
    const origin = ctx.get('Origin');
    if (!origins.includes(origin)) return next();

    ctx.set('Access-Control-Allow-Origin', origin);
    if (ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method')) {
      ctx.set({
        'Access-Control-Allow-Methods': 'GET, POST, DELETE',
        'Access-Control-Allow-Headers': ALLOWED_HEADERS,
        'Access-Control-Max-Age': MAX_AGE_SECONDS,
      });
      ctx.status = 204;
      return;
    }
    ctx.set('Access-Control-Expose-Headers', EXPOSED_HEADERS);
    return next();
  };
}
