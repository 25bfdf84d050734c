import { randomUUID } from 'node:crypto';
import { cp, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type DefaultRenderer, Listr, type ListrTaskWrapper, type SimpleRenderer } from 'listr2';
import pLimit from 'p-limit';
import {
  type Batch,
  type Client,
  createClient,
  describeFile,
  type LocalFile,
  type ManifestFile,
  putFile,
  type Status,
  settled,
} from './client.ts';
import type { Overview } from './console/overview.ts';
import { stackDirectory as directory } from './directory.ts';
import { readFolder } from './folder.ts';
import { type SavedGallery, saveGallery } from './gallery.ts';
import { policyLines, usageLines } from './iam/report.ts';
import { reasonOf } from './iam/unexercised.ts';
import { joinOrStart } from './join.ts';
import { brokenPhoto, photoJpeg, sampleListing } from './samples.ts';

import { readLog, sourcesOf, traceOf } from './trace-report.ts';

type Task = ListrTaskWrapper<object, typeof DefaultRenderer, typeof SimpleRenderer>;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** What the console knows of the listing's executions: how often each state ran, and how long all of that took. */
async function printSteps(consoleUrl: string, listingIdentityId: number) {
  // the console is ours, and this is what it serves
  const overview = (await (await fetch(`${consoleUrl}/overview`)).json()) as Overview;
  const ours = overview.executions.filter(({ name }) => name.split('-')[1] === String(listingIdentityId));
  console.log('\nSteps');
  for (const { machine, steps, startedAt, endedAt = startedAt } of ours.reverse()) {
    console.log(`  ${machine.padEnd(44)} ${seconds(endedAt - startedAt)}`);
    const tasks = steps.filter((step) => (step.endedAt ?? 0) - step.startedAt > 20);
    for (const step of tasks) {
      const times = step.entered > 1 ? `×${step.entered}` : '';
      const took = seconds((step.endedAt ?? step.startedAt) - step.startedAt);
      console.log(`    ${`${step.name} ${times}`.padEnd(42)} ${took}`);
    }
  }
  console.log('\nMemory of the functions');
  for (const { name, peakMiB, memoryMiB } of overview.functions) {
    console.log(`  ${name.padEnd(44)} ${Math.round(peakMiB)} of ${memoryMiB} MiB`);
  }
}

/** What enforcement has seen since the stack came up. */
async function printPermissions(consoleUrl: string) {
  // the console is ours, and this is what it serves
  const { environment, permissions } = (await (await fetch(`${consoleUrl}/overview`)).json()) as Overview;
  console.log('\nPermissions of each role: used/declared, never used');
  for (const line of usageLines(permissions.usage, environment)) console.log(`  ${line}`);
  console.log('\nPolicies of resources: used/declared, statements never used');
  for (const line of policyLines(permissions.usage)) console.log(`  ${line}`);
  const unexplained = permissions.usage.flatMap(({ unused }) => unused.filter((one) => !reasonOf(one)));
  console.log(`\n  unused without a reason: ${unexplained.length || 'nothing'}`);
  for (const { holder, action, resource } of unexplained)
    console.log(`    ${holder}: ${action} on ${resource}`);
  console.log(`  refused: ${permissions.denied.length || 'nothing'}`);
  for (const sentence of permissions.denied) console.log(`    ${sentence}`);
}

/** Who has logged under the trace of the request that asked for the job. */
async function printTrace(jobId: number) {
  const lines = await readLog(directory);
  const traceId = traceOf(lines, jobId);
  console.log(`\nTrace ${traceId}: log lines that carry it`);
  for (const [source, count] of sourcesOf(lines, traceId)) console.log(`  ${source.padEnd(44)} ${count}`);
}

async function upload(
  task: Task,
  client: Client,
  batch: Omit<Parameters<Client['openUploads']>[0], 'files'>,
  files: LocalFile[],
) {
  const described: ManifestFile[] = [];
  for (const file of files) {
    task.output = `checksum of ${path.basename(file.path)}`;
    described.push(await describeFile(file));
  }
  const opened = await client.openUploads({ ...batch, files: described });
  const limit = pLimit(4);
  let sent = 0;
  await Promise.all(
    opened.files.map((signed) =>
      limit(async () => {
        const file = files.find(({ clientId }) => clientId === signed.clientId);
        const facts = described.find(({ clientId }) => clientId === signed.clientId);
        if (!file || !facts) throw new Error(`the service answered for an unknown file: ${signed.clientId}`);
        await putFile(file.path, signed);
        sent += 1;
        task.output = `${sent}/${files.length} ${facts.filename} ${megabytes(facts.bytes)}`;
      }),
    ),
  );
  return { listingIdentityId: batch.listingIdentityId, batchId: opened.batchId };
}

const progress = (status: Status) =>
  status.processing.steps
    .map(({ name, status: state, done, total }) => {
      const count = total === undefined ? '' : ` ${done ?? 0}/${total}`;
      const mark = { PENDING: '·', RUNNING: '▸', SUCCEEDED: '✔', FAILED: '✖' }[state] ?? '?';
      return `${mark} ${name}${count}`;
    })
    .join('   ');

async function settle(task: Task, client: Client, batch: Batch) {
  let shown = '';
  return client.until(batch, settled, {
    intervalMs: 100,
    onStatus: (status) => {
      const line = `${status.status}  ${progress(status)}`;
      if (line !== shown) task.output = shown = line;
    },
  });
}

