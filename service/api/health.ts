import type { Context, Middleware } from 'koa';

/** Rejects when what it asks does not answer; gives up when the signal says so. */
export type Check = (signal: AbortSignal) => Promise<void>;

/** By name: `database`, `bucket`, `queue`. */
export type Checks = Record<string, Check>;

/** Whether new work is still welcome. */
export interface Lifecycle {
  draining: boolean;
}

const CHECK_TIMEOUT_MS = 2_000;

async function passes(check: Check) {
  const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const expired = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  try {
    await Promise.race([check(signal), expired]);
    return true;
  } catch {
    return false;
  }
}

/** The process is up and its event loop turns. */
export const livez = () => (ctx: Context) => {
  ctx.body = { status: 'ok' };
};

/** Everything that a request needs answers; 503 with the names of what does not, and while draining. */
export const readyz = (checks: Checks, lifecycle: Lifecycle) => async (ctx: Context) => {
  const entries = await Promise.all(
    Object.entries(checks).map(
      async ([name, check]) => [name, (await passes(check)) ? 'ok' : 'failed'] as const,
    ),
  );
  const ready = !lifecycle.draining && entries.every(([, state]) => state === 'ok');
  ctx.status = ready ? 200 : 503;
  ctx.body = {
    status: lifecycle.draining ? 'draining' : ready ? 'ok' : 'unavailable',
    checks: Object.fromEntries(entries),
  };
};

/** Which build answers. */
export const version = (build: { version: string; env: string }) => (ctx: Context) => {
  ctx.body = { name: 'listing-media', ...build, node: process.version };
};

/** While draining, an answer is the last of its connection: none stays behind to hold up the stop. */
export const lastAnswer =
  (lifecycle: Lifecycle): Middleware =>
  async (ctx, next) => {
    await next();
    if (lifecycle.draining) ctx.set('Connection', 'close');
  };
