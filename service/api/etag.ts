import { createHash } from 'node:crypto';

/** Strong validator (RFC 9110 §8.8.3) of an answer: the SHA-256 of its JSON. */
export const etagOf = (body: unknown) =>
  `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url')}"`;

/** Whether `If-None-Match` names the validator; compared weakly, as RFC 9110 §13.1.2 says. */
export const matches = (ifNoneMatch: string, etag: string) =>
  ifNoneMatch
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === etag);
