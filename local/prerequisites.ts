import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Program → the package that brings it, by package manager. */
const PROGRAMS: Record<string, Record<Manager, string>> = {
  mariadbd: { 'apt-get': 'mariadb-server-core', dnf: 'mariadb-server', brew: 'mariadb' },
  'mariadb-install-db': { 'apt-get': 'mariadb-server-core', dnf: 'mariadb-server', brew: 'mariadb' },
  // charsets and messages that mariadb-install-db looks for come with the client's package
  mariadb: { 'apt-get': 'mariadb-client-core', dnf: 'mariadb', brew: 'mariadb' },
  ffmpeg: { 'apt-get': 'ffmpeg', dnf: 'ffmpeg-free', brew: 'ffmpeg' },
  ffprobe: { 'apt-get': 'ffmpeg', dnf: 'ffmpeg-free', brew: 'ffmpeg' },
  unzip: { 'apt-get': 'unzip', dnf: 'unzip', brew: 'unzip' },
};
/** What only the tests use: certificates, and the sandbox in which the image's content runs, which exists on Linux alone. */
const TEST_PROGRAMS: typeof PROGRAMS = {
  openssl: { 'apt-get': 'openssl', dnf: 'openssl', brew: 'openssl' },
  ...(process.platform === 'linux' && {
    bwrap: { 'apt-get': 'bubblewrap', dnf: 'bubblewrap', brew: 'bubblewrap' },
  }),
};
type Manager = 'apt-get' | 'dnf' | 'brew';

/** Where distributions keep servers and package managers, whatever the login's PATH says. */
const USUAL_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/sbin',
  '/opt/homebrew/bin',
  '/usr/local/bin',
  '/usr/libexec',
];

/** Lets this process and its children find what is installed outside the PATH of an ordinary login. */
function widenPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  process.env.PATH = [...folders, ...USUAL_FOLDERS.filter((folder) => !folders.includes(folder))].join(
    path.delimiter,
  );
}

function installed(program: string): boolean {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A prerequisite that is missing and that this process may not install; the message says what to type. */
export class MissingPrerequisiteError extends Error {
  override readonly name = 'MissingPrerequisiteError';
}

const packages = (programs: string[], manager: Manager) => [
  ...new Set(programs.map((program) => ({ ...PROGRAMS, ...TEST_PROGRAMS })[program]?.[manager] ?? program)),
];

function remedy(programs: string[]): string {
  const manager = (['apt-get', 'dnf', 'brew'] as const).find(installed);
  const intro = `${programs.join(', ')} not found.`;
  if (!manager) {
    const names = packages(programs, 'apt-get').join(' ');
    return `${intro} Install with your package manager what Debian calls: ${names}`;
  }
  const list = packages(programs, manager).join(' ');
  const command = {
    'apt-get': `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${list}`,
    dnf: `sudo dnf install -y ${list}`,
    brew: `brew install ${list}`,
  }[manager];
  return `${intro} Please run:\n\n  ${command}\n`;
}

/** `[]` as root, `['sudo', '-n']` where sudo asks for no password, otherwise undefined. */
function privilege(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  if (!installed('sudo')) return undefined;
  try {
    execFileSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
    return ['sudo', '-n'];
  } catch {
    return undefined;
  }
}

/** Runs apt-get with few words; its own words are shown when it fails. */
async function apt(sudo: string[], args: string[], say: (line: string) => void): Promise<boolean> {
  const command = [
    ...sudo,
    // sudo drops the variables of the process, env sets them behind it
    ...['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300'],
    ...args,
  ];
  const child = spawn(command[0] ?? 'env', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const words: string[] = [];
  const listen = (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n')) {
      if (!line.trim()) continue;
      words.push(line);
      if (/^(Need to get|Setting up|.*Could not get lock)/.test(line)) say(`  ${line.trim()}`);
    }
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  if (code !== 0) for (const line of words.slice(-15)) say(`  ${line}`);
  return code === 0;
}

/**
 * Sees to it that MariaDB, ffmpeg and unzip are there, and for the tests openssl and bubblewrap too. On Debian and its kin, as root
 * or with passwordless sudo, it installs what is missing, saying so first; elsewhere it throws with the command to type.
 * Starts no service.
 */
export async function ensurePrerequisites(
  say: (line: string) => void = console.log,
  { tests = false } = {},
): Promise<void> {
  const programs = Object.keys({ ...PROGRAMS, ...(tests && TEST_PROGRAMS) });
  const missing = () => programs.filter((program) => !installed(program));
  widenPath();
  const wanted = missing();
  if (wanted.length === 0) return;
  const sudo = installed('apt-get') ? privilege() : undefined;
  if (!sudo) throw new MissingPrerequisiteError(remedy(wanted));

  const list = packages(wanted, 'apt-get');
  say(
    `Installing the packages ${list.join(', ')} with apt-get (missing: ${wanted.join(', ')}). No service is started.`,
  );
  const install = ['install', '-y', '--no-install-recommends', ...list];
  // the lists may be absent or name packages that the mirror has replaced since
  const done = (await apt(sudo, ['update'], () => {})) && (await apt(sudo, install, say));
  widenPath();
  const left = missing();
  if (!done || left.length)
    throw new MissingPrerequisiteError(`apt-get did not succeed. ${remedy(left.length ? left : wanted)}`);
}

if (import.meta.main) {
  try {
    await ensurePrerequisites(console.log, { tests: process.argv.includes('--tests') });
  } catch (error) {
    if (!(error instanceof MissingPrerequisiteError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
