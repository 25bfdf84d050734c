import { spawn } from 'node:child_process';

/**
 * Reads `+pid` and `-pid` lines. Its input ends when the launcher ends, however that came about; what is still on the
 * list then is stopped, process group by process group.
 */
const SCRIPT = `
trap '' INT HUP TERM
list=' '
while read -r line; do
  pid=\${line#?}
  case $line in
    +*) list="$list$pid " ;;
    -*) case $list in *" $pid "*) list="\${list%% $pid *} \${list#* $pid }" ;; esac ;;
  esac
done
for pid in $list; do kill -TERM "-$pid" 2>/dev/null; done
left=$list
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  alive=
  for pid in $left; do kill -0 "-$pid" 2>/dev/null && alive="$alive $pid"; done
  left=$alive
  [ -z "$left" ] && exit 0
  sleep 0.25
done
for pid in $left; do kill -KILL "-$pid" 2>/dev/null; done
`;

/** Sees to it that no child outlives the launcher, not even one that was killed with SIGKILL. */
export function startWatchdog() {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.stdin.on('error', () => {});
  shell.on('error', () => {});
  shell.unref();
  return {
    /** `pid` leads a process group of its own. */
    watch: (pid: number) => void shell.stdin.write(`+${pid}\n`),
    /** It has ended, and its number may come to belong to another. */
    forget: (pid: number) => void shell.stdin.write(`-${pid}\n`),
    close: () =>
      new Promise<void>((resolve) => {
        if (shell.exitCode !== null || shell.pid === undefined) resolve();
        else shell.once('exit', () => resolve());
        shell.ref();
        shell.stdin.end();
      }),
  };
}
export type Watchdog = ReturnType<typeof startWatchdog>;
