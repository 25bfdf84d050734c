import { uriEncode } from '../canonical-request.ts';
import { invalidArgument } from './errors.ts';
import type { Version } from './object.ts';
import { quoted, sendXml } from './reply.ts';
import type { Exchange, S3Request } from './request.ts';
import { findBucket, type Store } from './store.ts';

const LARGEST_PAGE = 1000;
/** Sorts behind every key that begins with the text before it. */
const END_OF_PREFIX = '\u{10ffff}';

interface Page {
  versions: Version[];
  commonPrefixes: string[];
  /** the last name or common prefix of a page that has a successor */
  next?: { name: string; versionId?: string };
}

/** Walks over versions in their order, rolls up what has the delimiter after the prefix, and stops after `limit` entries. */
function readPage(
  walk: (after: string) => Iterable<Version>,
  { prefix, delimiter, limit, after }: { prefix: string; delimiter: string; limit: number; after: string },
): Page {
  const page: Page = { versions: [], commonPrefixes: [] };
  let last: NonNullable<Page['next']> | undefined;

  /** Returns where to go on behind a common prefix, or undefined at the end. */
  function walkOn(from: string): string | undefined {
    for (const version of walk(from)) {
      const { key } = version;
      if (!key.startsWith(prefix)) return undefined;
      if (page.versions.length + page.commonPrefixes.length >= limit) {
        if (last) page.next = last;
        return undefined;
      }
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      if (end >= 0) {
        const common = key.slice(0, end + delimiter.length);
        page.commonPrefixes.push(common);
        last = { name: common };
        return common + END_OF_PREFIX;
      }
      page.versions.push(version);
      last = { name: key, versionId: version.versionId };
    }
    return undefined;
  }

  for (let from: string | undefined = after; from !== undefined && limit > 0; ) from = walkOn(from);
  return page;
}

function readParameters({ query }: S3Request) {
  const maxKeys = query.get('max-keys') ?? String(LARGEST_PAGE);
  if (!/^\d{1,10}$/.test(maxKeys)) {
    throw invalidArgument('max-keys', maxKeys, 'Provided max-keys not an integer or within integer range');
  }
  const encoding = query.get('encoding-type');
  if (encoding !== undefined && encoding !== 'url') {
    throw invalidArgument('encoding-type', encoding, 'Invalid Encoding Method specified in Request');
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    limit: Math.min(Number(maxKeys), LARGEST_PAGE),
    encoding,
    encode: (name: string) => (encoding ? name.split('/').map(uriEncode).join('/') : name),
  };
}

/** A place in a listing, given out as an opaque token. */
const toToken = (place: string) => Buffer.from(place).toString('base64url');

function fromToken(token: string) {
  const place = Buffer.from(token, 'base64url').toString();
  if (toToken(place) === token) return place;
  throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect');
}

/** A common prefix that was the last entry of a page stands for all keys below it. */
const behind = (name: string, delimiter: string) =>
  delimiter !== '' && name.endsWith(delimiter) ? name + END_OF_PREFIX : name;

export async function listObjectsV2(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const { prefix, delimiter, limit, encoding, encode } = readParameters(request);
  const token = request.query.get('continuation-token');
  const startAfter = request.query.get('start-after');
  const after = token === undefined ? (startAfter ?? '') : fromToken(token);
  const page = readPage((from) => store.catalogue.objects(bucket.name, prefix, from), {
    prefix,
    delimiter,
    limit,
    after,
  });
  sendXml(response, 'ListBucketResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    MaxKeys: limit,
    EncodingType: encoding,
    KeyCount: page.versions.length + page.commonPrefixes.length,
    IsTruncated: page.next !== undefined,
    ContinuationToken: token,
    NextContinuationToken: page.next && toToken(behind(page.next.name, delimiter)),
    Contents: page.versions.map(({ key, lastModified, object }) => ({
      Key: encode(key),
      LastModified: lastModified,
      ETag: quoted(object?.etag ?? ''),
      ChecksumAlgorithm: object?.checksum?.algorithm,
      ChecksumType: object?.checksum?.type,
      Size: object?.bytes,
      StorageClass: object?.storageClass,
    })),
    CommonPrefixes: page.commonPrefixes.map((common) => ({ Prefix: encode(common) })),
  });
}

/** Skips the versions of the marker's key up to and with the marker's version. */
function* versionsAfter(
  store: Store,
  bucket: string,
  prefix: string,
  key: string,
  versionId: string | undefined,
) {
  if (versionId === undefined) {
    yield* store.catalogue.versions(bucket, prefix, key);
    return;
  }
  // 'key > ?' begins behind a text; that of the marker's own key has to begin at it.
  let found = false;
  for (const version of store.catalogue.versionsOf(bucket, key)) {
    if (found) yield version;
    if (version.versionId === versionId) found = true;
  }
  yield* store.catalogue.versions(bucket, prefix, key);
}

export async function listObjectVersions(store: Store, { request, response }: Exchange) {
  const bucket = findBucket(store, request.bucket);
  const { prefix, delimiter, limit, encoding, encode } = readParameters(request);
  const keyMarker = request.query.get('key-marker') ?? '';
  const versionMarker = request.query.get('version-id-marker');
  const after = versionMarker === undefined ? behind(keyMarker, delimiter) : keyMarker;
  const page = readPage(
    (from) => versionsAfter(store, bucket.name, prefix, from, from === keyMarker ? versionMarker : undefined),
    { prefix, delimiter, limit, after },
  );
  const common = (version: Version) => ({
    Key: encode(version.key),
    VersionId: version.versionId,
    IsLatest: version.latest,
    LastModified: version.lastModified,
  });
  sendXml(response, 'ListVersionsResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    KeyMarker: encode(keyMarker),
    VersionIdMarker: versionMarker,
    MaxKeys: limit,
    EncodingType: encoding,
    IsTruncated: page.next !== undefined,
    NextKeyMarker: page.next && encode(page.next.name),
    NextVersionIdMarker: page.next?.versionId,
    Version: page.versions.flatMap((version) =>
      version.object
        ? {
            ...common(version),
            ETag: quoted(version.object.etag),
            Size: version.object.bytes,
            StorageClass: version.object.storageClass,
            ChecksumAlgorithm: version.object.checksum?.algorithm,
            ChecksumType: version.object.checksum?.type,
          }
        : [],
    ),
    DeleteMarker: page.versions.filter(({ object }) => !object).map(common),
    CommonPrefixes: page.commonPrefixes.map((prefixed) => ({ Prefix: encode(prefixed) })),
  });
}
