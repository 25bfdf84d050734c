import type { IncomingMessage, ServerResponse } from 'node:http';
import { xmlDocument, xmlElement } from './xml.ts';

/** A refusal that AWS itself would give: its error code, HTTP status and message reach the client as they are. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  /** further members of the error document, such as `Key` or `HeadersNotSigned` */
  readonly details: Record<string, string>;

  constructor(code: string, status: number, message: string, details: Record<string, string> = {}) {
    super(message);
    this.name = 'AwsError';
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

type Protocol = 's3' | 'query' | 'json' | 'rest-json';

function protocolOf(service: string, request: IncomingMessage): Protocol {
  if (service === 's3') return 's3';
  if (request.headers['x-amz-target']) return 'json';
  const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
  return form || service === 'sts' || service === 'sns' ? 'query' : 'rest-json';
}

/** The same refusal has other names outside S3 (AWS General Reference, "Common error types"). */
const COMMON_NAMES: Record<string, { query: string; json: string }> = {
  SignatureDoesNotMatch: { query: 'SignatureDoesNotMatch', json: 'InvalidSignatureException' },
  RequestTimeTooSkewed: { query: 'SignatureDoesNotMatch', json: 'InvalidSignatureException' },
  AuthorizationHeaderMalformed: { query: 'IncompleteSignature', json: 'IncompleteSignatureException' },
  AuthorizationQueryParametersError: { query: 'IncompleteSignature', json: 'IncompleteSignatureException' },
  InvalidAccessKeyId: { query: 'InvalidClientTokenId', json: 'UnrecognizedClientException' },
  InvalidToken: { query: 'InvalidClientTokenId', json: 'UnrecognizedClientException' },
  ExpiredToken: { query: 'ExpiredToken', json: 'ExpiredTokenException' },
  AccessDenied: { query: 'AccessDenied', json: 'AccessDeniedException' },
  MissingAuthenticationToken: {
    query: 'MissingAuthenticationToken',
    json: 'MissingAuthenticationTokenException',
  },
  InternalError: { query: 'InternalFailure', json: 'InternalServerException' },
};

/** Answers with the error in the shape of the service's protocol. Does nothing once the answer has begun. */
export function sendAwsError(
  service: string,
  request: IncomingMessage,
  response: ServerResponse,
  error: AwsError,
) {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const protocol = protocolOf(service, request);
  const requestId = String(response.getHeader('x-amz-request-id') ?? '');
  response.statusCode = error.status;
  // A 304 has neither a body nor its type, and a HEAD only the status to tell what went wrong.
  if (error.status === 304 || (request.method === 'HEAD' && protocol === 's3')) {
    response.end();
    return;
  }
  if (protocol === 's3') {
    const members = { Code: error.code, Message: error.message, ...error.details, RequestId: requestId };
    response.setHeader('content-type', 'application/xml');
    response.end(xmlDocument(xmlElement('Error', members)));
    return;
  }
  if (protocol === 'query') {
    const code = COMMON_NAMES[error.code]?.query ?? error.code;
    const type = error.status < 500 ? 'Sender' : 'Receiver';
    const members = { Error: { Type: type, Code: code, Message: error.message }, RequestId: requestId };
    response.setHeader('content-type', 'text/xml');
    response.end(xmlDocument(xmlElement('ErrorResponse', members)));
    return;
  }
  const code = COMMON_NAMES[error.code]?.json ?? error.code;
  const type = protocol === 'json' ? 'application/x-amz-json-1.0' : 'application/json';
  response.setHeader('content-type', type);
  response.setHeader('x-amzn-errortype', code);
  response.end(JSON.stringify({ ...error.details, __type: code, message: error.message }));
}
