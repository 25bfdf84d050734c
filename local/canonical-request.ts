import { AwsError } from './aws-error.ts';

/** The head of a request as it came over the wire; an IncomingMessage is one. */
export interface RequestHead {
  method?: string | undefined;
  /** request target, neither decoded nor normalised */
  url?: string | undefined;
  /** names and values in turns */
  rawHeaders: readonly string[];
}

/** Percent-encodes all but RFC 3986's unreserved characters, as AWS's UriEncode() does. */
export const uriEncode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function uriDecode(text: string) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidURI', 400, "Couldn't parse the specified URI.");
  }
}

export function splitTarget(target = '/') {
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Names and values, decoded, in the order of the request; a plus sign is a space. */
export function readQuery(query: string): [name: string, value: string][] {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.replaceAll('+', ' ').split('=');
      return [uriDecode(name), uriDecode(value.join('='))];
    });
}

/** Lower-case names with their values in order of arrival. Values are bytes read as Latin-1, as Node gives them. */
export function readHeaders(rawHeaders: readonly string[]) {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i]).toLowerCase();
    const values = headers.get(name) ?? [];
    values.push(String(rawHeaders[i + 1]));
    headers.set(name, values);
  }
  return headers;
}

/** S3 signs the path once encoded and as it is; everybody else normalises it and encodes what is already encoded. */
function canonicalPath(service: string, path: string) {
  if (service === 's3') return uriDecode(path).split('/').map(uriEncode).join('/');
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(uriEncode(segment));
  }
  const trailing = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${trailing}`;
}

function canonicalQuery(query: string) {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return readQuery(query)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/**
 * The canonical request of AWS Signature Version 4 ("Create a signed AWS API request", step 1). To be hashed as Latin-1:
 * header values are the bytes of the wire.
 */
export function canonicalRequest(
  head: RequestHead,
  service: string,
  signedHeaders: readonly string[],
  payloadHash: string,
) {
  const { path, query } = splitTarget(head.url);
  const headers = readHeaders(head.rawHeaders);
  const lines = signedHeaders.map((name) => {
    const values = headers.get(name) ?? [];
    return `${name}:${values.map((value) => value.trim().replace(/ +/g, ' ')).join(',')}\n`;
  });
  return [
    head.method,
    canonicalPath(service, path),
    canonicalQuery(query),
    lines.join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}
