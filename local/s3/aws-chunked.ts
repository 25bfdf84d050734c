import { createHash } from 'node:crypto';
import type { ChunkSigning } from '../door.ts';
import { sameSignature, sha256Hex, signString } from '../sigv4.ts';
import { s3Error } from './errors.ts';

/** What goes before and after the bytes of an aws-chunked body ("Authenticating requests: transfer payload in chunks"). */
export interface ChunkedFraming {
  /** undefined: the chunks are not signed */
  signing?: ChunkSigning;
  /** names announced in x-amz-trailer, lower case */
  trailers: readonly string[];
}

const LONGEST_LINE = 4096;
const SMALLEST_CHUNK = 8192;
const EMPTY_SHA256 = sha256Hex('');
const CR = 0x0d;
const LF = 0x0a;

/** Reads lines and stretches of bytes from the pieces in which a body arrives. */
function createReader(source: AsyncIterable<Buffer>) {
  const pieces = source[Symbol.asyncIterator]();
  let buffered: Buffer = Buffer.alloc(0);

  async function fill() {
    const { value, done } = await pieces.next();
    if (done) return false;
    buffered = buffered.length > 0 ? Buffer.concat([buffered, value]) : value;
    return true;
  }

  return {
    /** the next line without its CR LF */
    async line() {
      for (;;) {
        const end = buffered.indexOf(LF);
        if (end > LONGEST_LINE || (end < 0 && buffered.length > LONGEST_LINE))
          throw s3Error('IncompleteBody');
        if (end >= 0) {
          const line = buffered.toString('latin1', 0, buffered[end - 1] === CR ? end - 1 : end);
          buffered = buffered.subarray(end + 1);
          return line;
        }
        if (!(await fill())) throw s3Error('IncompleteBody');
      }
    },

    /** some bytes, at least one and at most `limit` */
    async some(limit: number) {
      while (buffered.length === 0) if (!(await fill())) throw s3Error('IncompleteBody');
      const piece = buffered.subarray(0, limit);
      buffered = buffered.subarray(piece.length);
      return piece;
    },

    async ended() {
      while (buffered.length === 0) if (!(await fill())) return true;
      return false;
    },
  };
}

function readChunkHeader(line: string, signed: boolean) {
  const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (!match || (signed && !match[2])) throw s3Error('IncompleteBody');
  return { size: Number.parseInt(match[1] ?? '', 16), signature: match[2] ?? '' };
}

/** Each signature covers the one before it, so that no chunk can be left out, doubled or moved. */
function createChain({ key, seed, timestamp, scope }: ChunkSigning) {
  let previous = seed;
  function verify(signature: string, algorithm: string, ...hashes: string[]) {
    const expected = signString(key, [algorithm, timestamp, scope, previous, ...hashes].join('\n'));
    if (!sameSignature(expected, signature)) throw s3Error('SignatureDoesNotMatch');
    previous = signature;
  }
  return {
    chunk: (signature: string, sha256: string) =>
      verify(signature, 'AWS4-HMAC-SHA256-PAYLOAD', EMPTY_SHA256, sha256),
    trailer: (signature: string, lines: string) =>
      verify(signature, 'AWS4-HMAC-SHA256-TRAILER', sha256Hex(lines, 'latin1')),
  };
}

/** Reads the trailer up to the empty line that ends the body, and checks its signature. */
async function readTrailer(
  line: () => Promise<string>,
  { signing, trailers }: ChunkedFraming,
  chain: ReturnType<typeof createChain> | undefined,
) {
  const found = new Map<string, string>();
  for (let text = await line(); text !== ''; text = await line()) {
    const colon = text.indexOf(':');
    if (colon < 1) throw s3Error('MalformedTrailerError');
    found.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
  }
  const signature = found.get('x-amz-trailer-signature') ?? '';
  found.delete('x-amz-trailer-signature');
  const announced = found.size === trailers.length && trailers.every((name) => found.has(name));
  if (!announced) throw s3Error('MalformedTrailerError');
  if (signing && trailers.length > 0) {
    chain?.trailer(signature, [...found].map(([name, value]) => `${name}:${value}\n`).join(''));
  }
  return found;
}

/** Yields the content of an aws-chunked body, verifies every chunk signature, and returns the trailer. */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  framing: ChunkedFraming,
): AsyncGenerator<Buffer, Map<string, string>> {
  const reader = createReader(source);
  const chain = framing.signing && createChain(framing.signing);
  for (let smaller = false; ; ) {
    const { size, signature } = readChunkHeader(await reader.line(), chain !== undefined);
    if (size > 0 && smaller) throw s3Error('InvalidChunkSizeError');
    smaller = size < SMALLEST_CHUNK;

    const hash = chain && createHash('sha256');
    for (let left = size; left > 0; ) {
      const piece = await reader.some(left);
      hash?.update(piece);
      left -= piece.length;
      yield piece;
    }
    if (hash) chain?.chunk(signature, hash.digest('hex'));
    if (size === 0) break;
    if ((await reader.line()) !== '') throw s3Error('IncompleteBody');
  }
  const trailer = await readTrailer(reader.line, framing, chain);
  if (!(await reader.ended())) throw s3Error('IncompleteBody');
  return trailer;
}
