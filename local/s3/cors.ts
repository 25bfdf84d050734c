import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Bucket } from '../graph/manifest.ts';
import { s3Error } from './errors.ts';
import { readPath } from './request.ts';

type CorsRule = Bucket['cors'][number];

/** A pattern of S3's CORS rules: at most one asterisk, which stands for any text. */
function fits(pattern: string, text: string) {
  const [before = '', after] = pattern.split('*');
  if (after === undefined) return pattern === text;
  return text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
}

function findRule(rules: readonly CorsRule[], origin: string, method: string, headers: readonly string[]) {
  return rules.find(
    (rule) =>
      rule.allowedOrigins.some((pattern) => fits(pattern, origin)) &&
      rule.allowedMethods.includes(method) &&
      headers.every((header) => rule.allowedHeaders.some((pattern) => fits(pattern.toLowerCase(), header))),
  );
}

function allow(response: ServerResponse, rule: CorsRule, origin: string) {
  const anyone = rule.allowedOrigins.includes('*');
  response.setHeader('access-control-allow-origin', anyone ? '*' : origin);
  if (!anyone) response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-methods', rule.allowedMethods.join(', '));
  if (rule.exposeHeaders.length > 0) {
    response.setHeader('access-control-expose-headers', rule.exposeHeaders.join(', '));
  }
  response.setHeader('vary', 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method');
}

function answerPreflight(request: IncomingMessage, response: ServerResponse, bucket: Bucket | undefined) {
  const { origin } = request.headers;
  const method = request.headers['access-control-request-method'];
  if (origin === undefined || method === undefined) {
    throw s3Error('BadRequest', {}, 'Insufficient information. Origin request header needed.');
  }
  if (!bucket || bucket.cors.length === 0) {
    throw s3Error(
      'AccessForbidden',
      { Method: method },
      'CORSResponse: CORS is not enabled for this bucket.',
    );
  }
  const headers = (request.headers['access-control-request-headers'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const rule = findRule(bucket.cors, origin, method, headers);
  if (!rule) throw s3Error('AccessForbidden', { Method: method, ResourceType: 'OBJECT' });
  allow(response, rule, origin);
  if (headers.length > 0) response.setHeader('access-control-allow-headers', headers.join(', '));
  if (rule.maxAgeSeconds !== undefined) response.setHeader('access-control-max-age', rule.maxAgeSeconds);
  response.end();
}

/**
 * Answers a preflight by the bucket's declared rules, and then returns true; gives other requests that come with an
 * Origin their CORS headers, refusals included, as S3 does.
 */
export function createCrossOrigin(buckets: ReadonlyMap<string, Bucket>) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const preflight = request.method === 'OPTIONS';
    const { origin } = request.headers;
    if (!preflight && origin === undefined) return false;
    const bucket = buckets.get(readPath(request.url).bucket);
    if (preflight) {
      answerPreflight(request, response, bucket);
      return true;
    }
    const rule = bucket && findRule(bucket.cors, origin ?? '', request.method ?? '', []);
    if (rule) allow(response, rule, origin ?? '');
    return false;
  };
}
