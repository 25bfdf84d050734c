import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { readAuthorization } from './authorization.ts';
import { AwsError, sendAwsError } from './aws-error.ts';
import { readHeaders, readQuery, splitTarget } from './canonical-request.ts';
import type { Credentials } from './credentials.ts';
import type { AwsService, SignedRequest } from './door.ts';
import { type Listening, listening } from './listening.ts';
import { sha256Hex, verifySignature } from './sigv4.ts';
import { xmlDocument, xmlElement } from './xml.ts';

export interface DoorOptions {
  /** by the service name of the credential scope: `s3`, `sqs`, `states`, `sts`, … */
  services: Record<string, AwsService>;
  credentials: Credentials;
  region: string;
  /** 0, the default, is any free port */
  port?: number;
  /** Adds CORS headers, and answers a preflight: then true. Asked before any signature, as browsers do not sign those. */
  crossOrigin?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Throws AccessDenied for what the caller's role may not do. Asked after the signature, before the body is read. */
  authorize?: (signed: SignedRequest) => void | Promise<void>;
  /** told of what is a bug or weather, never of a refusal */
  report?: (error: unknown) => void;
  now?: () => Date;
}

const MEBIBYTE = 1_048_576;
/** More than any API but S3 takes: SQS 1 MiB, Lambda 6 MiB, Step Functions 256 KiB in a request of 1 MiB. */
const LARGEST_BODY = 10 * MEBIBYTE;

async function readBody(request: IncomingMessage, maximumBytes: number) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maximumBytes) break;
    chunks.push(chunk);
  }
  if (bytes > maximumBytes) throw tooLarge(maximumBytes);
  return Buffer.concat(chunks);
}

const tooLarge = (maximumBytes: number) =>
  new AwsError('RequestEntityTooLarge', 413, `The request body is larger than ${maximumBytes} bytes.`);

const awaitsContinue = (request: IncomingMessage) => request.headers.expect?.toLowerCase() === '100-continue';

/** The client hung up in the middle of its request or of the answer: there is nobody to tell, and nothing to mend. */
const hasGone = (error: unknown) =>
  error instanceof Error &&
  'code' in error &&
  ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));

/** Answers, in S3's words, what is no HTTP or ends before the announced length, for which there is no response object. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex) {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const members =
    error.code === 'HPE_INVALID_EOF_STATE'
      ? { Code: 'IncompleteBody', Message: 'The request body terminated unexpectedly' }
      : { Code: 'BadRequest', Message: 'An error occurred when parsing the HTTP request.' };
  const body = xmlDocument(xmlElement('Error', members));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** The payload hash that S3 signs: it is in the head, so that the signature can be judged before the body has come. */
function s3PayloadHash(request: IncomingMessage, presigned: boolean) {
  const header = readHeaders(request.rawHeaders).get('x-amz-content-sha256')?.[0];
  if (header !== undefined) return header;
  if (!presigned) {
    throw new AwsError(
      'InvalidRequest',
      400,
      'Missing required header for this request: x-amz-content-sha256',
    );
  }
  const query = new Map(readQuery(splitTarget(request.url).query));
  return query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD';
}

/** An unsigned request names no service; only the SDKs' JSON and form protocols tell that it was not meant for S3. */
const presumedService = ({ headers }: IncomingMessage) =>
  headers['x-amz-target'] || headers['content-type']?.startsWith('application/x-www-form-urlencoded')
    ? 'unknown'
    : 's3';

const anonymous = (service: string) =>
  service === 's3'
    ? new AwsError('AccessDenied', 403, 'Access Denied')
    : new AwsError('MissingAuthenticationToken', 403, 'Request is missing Authentication Token');

/** Opens the one HTTP endpoint of the local cloud, on 127.0.0.1. */
export async function startDoor(options: DoorOptions): Promise<Listening> {
  const { services, credentials, region, now = () => new Date() } = options;
  const report = options.report ?? ((error: unknown) => console.error(error));

  async function admit(request: IncomingMessage, response: ServerResponse, named: (service: string) => void) {
    const authorization = readAuthorization(request);
    if (!authorization) throw anonymous(presumedService(request));
    const { service } = authorization;
    named(service);

    const presigned = authorization.expires !== undefined;
    if (service !== 's3' && awaitsContinue(request)) response.writeContinue();
    const whole = service === 's3' ? undefined : await readBody(request, LARGEST_BODY);
    const payloadHash = whole ? sha256Hex(whole) : s3PayloadHash(request, presigned);
    const verified = verifySignature(request, authorization, payloadHash, {
      credentials,
      region,
      now: now(),
    });

    const handler = Object.hasOwn(services, service) ? services[service] : undefined;
    if (!handler) {
      throw new AwsError('UnknownService', 404, `The local cloud does not run the service '${service}'.`);
    }
    const signed: SignedRequest = {
      ...verified,
      service,
      presigned,
      payloadHash,
      request,
      url: new URL(request.url ?? '/', 'http://127.0.0.1'),
      async body(maximumBytes = LARGEST_BODY) {
        const body = whole ?? (await readBody(request, maximumBytes));
        if (body.length > maximumBytes) throw tooLarge(maximumBytes);
        return body;
      },
    };
    await options.authorize?.(signed);
    if (service === 's3' && awaitsContinue(request)) response.writeContinue();
    await handler(signed, response);
  }

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const requestId = randomBytes(8).toString('hex').toUpperCase();
    response.setHeader('x-amz-request-id', requestId);
    response.setHeader('x-amzn-requestid', requestId);
    let service = presumedService(request);
    try {
      if (options.crossOrigin?.(request, response)) return;
      await admit(request, response, (name) => {
        service = name;
      });
    } catch (error) {
      if (hasGone(error)) return;
      if (!(error instanceof AwsError)) report(error);
      const refusal =
        error instanceof AwsError
          ? error
          : new AwsError('InternalError', 500, 'We encountered an internal error. Please try again.');
      // The body that was not asked for may come or not come: only a new connection is sure of its place in the stream.
      if (awaitsContinue(request)) response.setHeader('connection', 'close');
      sendAwsError(service, request, response, refusal);
    }
  }

  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  // requestTimeout would end an upload of 256 MiB over a slow line after five minutes.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 20_000 }, listener);
  // Node would say "100 Continue" at once; S3 says it after the signature, so that a refused body is never sent.
  server.on('checkContinue', listener);
  server.on('clientError', answerBrokenRequest);
  return listening(server, options.port);
}
