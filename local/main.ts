import path from 'node:path';
import { parseArgs } from 'node:util';
import { stackDirectory } from './directory.ts';
import { StackRunningError, startStack } from './stack.ts';

/** npm passes a Ctrl-C on that the terminal has sent to us already; a second one that is meant comes later. */
const SAME_KEYSTROKE_MS = 1_000;

const usage = `npm start                the stack, with the data of the last time
npm start -- --fresh     without
PORT=3000 npm start      the API on this port
DATABASE_URL=mysql://…   that database instead of a private MariaDB; on another machine with ?tls=rds, public-ca or disabled`;

function readArguments() {
  try {
    return parseArgs({ options: { fresh: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
      .values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

function port(): number | undefined {
  const { PORT } = process.env;
  if (!PORT) return undefined;
  if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65_535) throw new Error(`PORT=${PORT} is not a port.`);
  return Number(PORT);
}

async function main() {
  const { fresh = false, help } = readArguments();
  if (help) return console.log(usage);
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<void>();
  let since = 0;
  const onSignal = () => {
    if (since && performance.now() - since > SAME_KEYSTROKE_MS) {
      console.log('Stopping at once.');
      process.exit(130);
    }
    since ||= performance.now();
    interrupt();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);

  const apiPort = port();
  const { DATABASE_URL } = process.env;
  if (fresh && DATABASE_URL) console.log('--fresh leaves the database of DATABASE_URL as it is.');
  const starting = startStack({
    directory: stackDirectory,
    fresh,
    ...(apiPort === undefined ? {} : { port: apiPort }),
    ...(DATABASE_URL ? { databaseUrl: DATABASE_URL } : {}),
    onProgress: (line) => console.log(`  ${line}`),
  });
  const stack = await starting;
  if (!since) {
    console.log(`
  API           ${stack.apiUrl}
  docs          ${stack.docsUrl}
  console       ${stack.consoleUrl}
  API Gateway   ${stack.gatewayUrl}
  AWS endpoint  ${stack.awsEndpointUrl}   (keys: eval "$(npm run -s aws-env -- backend)")

  photographer  ${stack.tokens.photographer}
  owner         ${stack.tokens.owner}
  admin         ${stack.tokens.admin}

  All of this, the listings and the database are in ${path.relative(process.cwd(), stackDirectory)}/stack.json, the log in logs/stack.log.
  Ctrl-C stops everything.`);
  }
  await interrupted;
  console.log('\n  Stopping: requests and work under way are finished or kept for the next start …');
  await stack.close();
  console.log('  Stopped.');
}

try {
  await main();
  process.exit();
} catch (error) {
  // what a person can put right needs no stack trace
  const known = error instanceof StackRunningError || error instanceof Error;
  console.error(`\n${known ? error.message : String(error)}`);
  process.exit(1);
}
