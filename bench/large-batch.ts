/** 60 photos of 12 to 24 MP and 3 videos from disk to READY: time, peak memory of every process, photos in flight. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pLimit from 'p-limit';
import { createClient, describeFile, putFile, settled } from '../local/client.ts';
import type { Overview } from '../local/console/overview.ts';
import { readFolder } from '../local/folder.ts';
import { startStack } from '../local/stack.ts';
import { watchProcesses } from './processes.ts';

const run = promisify(execFile);
const PHOTOS = Number(process.argv[2] ?? 60);
const directory = await mkdtemp(path.join(tmpdir(), 'toq-media-bench-'));
const folder = path.join(directory, 'media');

console.log(`making ${PHOTOS} photos and 3 videos`);
// in a process of its own: its memory is not the pipeline's
await run(process.execPath, [path.join(import.meta.dirname, 'make-batch.ts'), folder, String(PHOTOS)]);
const limit = pLimit(4);

const stack = await startStack({ directory: path.join(directory, 'stack') });
const watch = watchProcesses();
try {
  const client = createClient({ apiUrl: stack.apiUrl, token: stack.tokens.photographer });
  const listingIdentityId = await stack.addListing();
  const { files } = await readFolder(folder);
  const started = performance.now();
  // at most 60 files a request: the rest is added to the same batch
  let batchId: string | undefined;
  for (let first = 0; first < files.length; first += 60) {
    const portion = files.slice(first, first + 60);
    const manifest = await Promise.all(portion.map((file) => limit(() => describeFile(file))));
    const opened = await client.openUploads({
      listingIdentityId,
      ...(batchId ? { batchId } : { batchReference: randomUUID() }),
      files: manifest,
    });
    batchId = opened.batchId;
    await Promise.all(
      opened.files.map((signed) =>
        limit(async () =>
          putFile(portion.find(({ clientId }) => clientId === signed.clientId)?.path ?? '', signed),
        ),
      ),
    );
  }
  if (!batchId) throw new Error('nothing to upload');
  const uploaded = performance.now();
  const batch = { listingIdentityId, batchId };
  await client.complete(batch);
  let most = 0;
  const look = setInterval(async () => {
    // the console is ours, and this is what it serves
    const { executions } = (await (await fetch(`${stack.consoleUrl}/overview`)).json()) as Overview;
    for (const { name, entered, exited } of executions.flatMap(({ steps }) => steps)) {
      if (name === 'GenerateVariants') most = Math.max(most, entered - exited);
    }
  }, 100);
  const status = await client.until(batch, settled, {
    seconds: 900,
    intervalMs: 500,
  });
  clearInterval(look);
  const ready = performance.now();

  console.log(`${status.status}: ${files.length} files, ${status.assets.length} assets`);
  console.log(
    `upload ${((uploaded - started) / 1000).toFixed(1)} s, complete to ${status.status} ${((ready - uploaded) / 1000).toFixed(1)} s`,
  );
  console.log(`photos side by side: at most ${most}`);
} finally {
  const processes = watch.stop();
  await stack.close();
  await rm(directory, { recursive: true, force: true });
  for (const { command, peakMiB } of processes.slice(0, 16)) {
    console.log(`${String(Math.round(peakMiB)).padStart(6)} MiB  ${command}`);
  }
}
