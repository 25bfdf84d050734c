import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { RUNBOOKS } from '../../infra/alarms.ts';
import { namesOf } from '../../infra/names.ts';
import { environments, type Task } from '../../lambdas/config.ts';
import { METRICS } from '../../statemachines/metrics.ts';
import { graphOf, ofType } from '../support/graphs.ts';

const root = path.join(import.meta.dirname, '../..');
const page = await readFile(path.join(root, 'docs/operations.md'), 'utf8');

/** As GitHub makes them. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
const headings = (text: string) =>
  [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#{1,3} (.+)$/gm)].map(([, heading = '']) => heading);
/** The text below a heading of the second level, by that heading. */
const parts = new Map(
  page.split(/^## /m).map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]),
);

test('every runbook has its section, in order, and no section is orphaned', (t) => {
  t.deepEqual(headings(parts.get('Alarms') ?? ''), Object.keys(RUNBOOKS));
});

test('every runbook says what it means, how to see it and how to mend it', (t) => {
  const sections = (parts.get('Alarms') ?? '').split(/^### /m).slice(1);
  for (const section of sections) {
    const words = [...section.matchAll(/^\*(Means|See|Mend):\*/gm)].map(([, word]) => word);
    t.deepEqual(words, ['Means', 'See', 'Mend'], section.slice(0, 40));
  }
});

test('every alarm of staging names a section that is there, and every section is named by an alarm', async (t) => {
  const alarms = ofType(await graphOf('staging'), 'cloudwatch/metricAlarm:MetricAlarm');
  const named = alarms.map(({ name, inputs }) => {
    const [, anchor] = /docs\/operations\.md#([\w-]+)/.exec(String(inputs.alarmDescription)) ?? [];
    t.truthy(anchor, `${name}: ${inputs.alarmDescription}`);
    return anchor ?? '';
  });
  // staging's database is not this stack's: its alarms are declared where it is
  const elsewhere = ['database-storage', 'database-busy'];
  t.deepEqual([...new Set([...named, ...elsewhere])].sort(), Object.keys(RUNBOOKS).sort());
});

test('every link of the page leads somewhere', (t) => {
  const anchors = headings(page).map(anchorOf);
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor);
  t.true(links.length > 10);
  t.deepEqual(
    links.filter((anchor) => !anchors.includes(anchor)),
    [],
  );
});

test('commands, events, metrics and names on the page are those of the system', async (t) => {
  const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [, script = ''] of page.matchAll(/npm run (?:-s )?([\w-]+)/g)) t.true(script in scripts, script);

  t.deepEqual(
    [...new Set(page.match(/media_(?!processing_jobs)\w+_(total|seconds|jobs)\b/g))].sort(),
    Object.keys(METRICS).sort(),
  );

  const folders = ['service', 'lambdas'];
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(path.join(root, folder), { recursive: true }))
        .filter((file) => file.endsWith('.ts'))
        .map((file) => path.join(root, folder, file)),
    ),
  );
  const source = (await Promise.all(files.flat().map((file) => readFile(file, 'utf8')))).join('\n');
  const events = page.match(/\b(service\.media|adapter\.stepfunctions|lambda\.start)\.[a-z_.]+[a-z]/g) ?? [];
  t.true(events.length > 8);
  for (const event of events) t.true(source.includes(`'${event}'`), event);

  const names = namesOf('{env}');
  const groups = [
    names.serviceLogs,
    names.apiLogs,
    names.machineLogs('media-processing'),
    ...(Object.keys(environments) as Task[]).map(names.functionLogs),
  ];
  const written =
    page.replaceAll('$ENV', '{env}').match(/\/aws\/(ecs|lambda|apigateway|vendedlogs)[\w\-/]*-\{env\}/g) ??
    [];
  t.true(written.length > 8);
  for (const group of written) t.true(groups.includes(group), group);
  for (const name of [
    names.queue,
    names.deadLetterQueue,
    names.cluster,
    names.service,
    names.callbackSecret,
  ]) {
    t.true(page.replaceAll('$ENV', '{env}').includes(name), name);
  }
});
