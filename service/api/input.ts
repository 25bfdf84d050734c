import type { z } from 'zod';
import { type FieldError, invalid } from '../errors.ts';

/** A flood of mistakes is answered with the first of them. */
const MAX_ERRORS = 100;

type Path = readonly PropertyKey[];

/** RFC 6901 §3: `~` and `/` inside a name are escaped. */
const pointerTo = (path: Path) =>
  path.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** `files[3].bytes`, for a sentence. */
const nameOf = (path: Path) =>
  path
    .map((name) => (typeof name === 'number' ? `[${name}]` : `.${String(name)}`))
    .join('')
    .replace(/^\./, '') || 'The body';

/** Names that a stranger invented are cut and made printable. */
const printable = (name: string) => JSON.stringify(name.slice(0, 60)).replace(/[^\x20-\x7e]/g, '?');

const plural = (count: number | bigint, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

const TYPES: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const FORMATS: Record<string, string> = {
  uuid: 'must be a UUID',
  datetime: 'must be an RFC 3339 time',
};

/** What a value has to be, in words: without its name, without its value. */
function rule(issue: z.core.$ZodIssue): string {
  // `reportInput` puts the value into the issue
  if ('input' in issue && issue.input === undefined) return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case 'too_small':
    case 'too_big': {
      const [bound, limit] =
        issue.code === 'too_small' ? ['at least', issue.minimum] : ['at most', issue.maximum];
      if (issue.origin === 'string') return `must have ${bound} ${plural(limit, 'character')}`;
      if (issue.origin === 'array')
        return `must have ${bound} ${plural(limit, 'entry').replace('ys', 'ies')}`;
      return `must be ${bound} ${limit}`;
    }
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}`;
    case 'invalid_format':
      return FORMATS[issue.format] ?? issue.message;
    case 'invalid_key':
      return `has a key that ${issue.issues.map(rule).join(' and ')}`;
    default:
      return issue.message;
  }
}

/** The input as the schema has it. Throws a 400 that says every mistake in plain words, with a pointer to its field. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  throw invalid(fieldErrors(result.error));
}

function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues
    .flatMap((issue): FieldError[] => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => ({
          pointer: pointerTo([...issue.path, key]),
          message: `${printable(key)} is not a field of ${nameOf(issue.path).replace('The', 'the')}.`,
        }));
      }
      // what is wrong with a key is told of the object that has it
      const path = issue.code === 'invalid_key' ? issue.path.slice(0, -1) : issue.path;
      return [{ pointer: pointerTo(path), message: `${nameOf(path)} ${rule(issue)}.` }];
    })
    .slice(0, MAX_ERRORS);
}
