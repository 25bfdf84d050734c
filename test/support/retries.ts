import type { z } from 'zod';
import { Retrier } from '../../local/step-functions/language.ts';
import { delay } from '../../local/step-functions/retry.ts';

/** Seconds that a machine waits between its attempts, all of them together and none shortened by jitter. */
export function longestWait(given: z.input<typeof Retrier>): number {
  const retrier: Retrier = { ...Retrier.parse(given), JitterStrategy: 'NONE' };
  const attempts = Array.from({ length: retrier.MaxAttempts }, (_, index) => index + 1);
  return attempts.reduce((sum, attempt) => sum + delay(retrier, attempt), 0) / 1000;
}
