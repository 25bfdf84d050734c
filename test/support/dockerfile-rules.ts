import type { Instruction, Stage } from './dockerfile.ts';

export const instructionsOf = (stage: Stage | undefined, name: string): Instruction[] =>
  stage?.instructions.filter((instruction) => instruction.name === name) ?? [];

/** What is wrong with a Dockerfile of a service that runs with this version of Node, a sentence each. */
export function faults(dockerfile: Stage[], nodeVersion: string): string[] {
  const found: string[] = [];
  const must = (holds: boolean, sentence: string) => holds || found.push(sentence);
  const last = dockerfile.at(-1);
  const all = dockerfile.flatMap(({ instructions }) => instructions);
  const named = (name: string) => all.filter((instruction) => instruction.name === name);
  const one = (name: string): Instruction | undefined => instructionsOf(last, name).at(-1);

  for (const { image: base } of dockerfile) {
    must(
      new RegExp(`^node:${nodeVersion}-\\w+-slim(@sha256:[0-9a-f]{64})?$`).test(base),
      `${base} is not the slim image of Node ${nodeVersion}`,
    );
  }
  must(new Set(dockerfile.map(({ image: base }) => base)).size === 1, 'the stages have different bases');
  must(/^[1-9]\d*:[1-9]\d*$/.test(one('USER')?.text ?? ''), 'the user is not numeric and unprivileged');
  must(
    (last?.instructions.findLastIndex(({ name }) => ['COPY', 'RUN'].includes(name)) as number) <
      (last?.instructions.findIndex(({ name }) => name === 'USER') ?? -1),
    'something is written after USER',
  );
  must(one('CMD')?.words?.[0] === 'node', 'CMD is not node in exec form');
  must(!named('ENTRYPOINT').length, 'an entry point hides the command');
  must(
    Boolean(one('HEALTHCHECK')?.words?.join(' ').includes('/livez')),
    'no health check in exec form on /livez',
  );
  must(/^SIGTERM$/.test(one('STOPSIGNAL')?.text ?? ''), 'the stop signal is not SIGTERM');
  must(
    instructionsOf(last, 'ENV').some(({ text }) => text === 'NODE_ENV=production'),
    'NODE_ENV is not production',
  );
  must(!named('ADD').length, 'ADD fetches and unpacks what nobody has checked; COPY does not');
  must(!named('ARG').length, 'build arguments stay in the history');
  for (const { text } of named('ENV')) {
    must(!/secret|password|token|key|credential/i.test(text), `${text} looks like a secret`);
  }
  for (const { text, flags } of named('COPY')) {
    must(!/^\.\s|(^|\s)\.\/?\s/.test(text), `COPY ${text} takes everything there is`);
    must(!flags.chown, `COPY ${text} gives the files to somebody who could change them`);
  }
  for (const { text } of named('RUN')) {
    must(!/\b(apt|apt-get|apk|curl|wget|sudo)\b/.test(text), `RUN ${text} installs or fetches`);
    must(!/\bnpm (install|i|add|run|update)\b/.test(text), `RUN ${text} is not what the lock file says`);
    const [install = ''] = /\bnpm ci\b[^&]*/.exec(text) ?? [];
    must(
      !install || (install.includes('--omit=dev') && install.includes('--ignore-scripts')),
      'npm ci runs scripts or installs tools',
    );
  }
  must(
    instructionsOf(last, 'RUN').every(({ text }) => /^rm -rf( \/(usr\/local|opt)\/\S+)+$/.test(text)),
    'the last stage runs more than a removal of package managers',
  );
  must(
    ['npm', 'npx', 'corepack', 'yarn'].every((tool) =>
      instructionsOf(last, 'RUN').some(({ text }) => text.split(/\s+/).includes(`/usr/local/bin/${tool}`)),
    ),
    'a package manager stays',
  );
  return found;
}
