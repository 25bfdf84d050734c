import { readdirSync, readFileSync } from 'node:fs';

interface Seen {
  command: string;
  /** VmHWM of proc(5), MiB: the most the process ever held */
  peakMiB: number;
}

const read = (file: string) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended meanwhile
  }
};

/** This process and everything below it, as Linux's /proc tells. */
function family(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = /\) \S (\d+)/.exec(read(`/proc/${entry}/stat`))?.[1];
    if (parent) parents.set(Number(entry), Number(parent));
  }
  const isBelow = (pid: number): boolean =>
    pid === root || (parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isBelow);
}

/** Watches the peak memory of this process and its descendants until `stop` is called. */
export function watchProcesses(intervalMs = 200) {
  const seen = new Map<number, Seen>();
  const look = () => {
    for (const pid of family(process.pid)) {
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
      const command = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
      if (peak > 0) seen.set(pid, { command: command.slice(0, 100), peakMiB: peak });
    }
  };
  const timer = setInterval(look, intervalMs);
  return {
    stop(): Seen[] {
      look();
      clearInterval(timer);
      return [...seen.values()].sort((a, b) => b.peakMiB - a.peakMiB);
    },
  };
}
