import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** A JSON line of the stack's log, with who wrote it. */
export interface SourcedLine {
  /** `service`, or a function's name */
  source: string;
  line: Record<string, unknown>;
}

/** What the service and the functions of the stack on this directory have logged, in order. */
export async function readLog(directory: string): Promise<SourcedLine[]> {
  const text = await readFile(path.join(directory, 'logs/stack.log'), 'utf8');
  return text.split('\n').flatMap((entry) => {
    const [, source, json] = /^\S+ (\S+) (\{.*\})$/.exec(entry) ?? [];
    return source && json ? [{ source, line: JSON.parse(json) as SourcedLine['line'] }] : [];
  });
}

/** The trace of a job, as the first line about it tells. */
export const traceOf = (lines: SourcedLine[], jobId: number) =>
  lines.map(({ line }) => line).find((line) => line.job_id === jobId && line.trace_id)?.trace_id;

/** How many lines of each source carry the trace id, in the order in which the sources first did. */
export function sourcesOf(lines: SourcedLine[], traceId: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { source, line } of lines) {
    if (line.trace_id === traceId) counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  return counts;
}
