import { invalidArgument, s3Error } from './errors.ts';

/** From `start` up to but not including `end`, in bytes. */
export interface Range {
  start: number;
  end: number;
}

/**
 * The Range header of a GET (RFC 9110 §14). Undefined: send all, which is also the answer to what is no single byte
 * range. Throws InvalidRange when no byte of it exists.
 */
export function readRange(header: string | undefined, bytes: number): Range | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined;
  const start = first === '' ? Math.max(bytes - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (start >= end) {
    throw s3Error('InvalidRange', { RangeRequested: header ?? '', ActualObjectSize: String(bytes) });
  }
  return { start, end };
}

/** x-amz-copy-source-range, which must name both ends and lie within the source. */
export function readCopyRange(header: string | undefined, bytes: number): Range {
  if (header === undefined) return { start: 0, end: bytes };
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  if (!match || start >= end) {
    throw invalidArgument(
      'x-amz-copy-source-range',
      header,
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    );
  }
  if (end > bytes) {
    throw invalidArgument(
      'x-amz-copy-source-range',
      header,
      `Range specified is not valid for source object of size: ${bytes}`,
    );
  }
  return { start, end };
}
