import { XMLParser } from 'fast-xml-parser';
import type { z } from 'zod';
import { s3Error } from './errors.ts';
import type { Integrity } from './integrity.ts';
import { receiveDocument } from './payload.ts';
import type { S3Request } from './request.ts';

/** 10,000 parts with an ETag and a SHA-256 each are below 3 MiB. */
const LARGEST_DOCUMENT = 4 * 1_048_576;

const parser = new XMLParser({
  ignoreDeclaration: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true, // for numeric references such as &#xD;, by which SDKs write control characters in a key
  isArray: (name) => name === 'Object' || name === 'Part' || name === 'Tag',
});

/** The verified XML body of a request as its schema reads it; every value is text. */
export async function readXml<T>(
  request: S3Request,
  schema: z.ZodType<T>,
  integrity?: Integrity,
): Promise<T> {
  const text = await receiveDocument(request, LARGEST_DOCUMENT, integrity);
  let document: unknown;
  try {
    document = parser.parse(text, true);
  } catch {
    throw s3Error('MalformedXML');
  }
  const result = schema.safeParse(document);
  if (!result.success) throw s3Error('MalformedXML');
  return result.data;
}
