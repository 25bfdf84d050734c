import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { contextFilter } from '../../infra/build-context.ts';
import { parseDockerfile, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '../..');
/** Where the base image has it. */
export const NODE = 'usr/local/bin/node';

export const readDockerfile = async () =>
  parseDockerfile(await readFile(path.join(ROOT, 'Dockerfile'), 'utf8'));

/** What the last stage ends up with: the settings of a container. */
export function settingsOf(stage: Stage) {
  const last = (name: string) => stage.instructions.findLast((one) => one.name === name);
  const [uid = '', gid = ''] = last('USER')?.text.split(':') ?? [];
  return {
    command: last('CMD')?.words ?? [],
    healthcheck: last('HEALTHCHECK')?.words ?? [],
    workdir: last('WORKDIR')?.text ?? '/',
    uid: Number(uid),
    gid: Number(gid),
    environment: Object.fromEntries(
      stage.instructions
        .filter(({ name }) => name === 'ENV')
        .flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split(/=(.*)/s).slice(0, 2))),
    ) as Record<string, string>,
  };
}

/**
 * Carries out the Dockerfile without Docker: its WORKDIRs and COPYs on folders, the RUN lines of named stages with this
 * machine's sh and npm. The last stage's own RUN lines would change /usr of this machine, so they are left out.
 */
async function build(stages: Stage[], work: string): Promise<string> {
  const inContext = contextFilter(ROOT);
  const inside = (stage: string, ...names: string[]) => path.join(work, stage, ...names);
  for (const [index, { name = 'image', instructions }] of stages.entries()) {
    let workdir = '/';
    for (const { name: kind, flags, text } of instructions) {
      if (kind === 'WORKDIR') {
        workdir = text;
        await mkdir(inside(name, workdir), { recursive: true });
      } else if (kind === 'RUN' && index < stages.length - 1) {
        await run('sh', ['-ec', text], { cwd: inside(name, workdir) });
      } else if (kind === 'COPY') {
        const sources = text.split(/\s+/);
        const target = String(sources.pop());
        for (const source of sources) {
          const from = flags.from ? inside(flags.from, source) : path.join(ROOT, source);
          const to = inside(
            name,
            path.resolve(workdir, target),
            target.endsWith('/') ? path.basename(source) : '',
          );
          await cp(from, to, {
            recursive: true,
            filter: (file) => Boolean(flags.from) || inContext(path.relative(ROOT, file)),
          });
        }
      }
    }
  }
  return inside('image');
}

export interface Image {
  /** below it, what the image adds to its base, and the base's Node */
  folder: string;
  settings: ReturnType<typeof settingsOf>;
  remove(): Promise<void>;
}

/** Builds the image's content below a temporary folder. */
export async function buildImage(): Promise<Image> {
  const stages = await readDockerfile();
  const last = stages.at(-1);
  if (!last) throw new Error('no stage');
  const work = await mkdtemp(path.join(tmpdir(), 'image-'));
  // the container's user has to get there
  await chmod(work, 0o755);
  const folder = await build(stages, work);
  const node = path.join(folder, NODE);
  await mkdir(path.dirname(node), { recursive: true });
  await copyFile(process.execPath, node);
  return { folder, settings: settingsOf(last), remove: () => rm(work, { recursive: true }) };
}
