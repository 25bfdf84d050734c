import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import { verifyCallback } from '../../statemachines/callback-signature.ts';
import { Callback } from '../../statemachines/contracts.ts';
import { Problem } from '../errors.ts';
import type { Log } from '../log.ts';
import type { MediaOperations } from '../media/operations.ts';
import type { Metrics } from '../metrics.ts';
import { parse } from './input.ts';
import type { RequestState } from './request.ts';

export const CALLBACK_PATHS = ['/internal/media-processing/callback', '/api/v2/listings/media/callback'];
export const MAX_CALLBACK_BYTES = 1024 * 1024;

/** The bytes as they came: the signature is over these, and not over what a parser makes of them. */
async function rawBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new Problem(413, 'body_too_large', `The body is larger than ${MAX_CALLBACK_BYTES} bytes.`);
  if (Number(request.headers['content-length']) > MAX_CALLBACK_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // leaving the loop must not destroy the socket that the answer has to use
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > MAX_CALLBACK_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 'malformed_json', 'The body is not JSON.');
  }
}

/** How a state machine tells the service how it went: signed, no token (contract §5). */
export function callback(options: {
  media: Pick<MediaOperations, 'applyCallback'>;
  secrets: string[];
  log: Log;
  metrics: Pick<Metrics, 'callbackRefused'>;
}): Middleware<RequestState> {
  const { media, secrets, log, metrics } = options;

  return async (ctx) => {
    try {
      const raw = await rawBody(ctx.req);
      const verdict = verifyCallback(secrets, ctx.get('X-Toq-Signature'), raw, Date.now() / 1000);
      if (verdict !== 'valid') {
        log.warn({ verdict }, 'adapter.stepfunctions.callback.signature_mismatch');
        ctx.set('WWW-Authenticate', 'X-Toq-Signature');
        throw new Problem(401, `signature_${verdict}`, `The callback's signature is ${verdict}.`);
      }

      const text = raw.toString('utf8');
      const body = parse(Callback, parseJson(text));
      const status = await media.applyCallback(body, text);
      ctx.body = { success: true, data: { status } };
    } catch (error) {
      metrics.callbackRefused(error instanceof Problem ? error.code : 'internal_error');
      throw error;
    }
  };
}
