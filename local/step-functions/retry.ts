import type { Retrier } from './language.ts';

/** Step Functions Developer Guide, "Error names": what the two wildcards stand for. */
export function matches(names: string[], error: string) {
  if (error === 'States.Runtime') return false;
  if (names.includes(error)) return true;
  if (names.includes('States.ALL')) return error !== 'States.DataLimitExceeded';
  return names.includes('States.TaskFailed') && error !== 'States.Timeout';
}

/** Milliseconds before attempt number `attempt` (1 is the first repetition). */
export function delay(retrier: Retrier, attempt: number) {
  const seconds = Math.min(
    retrier.IntervalSeconds * retrier.BackoffRate ** (attempt - 1),
    retrier.MaxDelaySeconds,
  );
  return seconds * 1000 * (retrier.JitterStrategy === 'FULL' ? Math.random() : 1);
}
