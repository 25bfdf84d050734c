import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import test from 'ava';
import { bundle, type Source, uniqueNames } from '../../lambdas/media/bundle.ts';
import replacement from '../../lambdas/media/crc32.ts';
import { entries } from '../support/zip.ts';

const modified = new Date('2026-05-04T03:02:00Z');
const source = (name: string, content: Buffer): Source => ({
  name,
  open: async () => ({ body: Readable.from([content]), bytes: content.length, modified }),
});

async function bundled(sources: Source[]) {
  const archive = new PassThrough();
  const [zip, facts] = await Promise.all([buffer(archive), bundle(sources, archive)]);
  return { zip, facts };
}

test('an archive holds the originals, stored and in order, with their dates and checksums', async (t) => {
  const contents = [randomBytes(300_000), Buffer.alloc(0), randomBytes(1), Buffer.alloc(2_000_000, 'a')];
  const names = [
    'photo/horizontal/b.jpg',
    'photo/horizontal/a.jpg',
    'photo/vertical/é 1.jpg',
    'video/vertical/c.mp4',
  ];
  const { zip, facts } = await bundled(names.map((name, i) => source(name, contents[i] ?? Buffer.alloc(0))));

  const found = await entries(zip);
  t.deepEqual(
    found.map((entry) => entry.name),
    names,
  );
  for (const [index, entry] of found.entries()) {
    t.deepEqual(entry.content, contents[index]);
    t.is(entry.declaredCrc, crc32(contents[index] ?? ''));
    t.is(entry.compressionMethod, 0);
    t.deepEqual(entry.modified, modified);
  }
  t.deepEqual(facts, { zipBytes: zip.length, unzippedBytes: 2_300_001 });
});

test('while one original is written the next is being read, and never more than those two', async (t) => {
  const opened: number[] = [];
  let finished = 0;
  let written = 0;
  let aheadOfFirst = false;
  const blocks = 48;
  const sources: Source[] = [0, 1, 2, 3].map((index) => ({
    name: `${index}.bin`,
    open: async () => {
      opened.push(index);
      t.true(opened.length - finished <= 2);
      return {
        body: Readable.from(
          (function* () {
            for (let i = 0; i < blocks; i++) {
              if (index === 1 && written < 1e6) aheadOfFirst = true;
              yield Buffer.alloc(65_536, index);
            }
            finished++;
          })(),
        ),
        bytes: blocks * 65_536,
        modified,
      };
    },
  }));
  const slow = new Writable({
    highWaterMark: 65_536,
    write(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      setImmediate(done);
    },
  });
  const { unzippedBytes } = await bundle(sources, slow);
  t.deepEqual(opened, [0, 1, 2, 3]);
  t.true(aheadOfFirst);
  t.is(unzippedBytes, 4 * blocks * 65_536);
});

test('a slow destination holds the sources back: only a few MiB are ever on the way', async (t) => {
  let read = 0;
  let written = 0;
  let most = 0;
  const sources: Source[] = [0, 1, 2].map((index) => ({
    name: `${index}.bin`,
    open: async () => ({
      body: Readable.from(
        (function* () {
          for (let i = 0; i < 512; i++) {
            read += 65_536;
            most = Math.max(most, read - written);
            yield Buffer.alloc(65_536);
          }
        })(),
      ),
      bytes: 512 * 65_536,
      modified,
    }),
  }));
  await bundle(
    sources,
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written += chunk.length;
        setImmediate(done);
      },
    }),
  );
  t.true(most < 16 * 2 ** 20, `${most} bytes`);
});

const failing = (at: number, bytes: number, how: 'error' | 'end'): Source => ({
  name: 'broken.jpg',
  open: async () => ({
    body: Readable.from(
      (async function* () {
        yield Buffer.alloc(at);
        await setTimeout(5);
        if (how === 'error') throw new Error('connection reset');
      })(),
    ),
    bytes,
    modified,
  }),
});

test('the first failure is what is reported, wherever it happens, and the destination is destroyed', async (t) => {
  const good = source('good.jpg', randomBytes(3_000_000));
  const missing: Source = { name: 'gone.jpg', open: () => Promise.reject(new Error('gone.jpg is missing')) };
  const cases: [string, Source[], RegExp][] = [
    ['the first source breaks', [failing(10, 20, 'error'), good], /connection reset/],
    ['a later source breaks', [good, failing(10, 20, 'error'), good], /connection reset/],
    ['the last source breaks', [good, failing(10, 20, 'error')], /connection reset/],
    ['a body ends early', [good, failing(10, 20, 'end')], /broken\.jpg ended after 10 of 20 bytes/],
    ['a body is too long', [failing(30, 20, 'end'), good], /broken\.jpg ended after 30 of 20 bytes/],
    ['the first is missing', [missing, good], /gone\.jpg/],
    ['a later one is missing', [good, good, missing], /gone\.jpg/],
  ];
  for (const [title, sources, message] of cases) {
    const archive = new PassThrough();
    const drained = buffer(archive).catch((error: Error) => error);
    await t.throwsAsync(bundle(sources, archive), { message }, title);
    t.true((await drained) instanceof Error, title);
    t.true(archive.destroyed, title);
  }
});

test('a destination that fails stops the reading', async (t) => {
  const bodies: Readable[] = [];
  const sources = [0, 1, 2].map(
    (index): Source => ({
      name: `${index}.bin`,
      open: async () => {
        const body = Readable.from(
          (function* () {
            for (let i = 0; i < 200; i++) yield randomBytes(65_536);
          })(),
        );
        bodies.push(body);
        return { body, bytes: 200 * 65_536, modified };
      },
    }),
  );
  const full = new Writable({
    write(_chunk, _encoding, done) {
      done(new Error('disk full'));
    },
  });
  await t.throwsAsync(bundle(sources, full), { message: 'disk full' });
  await setTimeout(20);
  t.true(bodies.length <= 2);
  t.true(bodies.every((body) => body.destroyed));
});

test('a destination that fails at the directory of the archive fails the archive', async (t) => {
  let taken = 0;
  const almost = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken += chunk.length;
      done(taken > 5000 ? new Error('connection reset') : null);
    },
  });
  await t.throwsAsync(bundle([source('a.bin', Buffer.alloc(5000))], almost), { message: 'connection reset' });
});

test('names that differ only in case are told apart', (t) => {
  t.deepEqual(uniqueNames(['a/x.jpg', 'a/X.JPG', 'a/x.jpg', 'b/x.jpg', 'a/y', 'a/Y']), [
    'a/x.jpg',
    'a/X-2.JPG',
    'a/x-3.jpg',
    'b/x.jpg',
    'a/y',
    'a/Y-2',
  ]);
});

test('the same originals make the same archive', async (t) => {
  const sources = [source('a.jpg', Buffer.from('one')), source('b.jpg', Buffer.from('two'))];
  const digest = async () =>
    createHash('sha256')
      .update((await bundled(sources)).zip)
      .digest('hex');
  t.is(await digest(), await digest());
});

test("the checksum that stands in for archiver's own is a CRC-32, in one piece or many", (t) => {
  // the check value of the CRC-32 catalogue (CRC-32/ISO-HDLC)
  t.is(replacement.buf(Buffer.from('123456789')) >>> 0, 0xcbf43926);
  const bytes = randomBytes(100_000);
  let chained = 0;
  for (let at = 0; at < bytes.length; at += 7919) {
    chained = replacement.buf(bytes.subarray(at, at + 7919), chained);
  }
  t.is(chained >>> 0, crc32(bytes));
});
