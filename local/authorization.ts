import { AwsError } from './aws-error.ts';
import { type RequestHead, readHeaders, readQuery, splitTarget } from './canonical-request.ts';

/** What a request claims about its signature; nothing of it is proven yet. */
export interface Authorization {
  accessKeyId: string;
  /** `20261121/us-east-1/s3/aws4_request` */
  scope: string;
  /** YYYYMMDD of the scope */
  day: string;
  region: string;
  service: string;
  /** basic ISO 8601, `20261121T081500Z` */
  timestamp: string;
  signedHeaders: string[];
  signature: string;
  sessionToken?: string | undefined;
  /** lifetime in seconds of a presigned URL */
  expires?: number;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** Seven days, the most that Signature Version 4 allows. */
const LONGEST_EXPIRY = 604_800;

const malformedHeader = (what: string) =>
  new AwsError('AuthorizationHeaderMalformed', 400, `The authorization header is malformed; ${what}.`);

const malformedQuery = (what: string) => new AwsError('AuthorizationQueryParametersError', 400, what);

function readCredential(credential: string) {
  const match = /^([\w/+=.@-]+?)\/((\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request)$/.exec(credential);
  if (!match) return undefined;
  const [, accessKeyId = '', scope = '', day = '', region = '', service = ''] = match;
  return { accessKeyId, scope, day, region, service };
}

/** X-Amz-Date, or else the Date header, as basic ISO 8601. */
function readTimestamp(headers: Map<string, string[]>) {
  const amzDate = headers.get('x-amz-date')?.[0];
  if (amzDate !== undefined) return amzDate;
  const date = new Date(headers.get('date')?.[0] ?? '');
  return Number.isNaN(date.getTime()) ? '' : `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** The instant of a basic ISO 8601 time; undefined when it is none. */
export function parseTimestamp(timestamp: string): Date | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function readAuthorizationHeader(value: string, headers: Map<string, string[]>): Authorization {
  const [scheme = '', ...rest] = value.trim().split(/\s+/);
  if (scheme !== ALGORITHM) throw new AwsError('InvalidArgument', 400, 'Unsupported Authorization Type');
  const fields = new Map(
    rest
      .join('')
      .split(',')
      .map((field) => {
        const [name = '', ...content] = field.split('=');
        return [name, content.join('=')] as const;
      }),
  );
  const credential = readCredential(fields.get('Credential') ?? '');
  if (!credential)
    throw malformedHeader(
      'the Credential is mal-formed; expecting "<KEY>/YYYYMMDD/REGION/SERVICE/aws4_request"',
    );
  const timestamp = readTimestamp(headers);
  if (!parseTimestamp(timestamp)) {
    throw new AwsError('AccessDenied', 403, 'AWS authentication requires a valid Date or x-amz-date header');
  }
  if (!timestamp.startsWith(credential.day)) {
    throw malformedHeader(`the Credential date ${credential.day} does not match ${timestamp.slice(0, 8)}`);
  }
  return {
    ...credential,
    timestamp,
    signedHeaders: (fields.get('SignedHeaders') ?? '').toLowerCase().split(';'),
    signature: fields.get('Signature') ?? '',
    sessionToken: headers.get('x-amz-security-token')?.[0],
  };
}

function readPresigned(query: Map<string, string>): Authorization {
  if (query.get('X-Amz-Algorithm') !== ALGORITHM) {
    throw malformedQuery(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  }
  const missing = [
    'X-Amz-Credential',
    'X-Amz-Signature',
    'X-Amz-Date',
    'X-Amz-SignedHeaders',
    'X-Amz-Expires',
  ].filter((name) => !query.has(name));
  if (missing.length > 0) {
    throw malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  }
  const credential = readCredential(query.get('X-Amz-Credential') ?? '');
  if (!credential) {
    throw malformedQuery(
      'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<KEY>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  const timestamp = query.get('X-Amz-Date') ?? '';
  if (!parseTimestamp(timestamp)) {
    throw malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  if (!timestamp.startsWith(credential.day)) {
    throw malformedQuery('Error parsing the X-Amz-Credential parameter; incorrect date.');
  }
  const expiry = query.get('X-Amz-Expires') ?? '';
  const expires = /^-?\d+$/.test(expiry) ? Number(expiry) : Number.NaN;
  if (Number.isNaN(expires)) throw malformedQuery('X-Amz-Expires should be a number');
  if (expires < 1) throw malformedQuery('X-Amz-Expires must be non-negative and greater than zero');
  if (expires > LONGEST_EXPIRY) {
    throw malformedQuery(`X-Amz-Expires must be less than a week (in seconds); that is, ${LONGEST_EXPIRY}`);
  }
  return {
    ...credential,
    timestamp,
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').toLowerCase().split(';'),
    signature: query.get('X-Amz-Signature') ?? '',
    sessionToken: query.get('X-Amz-Security-Token'),
    expires,
  };
}

/** Reads the Authorization header or the presigned query; undefined for an anonymous request. */
export function readAuthorization(head: RequestHead): Authorization | undefined {
  const headers = readHeaders(head.rawHeaders);
  const query = new Map(readQuery(splitTarget(head.url).query).reverse());
  const header = headers.get('authorization')?.[0];
  const presigned = query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature');
  if (header !== undefined && presigned) {
    throw new AwsError('InvalidArgument', 400, 'Only one auth mechanism allowed');
  }
  if (presigned) return readPresigned(query);
  return header === undefined ? undefined : readAuthorizationHeader(header, headers);
}
