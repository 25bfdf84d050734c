import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type Image, NODE } from './image.ts';

export interface Container {
  lines: string[];
  /** the exit code; 128 and more for a signal */
  exit: Promise<number>;
  readonly ended: boolean;
  /** sends a signal to the command itself */
  kill(signal: NodeJS.Signals): void;
}

/**
 * bubblewrap's words for: nothing can be written but an empty /tmp, no capability is left, the command is process 1, and
 * Node is the only program. The network is this machine's, where database and AWS are.
 */
const sandbox = ({ folder, settings }: Image) => [
  ...[
    '--ro-bind',
    path.join(folder, 'app'),
    '/app',
    '--ro-bind',
    path.join(folder, 'usr/local'),
    '/usr/local',
  ],
  // this machine's C and C++ libraries stand for the base image's
  ...['/lib', '/lib64', '/usr/lib', '/usr/lib64'].flatMap((library) => ['--ro-bind-try', library, library]),
  // localhost has to be a name, as it is in every container
  ...['--ro-bind-try', '/etc/hosts', '/etc/hosts'],
  ...['--tmpfs', '/tmp', '--proc', '/proc', '--dev', '/dev', '--remount-ro', '/'],
  ...[
    '--unshare-all',
    '--share-net',
    '--as-pid-1',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
  ],
  ...['--setenv', 'PATH', '/usr/local/bin', '--chdir', settings.workdir, '--info-fd', '3'],
];

/** Starts a command in a container of the image, as the image's user where we are root, otherwise as ours. */
export async function startContainer(
  image: Image,
  command: string[],
  environment: Record<string, string> = {},
): Promise<Container> {
  const { folder, settings } = image;
  // bubblewrap exists on Linux alone; elsewhere the content runs as a plain process
  const isolated = process.platform === 'linux';
  const [program = '', ...words] = isolated
    ? ['bwrap', ...sandbox(image), ...command]
    : [path.join(folder, NODE), ...command.slice(1)];
  const child = spawn(program, words, {
    cwd: path.join(folder, settings.workdir),
    env: { ...settings.environment, ...environment, PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(isolated && process.getuid?.() === 0 && { uid: settings.uid, gid: settings.gid }),
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const exit = once(child, 'close').then(([code]: unknown[]) => Number(code));
  const pid = isolated ? await commandPid(child.stdio[3] as Readable, lines) : Number(child.pid);
  return {
    lines,
    exit,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    kill: (signal) => process.kill(pid, signal),
  };
}

/** bubblewrap says under which id this machine knows the command. The command inherits the pipe and leaves it open. */
async function commandPid(information: Readable, lines: string[]): Promise<number> {
  let said = '';
  for await (const chunk of information) {
    said += chunk;
    if (said.includes('}')) return (JSON.parse(said) as { 'child-pid': number })['child-pid'];
  }
  throw new Error(`bubblewrap cannot make a sandbox here: ${lines.join(' ')}`);
}

/** Runs a command in a container to its end. */
export async function runContainer(
  image: Image,
  command: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; lines: string[] }> {
  const { exit, lines } = await startContainer(image, command, environment);
  return { code: await exit, lines };
}
