import { Readable } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { AwsError } from '../../../local/aws-error.ts';
import { decodeAwsChunked } from '../../../local/s3/aws-chunked.ts';

/** The chunked upload of AWS's documentation: 66,560 times the letter a. */
const DOCUMENTED = {
  signing: {
    key: Buffer.from('dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378', 'hex'),
    seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    timestamp: '20130524T000000Z',
    scope: '20130524/us-east-1/s3/aws4_request',
  },
  trailers: [],
};

type Chunk = [size: number, signature: string];
const CHUNKS: [Chunk, Chunk, Chunk] = [
  [65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
  [1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
  [0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
];

const documentedBody = (chunks: Chunk[] = CHUNKS) =>
  chunks
    .map(
      ([size, signature]) => `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`,
    )
    .join('');

/** The body cut into pieces of the given sizes, taken in turns. */
function* cut(body: Buffer, sizes: readonly number[]) {
  for (let at = 0, i = 0; at < body.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield body.subarray(at, at + size);
    at += size;
  }
}

async function decode(
  body: string,
  framing: Parameters<typeof decodeAwsChunked>[1],
  sizes: readonly number[],
) {
  let bytes = 0;
  for await (const piece of decodeAwsChunked(
    Readable.from(cut(Buffer.from(body, 'latin1'), sizes)),
    framing,
  )) {
    bytes += piece.length;
  }
  return bytes;
}

test("the signed chunks of AWS's documentation verify however they arrive", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 50, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      async (sizes) => {
        t.is(await decode(documentedBody(), DOCUMENTED, sizes), 66_560);
      },
    ),
    { numRuns: 30 },
  );
  t.is(await decode(documentedBody(), DOCUMENTED, [1]), 66_560);
});

test('a chunk that is changed, moved, left out or unsigned breaks the chain', async (t) => {
  const [first, second, last] = CHUNKS;
  const changed = documentedBody().replace('aaaa', 'aaba');
  const bodies: [string, string][] = [
    ['changed', changed],
    ['left out', documentedBody([first, last])],
    ['moved', documentedBody([second, first, last])],
    ['ended early', documentedBody([last])],
    ['unsigned', documentedBody().replace(/;chunk-signature=\w+/, '')],
    ['cut off', documentedBody([first, second])],
    ['more at the end', `${documentedBody()}x`],
  ];
  for (const [what, body] of bodies) {
    await t.throwsAsync(decode(body, DOCUMENTED, [65_536]), { instanceOf: AwsError }, what);
  }
});

test('no mutilated framing gets through or hangs', async (t) => {
  const framing = { trailers: ['x-amz-checksum-crc32'] };
  const right = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n';
  t.is(await decode(right, framing, [3]), 5);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(right.length - 1),
      fc.string({ unit: 'binary-ascii', maxLength: 3 }),
      fc.nat(3),
      async (at, inserted, removed) => {
        const body = right.slice(0, at) + inserted + right.slice(at + removed);
        const outcome = await decode(body, framing, [4]).catch((error: unknown) => error);
        t.true(typeof outcome === 'number' || outcome instanceof AwsError, String(outcome));
      },
    ),
    { numRuns: 300 },
  );
});
