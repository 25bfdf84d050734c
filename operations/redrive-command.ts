import { parseArgs } from 'node:util';
import { GetQueueUrlCommand, type Message, QueueDoesNotExist, SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { namesOf } from '../infra/names.ts';
import { redrive } from './redrive.ts';

const USAGE = `Moves messages from the dead-letter queue of processing jobs back to the queue.

  npm run redrive -- --env staging [--rate 5] [--max N] [--dry-run]
  npm run redrive -- --from DEAD_LETTER_QUEUE_URL --to QUEUE_URL ...

  --env      environment whose queues are meant
  --rate     messages a second, default 5
  --max      stop after so many
  --dry-run  only show what would be moved

It acts with the AWS credentials and the region of the shell. For the local stack: eval "$(npm run -s aws-env -- admin)"`;

/** A mistake of whoever calls. */
class UsageError extends Error {}

const Arguments = z.object({
  env: z.string().min(1).optional(),
  from: z.url().optional(),
  to: z.url().optional(),
  rate: z.coerce.number().positive().max(100).default(5),
  max: z.coerce.number().int().positive().optional(),
  'dry-run': z.boolean().default(false),
  help: z.boolean().default(false),
});

function readArguments(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { env: text, from: text, to: text, rate: text, max: text, 'dry-run': flag, help: flag };
  let values: unknown;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { success, data, error } = Arguments.safeParse(values);
  if (success) return data;
  throw new UsageError(
    error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}.`).join('\n'),
  );
}

async function queueUrl(sqs: SQSClient, name: string): Promise<string> {
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    if (QueueUrl) return QueueUrl;
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw error;
  }
  throw new UsageError(`There is no queue ${name} in this account and region. Is --env right?`);
}

async function queues(sqs: SQSClient, { env, from, to }: z.output<typeof Arguments>) {
  if (from && to) return { from, to };
  if (from || to) throw new UsageError('--from and --to go together.');
  if (!env) throw new UsageError('Say which queues: --env staging, or --from and --to.');
  const names = namesOf(env);
  return { from: await queueUrl(sqs, names.deadLetterQueue), to: await queueUrl(sqs, names.queue) };
}

/** One line of a message: what it is about, and how often it was received in vain. */
function described({ MessageId, Attributes, MessageAttributes }: Message) {
  const attribute = (name: string) => MessageAttributes?.[name]?.StringValue ?? '?';
  const sentAt = new Date(Number(Attributes?.SentTimestamp ?? 0)).toISOString();
  return `${MessageId}  listing ${attribute('ListingIdentityId')}  job ${attribute('JobId')}  sent ${sentAt}`;
}

const write = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const values = readArguments(process.argv.slice(2));
  if (values.help) {
    write(USAGE);
    return 0;
  }
  const sqs = new SQSClient();
  const { from, to } = await queues(sqs, values);
  const dryRun = values['dry-run'];
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  write(
    `${dryRun ? 'Looking at' : 'Moving'} messages of ${from}\n  to ${to}, at most ${values.rate} a second`,
  );
  const { moved, returned } = await redrive(sqs, {
    from,
    to,
    rate: values.rate,
    dryRun,
    signal: interrupt.signal,
    onMessage: (message) => write(`  ${described(message)}`),
    ...(values.max === undefined ? {} : { max: values.max }),
  });
  write(`${moved} ${moved === 1 ? 'message' : 'messages'} ${dryRun ? 'would be moved' : 'moved'}.`);
  if (returned) write(`${returned} came back and were left: see docs/operations.md#dead-letters.`);
  if (!interrupt.signal.aborted) return 0;
  write('Interrupted: the rest is still in the dead-letter queue.');
  return 130;
}

try {
  process.exitCode = await main();
} catch (error) {
  const wrong = error instanceof UsageError;
  process.stderr.write(`${error instanceof Error ? error.message : error}\n${wrong ? `\n${USAGE}\n` : ''}`);
  if (!wrong) {
    process.stderr.write('Messages that were not reported as moved are still in the dead-letter queue.\n');
  }
  process.exitCode = wrong ? 2 : 1;
}
