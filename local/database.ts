import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import type { DatabaseAddress } from '../service/models/database.ts';

const run = promisify(execFile);

/** A small redo log: 26 MB on disk instead of 114. */
const LOG_SIZE = '--innodb-log-file-size=8M';
/** mariadbd refuses to run as root unless told so. */
const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];

export interface DatabaseOptions {
  /** everything is kept below this folder; a second start finds its data again */
  directory: string;
  database: string;
  /** the one account that may come in by TCP; its password may differ from start to start */
  user: string;
  password: string;
  /** false: faster, and a power cut may lose data (tests) */
  durable?: boolean;
  /** an initialised data folder to copy instead of making one (2.5 s) */
  template?: string;
  /** further words for mariadbd (tests) */
  arguments?: string[];
}

export interface RunningDatabase extends DatabaseAddress {
  pid: number;
  /** Ends the server and waits for it. */
  stop(): Promise<void>;
}

/** Starts a private MariaDB on a free port of 127.0.0.1. Throws with the server's own words when it does not come up. */
export async function startDatabase(options: DatabaseOptions): Promise<RunningDatabase> {
  const directory = path.resolve(options.directory);
  const data = path.join(directory, 'data');
  const socket = path.join(directory, 'socket');
  await mkdir(path.join(directory, 'tmp'), { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  await endLeftover(path.join(directory, 'pid'), data);
  if (!(await exists(data))) await makeDataFolder(data, options.template);

  const port = await freePort();
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      ...asRoot,
      LOG_SIZE,
      `--datadir=${data}`,
      // a server that starts removes the temporary tables it finds, also those of another one
      `--tmpdir=${path.join(directory, 'tmp')}`,
      `--socket=${socket}`,
      `--pid-file=${path.join(directory, 'pid')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      '--innodb-buffer-pool-size=64M',
      ...(options.durable === false
        ? ['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0', '--innodb-fast-shutdown=2']
        : []),
      ...(options.arguments ?? []),
    ],
    // out of the terminal's process group: on Ctrl-C the launcher ends it after its clients, not the terminal before
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  const words: string[] = [];
  server.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => words.push(...words.splice(0).slice(-40), text));
  server.on('error', (error) => words.push(error.message));

  // whoever leaves without stopping it, for example by an uncaught error, does not leave it behind
  const leave = () => server.kill('SIGKILL');
  process.once('exit', leave);
  server.once('exit', () => process.off('exit', leave));
  const stop = () => end(server);
  try {
    await ready(server, socket);
    await admit(socket, options);
  } catch (error) {
    await stop();
    throw new Error(`mariadbd did not come up: ${String(error)}\n${words.join('')}`);
  }
  const { user, password, database } = options;
  // it listens on the loopback interface only
  const tls = 'disabled';
  return { host: '127.0.0.1', port, user, password, database, tls, pid: Number(server.pid), stop };
}

/**
 * Makes the database and the service's account. Root may come in only through the socket, which lies in a folder that
 * only its owner can enter; whoever comes by TCP needs the account.
 */
async function admit(socket: string, { database, user, password }: DatabaseOptions) {
  const root = await mysql.createConnection({ socketPath: socket, user: 'root' });
  const account = `${root.escape(user)}@'127.0.0.1'`;
  await root.query("DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'");
  await root.query('FLUSH PRIVILEGES');
  await root.query(
    `CREATE DATABASE IF NOT EXISTS ${root.escapeId(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`,
  );
  await root.query(`CREATE OR REPLACE USER ${account} IDENTIFIED BY ${root.escape(password)}`);
  await root.query(`GRANT ALL PRIVILEGES ON ${root.escapeId(database)}.* TO ${account}`);
  await root.end();
}

/** Initialises a data folder where there is none. It appears under its name only when it is complete. */
export async function makeDataFolder(data: string, template?: string) {
  const unfinished = `${data}.${process.pid}`;
  const temporary = `${unfinished}.tmp`;
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    if (template) await cp(template, unfinished, { recursive: true });
    else {
      await run('mariadb-install-db', [
        '--no-defaults',
        ...asRoot,
        LOG_SIZE,
        `--datadir=${unfinished}`,
        `--tmpdir=${temporary}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
      ]);
    }
    await rename(unfinished, data);
  } finally {
    for (const folder of [temporary, unfinished]) await rm(folder, { recursive: true, force: true });
  }
}

async function ready(server: ChildProcess, socket: string) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (server.exitCode !== null || server.pid === undefined) throw new Error(`exit code ${server.exitCode}`);
    try {
      const connection = await mysql.createConnection({ socketPath: socket, user: 'root' });
      return await connection.end();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(30);
    }
  }
}

async function end(server: ChildProcess) {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGTERM');
  await exit;
}

/** A launcher that was killed leaves its server behind, and two servers cannot share a data folder. */
async function endLeftover(pidFile: string, data: string) {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!pid || !(await isServerOf(pid, data))) return;
  process.kill(pid, 'SIGTERM');
  while (await isServerOf(pid, data)) await sleep(50);
}

/** Whether that process is a server on our data folder: ids of processes are used again. */
async function isServerOf(pid: number, data: string) {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() =>
    // macOS has no /proc, a slim Linux has no ps
    run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).then(
      ({ stdout }) => stdout.replaceAll(' --', '\0--'),
      () => '',
    ),
  );
  return command.split('\0').includes(`--datadir=${data}`);
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (!address || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
