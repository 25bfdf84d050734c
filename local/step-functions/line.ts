import { type Context, type Json, StatesError } from './expressions.ts';
import type { Resource } from './language.ts';

/** Bytes of UTF-8 that an input, a result or an output may have. */
export const PAYLOAD_LIMIT = 262_144;
/** The longest delay that a timer takes, about 24 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** An entry of the history: the service's `HistoryEvent` without its timestamp. */
export interface Entry {
  id: number;
  previousEventId: number;
  type: string;
  [details: `${string}EventDetails`]: Record<string, unknown>;
}
type Details = Omit<Entry, 'id' | 'previousEventId' | 'type'>;

/** Where an entry comes from: the state, and the index of the innermost Map item around it. */
export interface Origin {
  state?: string;
  item?: number;
}

/** What the interpreter needs from outside. */
export interface Ports {
  /** Performs a task; the signal aborts when its result is no longer wanted. Throws an error whose
   * name is what the machine retries or catches, and whose message is the cause. */
  perform(resource: Resource, parameters: Json, signal: AbortSignal): Promise<Json>;
  record(entry: Entry, origin: Origin): void;
  /** Waits between two attempts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** One line of execution: the machine's own, a branch's or an item's. */
export interface Line extends Ports {
  context: Context;
  signal: AbortSignal;
  origin: Origin;
  counter: { id: number };
  previous: number;
}

/** Adds an entry to the history, after the line's previous one. */
export function write(line: Line, type: string, details: Details = {}) {
  const id = ++line.counter.id;
  line.record({ id, previousEventId: line.previous, type, ...details }, line.origin);
  line.previous = id;
}

/** The value as JSON text; `States.DataLimitExceeded` when it is too large. */
export function text(value: Json, what: string) {
  const json = JSON.stringify(value);
  if (Buffer.byteLength(json) <= PAYLOAD_LIMIT) return json;
  throw new StatesError('States.DataLimitExceeded', `The ${what} is larger than ${PAYLOAD_LIMIT} bytes.`);
}

export const untruncated = { truncated: false };

/** Rejects with the signal's reason as soon as it aborts. */
export function aborted(signal: AbortSignal) {
  return new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
  });
}

/** Aborts with `States.Timeout` after so many seconds, unless disposed before. */
export function deadline(seconds: number, cause: string) {
  const controller = new AbortController();
  const expire = () => controller.abort(new StatesError('States.Timeout', cause));
  const timer = setTimeout(expire, Math.min(seconds * 1000, LONGEST_TIMER));
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}
