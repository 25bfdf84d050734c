import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Mutant, withoutPart } from './mutants.ts';

/** One check of a mutant: the arguments that Node gets, and how long it may take, in seconds. */
export interface Check {
  name: string;
  arguments: string[];
  seconds: number;
}

export interface Sandbox {
  /** The first check that fails on the mutant, with what it said; undefined when it passes all. */
  killer(mutant: Mutant | undefined, checks: Check[]): Promise<{ check: string; said: string } | undefined>;
  remove(): void;
}

/** A copy of the tree, as it stands in the working directory, in which files can be changed while others work. */
export function sandbox(root: string): Sandbox {
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

  const run = ({ arguments: args, seconds }: Check) =>
    new Promise<string | undefined>((resolve) => {
      const options = {
        cwd: copy,
        timeout: seconds * 1000,
        maxBuffer: 2 ** 28,
        env: { ...process.env, LOCAL_DIRECTORY: path.join(copy, '.local') },
      };
      execFile(process.execPath, args, options, (error, stdout, stderr) => {
        if (!error) resolve(undefined);
        else resolve(error.killed ? `no end within ${seconds} s` : `${stdout}\n${stderr}`);
      });
    });

  return {
    async killer(mutant, checks) {
      const file = mutant && path.join(copy, mutant.file);
      const original = file && readFileSync(file, 'utf8');
      if (file && original) writeFileSync(file, withoutPart(original, mutant));
      try {
        for (const check of checks) {
          const said = await run(check);
          if (said !== undefined) return { check: check.name, said };
        }
        return undefined;
      } finally {
        if (file && original) writeFileSync(file, original);
      }
    },
    remove: () => rmSync(copy, { recursive: true, force: true }),
  };
}
