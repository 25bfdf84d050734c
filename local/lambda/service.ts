import type { ServerResponse } from 'node:http';
import { AwsError } from '../aws-error.ts';
import type { AwsService } from '../door.ts';
import { type Functions, PAYLOAD_LIMIT } from './functions.ts';

/** Bytes of an asynchronous event. */
const EVENT_LIMIT = 1_048_576;

function checkEvent(event: string, bytes: number, limit: number) {
  if (bytes > limit) {
    const message = `Request must be smaller than ${limit} bytes for the InvokeFunction operation`;
    throw new AwsError('RequestTooLargeException', 413, message);
  }
  try {
    JSON.parse(event);
  } catch {
    throw new AwsError('InvalidRequestContentException', 400, 'Could not parse request body into json.');
  }
}

function send(response: ServerResponse, status: number, payload = '') {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(payload);
}

/**
 * Lambda's Invoke: RequestResponse, Event and DryRun. An Event is attempted once (AWS would attempt a failed one twice
 * more); how it ended is in the function's log.
 */
export function lambdaService(functions: Functions): AwsService {
  return async (signed, response) => {
    const [, name] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(signed.url.pathname) ?? [];
    if (signed.request.method !== 'POST' || !name) {
      throw new AwsError('UnknownOperationException', 404, `${signed.url.pathname} does not exist locally.`);
    }
    const { arn } = functions.find(decodeURIComponent(name));
    const type = String(signed.request.headers['x-amz-invocation-type'] ?? 'RequestResponse');
    const body = await signed.body();
    const event = body.toString() || '{}';
    checkEvent(event, body.length, type === 'Event' ? EVENT_LIMIT : PAYLOAD_LIMIT);
    if (type === 'DryRun') return send(response, 204);
    if (type === 'Event') {
      functions.invoke(arn, event).catch(() => undefined);
      return send(response, 202);
    }
    const { payload, failed } = await functions.invoke(arn, event);
    response.setHeader('x-amz-executed-version', '$LATEST');
    if (failed) response.setHeader('x-amz-function-error', 'Unhandled');
    return send(response, 200, payload);
  };
}
