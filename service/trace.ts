import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<string>();

/** The 32 hex digits of a W3C `traceparent` that all work for one request shares. */
export const traceIdOf = (traceparent: string) => traceparent.slice(3, 35);

/** Runs work, and whatever it starts, under a W3C trace id: every log line from there has it. */
export const withTraceId = <T>(traceId: string, work: () => T): T => current.run(traceId, work);

/** The trace id of the work that asks. */
export const currentTraceId = () => current.getStore();
