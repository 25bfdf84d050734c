/**
 * What each alarm says when it goes off. The key is the section of docs/operations.md that tells what to do: every alarm
 * has one, and no two kinds of trouble share it.
 */
export const RUNBOOKS = {
  'processing-failed':
    'A processing execution ended in failure: a batch is FAILED or waits for the reconciler.',
  'processing-timed-out': 'A processing execution ran into its hour.',
  'processing-slow': 'Processing takes longer than ten minutes for one batch in twenty.',
  'finalization-failed': 'A finalization execution ended in failure: an approved gallery has no bundle.',
  'finalization-timed-out': 'A finalization execution ran into its hour.',
  'dead-letters': 'Processing jobs were received five times in vain and lie in the dead-letter queue.',
  'queue-delayed': 'Processing jobs wait in the queue for longer than five minutes.',
  'callback-failed': 'callback-dispatch could not report a result to the service.',
  'function-errors': 'A function ended with errors.',
  'function-throttled': 'A function was called more often than its concurrency allows.',
  'transcode-failed': 'MediaConvert could not transcode a video.',
  'api-errors': 'The API answers with 5xx.',
  'service-unhealthy': 'A task of the service does not answer the load balancer.',
  'service-short': 'Fewer tasks of the service run than should.',
  'database-storage': 'The database is running out of storage.',
  'database-busy': 'The database is busy to its limits.',
} as const;
export type Runbook = keyof typeof RUNBOOKS;
