import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Mutant, mutated } from './mutants.ts';

/** One check of a mutant: the arguments that Node gets, and how long it may take, in seconds. */
export interface Check {
  name: string;
  arguments: string[];
  seconds: number;
}

export interface Sandbox {
  /** The first check that fails on the mutant, with what it said; undefined when it passes all. */
  killer(mutant: Mutant | undefined, checks: Check[]): Promise<{ check: string; said: string } | undefined>;
  /** What a script prints in the copy with the mutant; undefined when it fails. */
  output(mutant: Mutant | undefined, script: string): Promise<string | undefined>;
  remove(): void;
}

/** A copy of the tree, as it stands in the working directory, in which files can be changed while others work. */
export function sandbox(root: string, additions: Record<string, string> = {}): Sandbox {
  const copy = mkdtempSync(path.join(tmpdir(), 'toq-media-mutant-'));
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name && name !== 'node_modules')) {
    cpSync(path.join(root, file), path.join(copy, file), { recursive: true });
  }
  cpSync(path.join(root, 'dist'), path.join(copy, 'dist'), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));

  for (const [file, text] of Object.entries(additions)) writeFileSync(path.join(copy, file), text);

  const node = (args: string[], seconds: number) =>
    new Promise<{ error?: Error; said: string; printed: string }>((resolve) => {
      const options = {
        cwd: copy,
        timeout: seconds * 1000,
        maxBuffer: 2 ** 28,
        // Pulumi takes a stack trace of every promise, which costs more than the program itself
        env: {
          ...process.env,
          NODE_OPTIONS: '--stack-trace-limit=0',
          LOCAL_DIRECTORY: path.join(copy, '.local'),
        },
      };
      execFile(process.execPath, args, options, (error, stdout, stderr) => {
        const said = error?.killed ? `no end within ${seconds} s` : `${stdout}\n${stderr}`;
        resolve({ ...(error && { error }), said, printed: stdout });
      });
    });

  async function having<T>(mutant: Mutant | undefined, work: () => Promise<T>): Promise<T> {
    const file = mutant && path.join(copy, mutant.file);
    const original = file && readFileSync(file, 'utf8');
    if (file && original) writeFileSync(file, mutated(original, mutant));
    try {
      return await work();
    } finally {
      if (file && original) writeFileSync(file, original);
    }
  }

  return {
    killer: (mutant, checks) =>
      having(mutant, async () => {
        for (const check of checks) {
          const { error, said } = await node(check.arguments, check.seconds);
          if (error) return { check: check.name, said };
        }
        return undefined;
      }),
    output: (mutant, script) =>
      having(mutant, async () => {
        const { error, printed } = await node([script], 60);
        return error ? undefined : printed;
      }),
    remove: () => rmSync(copy, { recursive: true, force: true }),
  };
}
