export interface Instruction {
  name: string;
  /** `--from=modules` → `{from: 'modules'}` */
  flags: Record<string, string>;
  /** everything behind name and flags, on one line */
  text: string;
  /** the exec form's words */
  words?: string[];
}

export interface Stage {
  image: string;
  name?: string;
  instructions: Instruction[];
}

const FLAG = /^--([\w-]+)=(\S+)\s+/;

function instruction(line: string): Instruction {
  const [, name = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const flags: Record<string, string> = {};
  let text = rest;
  for (let flag = FLAG.exec(text); flag; flag = FLAG.exec(text)) {
    flags[String(flag[1])] = String(flag[2]);
    text = text.slice(flag[0].length);
  }
  const exec = text.slice(text.indexOf('['));
  const isExec = /^(CMD\s+)?\[/.test(text);
  return { name: name.toUpperCase(), flags, text, ...(isExec && { words: JSON.parse(exec) as string[] }) };
}

/** The stages of a Dockerfile, comments gone and continued lines joined (docs.docker.com/reference/dockerfile). */
export function parseDockerfile(source: string): Stage[] {
  const joined = source
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '');
  const stages: Stage[] = [];
  for (const line of joined.split('\n').map((text) => text.trim())) {
    if (!line) continue;
    const parsed = instruction(line);
    if (parsed.name === 'FROM') {
      const [, image = '', name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(parsed.text) ?? [];
      stages.push({ image, ...(name && { name }), instructions: [parsed] });
    } else {
      const stage = stages.at(-1);
      if (!stage) throw new Error(`${parsed.name} before FROM`);
      stage.instructions.push(parsed);
    }
  }
  return stages;
}
