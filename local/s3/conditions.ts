import { s3Error } from './errors.ts';
import { hasBytes, type ObjectVersion, type Version } from './object.ts';
import type { S3Request } from './request.ts';

/** Throws unless the object may be written over `current`; `late` says that it could be when the request began. */
export type WriteCondition = (current: Version | undefined, late: boolean) => void;

const matches = (list: string, etag: string) =>
  list
    .split(',')
    .some((item) => item.trim() === '*' || item.trim().replace(/^W\//, '').replace(/^"|"$/g, '') === etag);

const failed = (condition: string) => s3Error('PreconditionFailed', { Condition: condition });

/** HTTP dates have whole seconds. */
const seconds = (date: string) => Math.floor(new Date(date).getTime() / 1000);

/** If-None-Match: * and If-Match of a write ("Add preconditions to S3 operations with conditional requests"). */
export function readWriteCondition(request: S3Request): WriteCondition {
  const ifMatch = request.header('if-match');
  const ifNoneMatch = request.header('if-none-match');
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw s3Error('NotImplemented', {
      Header: 'If-None-Match',
      additionalMessage: "We don't accept the provided value of If-None-Match header for this API",
    });
  }
  return (current, late) => {
    if (ifNoneMatch && hasBytes(current)) throw failed('If-None-Match');
    if (ifMatch === undefined) return;
    if (!hasBytes(current))
      throw late ? s3Error('ConditionalRequestConflict') : s3Error('NoSuchKey', { Key: request.key });
    if (!matches(ifMatch, current.object.etag)) throw failed('If-Match');
  };
}

/** Conditions of a read in the order of RFC 9110 §13.2.2; `prefix` is `x-amz-copy-source-` for the source of a copy. */
export function checkReadConditions(
  request: S3Request,
  { object, lastModified }: ObjectVersion,
  prefix = '',
) {
  const header = (name: string) => request.header(prefix + name);
  const ifMatch = header('if-match');
  const ifNoneMatch = header('if-none-match');
  const unmodifiedSince = header('if-unmodified-since');
  const modifiedSince = header('if-modified-since');

  if (ifMatch !== undefined) {
    if (!matches(ifMatch, object.etag)) throw failed('If-Match');
  } else if (unmodifiedSince !== undefined && seconds(lastModified) > seconds(unmodifiedSince)) {
    throw failed('If-Unmodified-Since');
  }
  // A copy has nobody to tell that nothing changed: there too, 412.
  const unchanged = (condition: string) => (prefix ? failed(condition) : s3Error('NotModified'));
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, object.etag)) throw unchanged('If-None-Match');
  } else if (modifiedSince !== undefined && seconds(lastModified) <= seconds(modifiedSince)) {
    throw unchanged('If-Modified-Since');
  }
}
