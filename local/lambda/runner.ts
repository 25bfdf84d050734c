/**
 * Runs inside a function's own process: loads the handler that `_HANDLER` names from `LAMBDA_TASK_ROOT` and answers the
 * invocations that the parent sends. Imports nothing of ours.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Parent → process. */
export interface Invocation {
  requestId: string;
  /** JSON */
  event: string;
  functionArn: string;
  /** milliseconds since 1970 */
  deadline: number;
}

/** What Lambda answers for a function that threw. */
export interface FunctionError {
  /** missing when nobody knows why */
  errorType?: string;
  errorMessage: string;
  trace?: string[];
}

/** Process → parent. */
export type Report =
  | { type: 'ready' }
  | { type: 'unusable'; error: FunctionError }
  | { type: 'result'; requestId: string; payload: string; peakMiB: number }
  | { type: 'error'; requestId: string; error: FunctionError; peakMiB: number };

type Handler = (event: unknown, context: object) => unknown;

const report = (message: Report) => process.send?.(message);
/** Linux's own high-water mark (proc(5)), in kB: maxRSS, in KiB, starts at what the parent held when it forked. */
const peakMiB = () => {
  const ownPeak = existsSync('/proc/self/status') && readFileSync('/proc/self/status', 'utf8');
  const kilobytes = ownPeak && /^VmHWM:\s+(\d+) kB/m.exec(ownPeak)?.[1];
  return Math.ceil(Number(kilobytes || process.resourceUsage().maxRSS) / 1024);
};

function described(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') ?? [] };
}

class RuntimeError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

async function load(): Promise<Handler> {
  const { _HANDLER = '', LAMBDA_TASK_ROOT = '' } = process.env;
  const [, file = '', name = ''] = /^(.+)\.([^.]+)$/.exec(_HANDLER) ?? [];
  const candidates = ['.mjs', '.js', '.cjs'].map((extension) =>
    path.join(LAMBDA_TASK_ROOT, file + extension),
  );
  const found = candidates.find((candidate) => existsSync(candidate));
  if (!found) throw new RuntimeError('ImportModuleError', `Error: Cannot find module '${file}'`);
  const loaded: Record<string, unknown> = await import(pathToFileURL(found).href);
  const handler = loaded[name];
  if (typeof handler !== 'function') {
    throw new RuntimeError('HandlerNotFound', `${_HANDLER} is undefined or not exported`);
  }
  return handler as Handler;
}

const context = ({ requestId, functionArn, deadline }: Invocation) => ({
  awsRequestId: requestId,
  callbackWaitsForEmptyEventLoop: true,
  functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
  functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
  invokedFunctionArn: functionArn,
  logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
  logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
  getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
});

function marshal(result: unknown) {
  try {
    return JSON.stringify(result) ?? 'null';
  } catch {
    throw new RuntimeError('MarshalError', 'Unable to stringify response body');
  }
}

async function answer(handler: Handler, invocation: Invocation) {
  const { requestId } = invocation;
  try {
    const result = await handler(JSON.parse(invocation.event), context(invocation));
    report({ type: 'result', requestId, payload: marshal(result), peakMiB: peakMiB() });
  } catch (error) {
    report({ type: 'error', requestId, error: described(error), peakMiB: peakMiB() });
  }
}

// the parent is gone: nobody would hear an answer
process.once('disconnect', () => process.exit());
try {
  const handler = await load();
  process.on('message', (invocation: Invocation) => void answer(handler, invocation));
  report({ type: 'ready' });
} catch (error) {
  console.error(error);
  report({ type: 'unusable', error: described(error) });
  process.channel?.unref();
}