function printGallery({ items, bundle, bundleReport, page }: SavedGallery) {
  console.log('\nGallery');
  for (const { item, type, stills } of items) {
    const sizes = Object.entries(stills).map(([size, still]) => `${size} ${still.width}×${still.height}`);
    const clip = item.durationSeconds === undefined ? '' : ` ${item.durationSeconds} s`;
    console.log(`  ${type.padEnd(16)} ${(item.title ?? item.label).padEnd(20)} ${item.resolution}${clip}`);
    console.log(`  ${''.padEnd(16)} ${sizes.join('  ')}`);
  }
  console.log('\nBundle, as unzip -t reads it');
  console.log(bundleReport.trim().replace(/^/gm, '  '));
  console.log(`\n  gallery  ${page}\n  bundle   ${bundle}`);
}

async function main() {
  const started = performance.now();
  const folderArgument = process.argv[2];
  const result: { gallery?: SavedGallery; broken?: Status; repaired?: Status } = {};
  if (folderArgument && !(await stat(folderArgument).catch(() => undefined))?.isDirectory()) {
    throw new Error(`${folderArgument} is no folder. Usage: npm run demo [-- FOLDER]`);
  }
  const out = path.join(directory, 'demo');
  await mkdir(out, { recursive: true });

  await using stack = await joinOrStart({ directory, onProgress: (line) => console.log(`  ${line}`) });
  const client = createClient({ apiUrl: stack.apiUrl, token: stack.tokens.photographer });
  const listing = await stack.addListing();
  const folder = folderArgument
    ? path.resolve(folderArgument)
    : await sampleListing(path.join(directory, 'samples'));
  const { files, left } = await readFolder(folder);
  if (files.length === 0) throw new Error(`${folder} holds no photo or video (JPEG, PNG, HEIC, MP4, MOV)`);
  for (const name of left) console.log(`  left out ${name}: neither photo nor video`);

  let batch: Batch | undefined;
  let jobId: number | undefined;
  const tasks = new Listr(
    [
      {
        title: `Upload ${files.length} files from ${folder}`,
        task: async (_, task) => {
          const reference = `demo-${randomUUID()}`;
          batch = await upload(
            task,
            client,
            { listingIdentityId: listing, batchReference: reference },
            files,
          );
        },
      },
      {
        title: 'Process, and bundle',
        task: async (_, task) => {
          if (!batch) return;
          ({ jobId } = await client.complete(batch));
          const status = await settle(task, client, batch);
          task.title = `${task.title}: ${status.status}`;
          for (const asset of status.assets.filter(({ status }) => status === 'FAILED')) {
            console.error(`  ${asset.title}: ${asset.errorCode} ${asset.errorMessage}`);
          }
          if (status.status !== 'READY') throw new Error(`${status.error?.code}: ${status.error?.detail}`);
        },
      },
      {
        title: 'Download the gallery and test the bundle',
        task: async () => {
          if (!batch) return;
          await rm(path.join(out, 'gallery'), { recursive: true, force: true });
          result.gallery = await saveGallery(await client.downloads(batch), path.join(out, 'gallery'));
        },
      },
      {
        title: 'One broken photo among three',
        skip: () => Boolean(folderArgument),
        task: async (_, task) => {
          const second = await stack.addListing();
          const broken = path.join(out, 'broken');
          await mkdir(broken, { recursive: true });
          await cp(path.join(folder, '01-front.jpg'), path.join(broken, '1-front.jpg'));
          await writeFile(path.join(broken, '2-torn.jpg'), await brokenPhoto({ width: 2000, height: 1500 }));
          await cp(path.join(folder, '05-kitchen.jpg'), path.join(broken, '3-kitchen.jpg'));
          const set = (await readFolder(broken)).files;
          const bad = await upload(
            task,
            client,
            { listingIdentityId: second, batchReference: `demo-${randomUUID()}` },
            set,
          );
          await client.complete(bad);
          result.broken = await settle(task, client, bad);
          await writeFile(
            path.join(broken, '2-torn.jpg'),
            await photoJpeg({ width: 2000, height: 1500, label: 'Whole again' }),
          );
          const torn = set.filter(({ path: file }) => file.endsWith('2-torn.jpg'));
          await upload(task, client, bad, torn);
          await client.complete(bad);
          result.repaired = await settle(task, client, bad);
        },
      },
    ],
    { fallbackRenderer: 'simple', rendererOptions: { collapseSubtasks: false } },
  );
  await tasks.run();

  if (result.gallery) printGallery(result.gallery);
  if (result.broken) {
    console.log(`\nThe batch with a broken photo: ${result.broken.status} ${result.broken.error?.code}`);
    for (const { title, status, errorCode, errorMessage } of result.broken.assets) {
      console.log(`  ${String(title).padEnd(16)} ${status} ${errorCode ?? ''} ${errorMessage ?? ''}`);
    }
    console.log(`  after that one file was uploaded again: ${result.repaired?.status}`);
  }
  await printSteps(stack.consoleUrl, listing);
  if (jobId) await printTrace(jobId);
  await printPermissions(stack.consoleUrl);
  console.log(`\n  whole demo             ${seconds(performance.now() - started)}`);
}

await main().catch((error: unknown) => {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
