import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<string>();

/** Runs work, and whatever it starts, under a W3C trace id: every log line from there has it. */
export const withTraceId = <T>(traceId: string, work: () => T): T => current.run(traceId, work);

/** The trace id of the work that asks. */
export const currentTraceId = () => current.getStore();
