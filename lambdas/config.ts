import { z } from 'zod';

const Common = z.object({
  /** environment name, as in the resources' suffix */
  ENV: z.string().min(1),
  MEDIA_BUCKET: z.string().min(3),
  /** name of the W3C trace context header on outgoing requests */
  TRACE_HEADER_KEY: z.string().min(1),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/** What each function reads from its environment: the file's name → schema. */
export const environments = {
  start: Common.extend({ PROCESSING_STATE_MACHINE_ARN: z.string().startsWith('arn:') }),
  validate: Common,
  thumbnails: Common.extend({
    /** read by glibc: two arenas keep the heap of libvips' threads small at equal CPU */
    MALLOC_ARENA_MAX: z.string().optional(),
  }),
  consolidate: Common,
  zip: Common,
  'callback-dispatch': Common.extend({
    CALLBACK_URL: z.url(),
    CALLBACK_SECRET_ARN: z.string().startsWith('arn:'),
  }),
} as const;

export type Task = keyof typeof environments;
/** The variables that the infrastructure must give a function. */
export type Environment<T extends Task> = z.input<(typeof environments)[T]>;

/** Reads and checks the function's environment. Throws one error that lists every missing or wrong variable. */
export function config<T extends Task>(task: T): z.output<(typeof environments)[T]> {
  const result = environments[task].safeParse(process.env);
  if (!result.success) throw new Error(`${task}: bad environment\n${z.prettifyError(result.error)}`);
  // zod cannot relate an indexed schema to its own output
  return result.data as z.output<(typeof environments)[T]>;
}
