import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Authorization, parseTimestamp } from './authorization.ts';
import { AwsError } from './aws-error.ts';
import { canonicalRequest, type RequestHead, readHeaders } from './canonical-request.ts';
import type { Credentials } from './credentials.ts';
import type { Caller, ChunkSigning } from './door.ts';

const ALLOWED_SKEW = 15 * 60 * 1000;

export const sha256Hex = (bytes: string | Uint8Array, encoding: BufferEncoding = 'utf8') =>
  (typeof bytes === 'string'
    ? createHash('sha256').update(bytes, encoding)
    : createHash('sha256').update(bytes)
  ).digest('hex');

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** The key of one day, region and service ("Create a signed AWS API request", step 3). */
const signingKey = (secret: string, { day, region, service }: Authorization) =>
  hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request');

export const signString = (key: Buffer, stringToSign: string) => hmac(key, stringToSign).toString('hex');

/** Compares two signatures in constant time. */
export function sameSignature(expected: string, given: string) {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The key behind the request, if it exists, is not expired and came with its session token. */
function findKey({ accessKeyId, sessionToken }: Authorization, credentials: Credentials, now: Date) {
  const key = credentials.find(accessKeyId);
  if (!key || (key.sessionToken && sessionToken === undefined)) {
    throw new AwsError(
      'InvalidAccessKeyId',
      403,
      'The AWS Access Key Id you provided does not exist in our records.',
      { AWSAccessKeyId: accessKeyId },
    );
  }
  if (sessionToken !== undefined && !sameSignature(key.sessionToken ?? '', sessionToken)) {
    throw new AwsError('InvalidToken', 400, 'The provided token is malformed or otherwise invalid.');
  }
  if (key.expiresAt && key.expiresAt <= now) {
    throw new AwsError('ExpiredToken', 400, 'The provided token has expired.');
  }
  return key;
}

function checkTime({ timestamp, expires }: Authorization, now: Date) {
  const signedAt = parseTimestamp(timestamp);
  if (!signedAt) throw new TypeError(`unread timestamp ${timestamp}`);
  const age = now.getTime() - signedAt.getTime();
  if (expires === undefined) {
    if (Math.abs(age) <= ALLOWED_SKEW) return;
    throw new AwsError(
      'RequestTimeTooSkewed',
      403,
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: timestamp,
        ServerTime: now.toISOString(),
        MaxAllowedSkewMilliseconds: String(ALLOWED_SKEW),
      },
    );
  }
  if (age < -ALLOWED_SKEW) throw new AwsError('AccessDenied', 403, 'Request is not yet valid');
  if (age > expires * 1000) {
    throw new AwsError('AccessDenied', 403, 'Request has expired', {
      'X-Amz-Expires': String(expires),
      Expires: new Date(signedAt.getTime() + expires * 1000).toISOString(),
      ServerTime: now.toISOString(),
    });
  }
}

/** `host` must be signed, and for S3 every x-amz-* header that is sent, or an attacker could add one to a signed URL. */
function checkSignedHeaders(head: RequestHead, { service, signedHeaders }: Authorization) {
  const required = [...readHeaders(head.rawHeaders).keys()].filter(
    (name) => service === 's3' && name.startsWith('x-amz-'),
  );
  const unsigned = ['host', ...required].filter((name) => !signedHeaders.includes(name));
  if (unsigned.length > 0) {
    throw new AwsError(
      'AccessDenied',
      403,
      'There were headers present in the request which were not signed',
      { HeadersNotSigned: unsigned.join(', ') },
    );
  }
}

function checkScope({ service, region, expires }: Authorization, expectedRegion: string) {
  if (region === expectedRegion) return;
  const what = `the region '${region}' is wrong; expecting '${expectedRegion}'`;
  if (service !== 's3') {
    throw new AwsError('SignatureDoesNotMatch', 403, 'Credential should be scoped to a valid region.');
  }
  throw expires === undefined
    ? new AwsError('AuthorizationHeaderMalformed', 400, `The authorization header is malformed; ${what}`, {
        Region: expectedRegion,
      })
    : new AwsError(
        'AuthorizationQueryParametersError',
        400,
        `Error parsing the X-Amz-Credential parameter; ${what}`,
        { Region: expectedRegion },
      );
}

/**
 * Verifies AWS Signature Version 4 over the head of a request and `payloadHash` (hex SHA-256 of the body, or the S3
 * literals such as UNSIGNED-PAYLOAD). That the body has this hash is for the caller to check.
 */
export function verifySignature(
  head: RequestHead,
  authorization: Authorization,
  payloadHash: string,
  options: { credentials: Credentials; region: string; now: Date },
): { caller: Caller; chunks: ChunkSigning } {
  const issued = findKey(authorization, options.credentials, options.now);
  checkScope(authorization, options.region);
  checkTime(authorization, options.now);
  checkSignedHeaders(head, authorization);

  const { service, signedHeaders, timestamp, scope, signature } = authorization;
  const canonical = canonicalRequest(head, service, signedHeaders, payloadHash);
  const stringToSign = ['AWS4-HMAC-SHA256', timestamp, scope, sha256Hex(canonical, 'latin1')].join('\n');
  const key = signingKey(issued.secretAccessKey, authorization);
  if (!sameSignature(signString(key, stringToSign), signature)) {
    throw new AwsError(
      'SignatureDoesNotMatch',
      403,
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      {
        AWSAccessKeyId: authorization.accessKeyId,
        StringToSign: stringToSign,
        CanonicalRequest: redactToken(canonical),
      },
    );
  }
  return { caller: issued.caller, chunks: { key, seed: signature, timestamp, scope } };
}

/** The canonical request helps whoever signs wrongly; the session token in it does not. */
const redactToken = (canonical: string) => canonical.replace(/(x-amz-security-token[:=])[^\n&]+/gi, '$1…');
