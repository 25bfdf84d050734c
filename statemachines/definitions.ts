import { readFileSync } from 'node:fs';
import path from 'node:path';

export const MACHINES = ['media-processing', 'media-finalization'] as const;
export type Machine = (typeof MACHINES)[number];

const read = (machine: Machine) =>
  readFileSync(path.join(import.meta.dirname, `${machine}.asl.json`), 'utf8');

/** Names of the `${placeholders}` of a machine: the Lambda files it calls and the MediaConvert values it passes. */
export const placeholders = (machine: Machine) =>
  [...new Set([...read(machine).matchAll(/\$\{([^}]+)\}/g)].map((match) => String(match[1])))].sort();

/**
 * The machine's definition with every `${placeholder}` filled.
 * Throws when one has no value, or when a value belongs to no placeholder.
 */
export function definition(machine: Machine, values: Record<string, string>): string {
  const names = placeholders(machine);
  const missing = names.filter((name) => !values[name]);
  const unused = Object.keys(values).filter((name) => !names.includes(name));
  if (missing.length || unused.length) {
    throw new Error(
      `${machine}.asl.json: no value for [${missing.join(', ')}], no placeholder for [${unused.join(', ')}]`,
    );
  }
  return read(machine).replace(/\$\{([^}]+)\}/g, (_, name: string) =>
    JSON.stringify(values[name]).slice(1, -1),
  );
}
