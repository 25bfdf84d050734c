/**
 * The part of the Amazon States Language's JSONPath expressions that our machines use: reference paths, payload
 * templates and three intrinsic functions. What does not compile is refused when a machine is loaded.
 */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** The context object `$$`, without the fields that no path of ours may name (`State`, `Task`). */
export interface Context {
  Execution: { Id: string; Input: Json; Name: string; RoleArn: string; StartTime: string };
  StateMachine: { Id: string; Name: string };
  Map?: { Item: { Index: number; Value: Json } };
}

/** A compiled path, template or intrinsic: reads the state's input and the context object. */
export type Expression = (input: Json, context: Context) => Json;

/** A failure in terms of the States Language: `name` is what `ErrorEquals` compares. */
export class StatesError extends Error {
  override readonly name: string;

  constructor(error: string, cause: string) {
    super(cause);
    this.name = error;
  }
}

const STEP = /\.([\p{L}_][\p{L}\p{N}_-]*)|\[(\d+)\]|\['([^'\\]+)'\]/uy;
const CONTEXT_FIELDS =
  /^\$\$\.(Execution\.(Id|Input|Name|RoleArn|StartTime)|StateMachine\.(Id|Name)|Map\.Item\.(Index|Value))\b/;

function steps(path: string, root: string): (string | number)[] {
  const found: (string | number)[] = [];
  STEP.lastIndex = root.length;
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path);
    if (!match) throw new Error(`the path ${path} is more than names and indexes, which is not supported`);
    found.push(match[2] === undefined ? String(match[1] ?? match[3]) : Number(match[2]));
  }
  return found;
}

const child = (value: Json | undefined, step: string | number): Json | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return typeof step === 'number' ? value[step] : undefined;
  return Object.hasOwn(value, step) ? value[step] : undefined;
};

/** The value at a path, or undefined. */
export type Lookup = (input: Json, context: Context) => Json | undefined;

/** A reference path (`$.a.b[0]`, `$$.Execution.Id`). Throws on anything richer. */
export function compileLookup(path: string): Lookup {
  if (path.startsWith('$$')) {
    if (!CONTEXT_FIELDS.test(path)) throw new Error(`the context field ${path} is not supported`);
    const names = steps(path, '$$');
    // the context object is JSON whose fields have names
    return (_, context) => names.reduce(child, context as unknown as Json | undefined);
  }
  if (!path.startsWith('$')) throw new Error(`${path} is not a path: it does not begin with $`);
  const names = steps(path, '$');
  return (input) => names.reduce(child, input as Json | undefined);
}

/** As `compileLookup`; the execution fails with `States.Runtime` when there is nothing at the path. */
export function compilePath(path: string): Expression {
  const lookup = compileLookup(path);
  return (input, context) => {
    const value = lookup(input, context);
    if (value !== undefined) return value;
    throw new StatesError('States.Runtime', `The JSONPath '${path}' could not be found in the input.`);
  };
}

/** `ResultPath`: puts a result into a copy of the state's input. */
export function compileResultPath(path: string | null): (input: Json, result: Json) => Json {
  if (path === null) return (input) => input;
  if (!path.startsWith('$') || path.startsWith('$$')) throw new Error(`${path} cannot be written to`);
  const names = steps(path, '$').map((step) => {
    if (typeof step === 'number') throw new Error(`${path} writes into an array, which is not supported`);
    return step;
  });
  const put = (input: Json | undefined, result: Json, depth: number): Json => {
    const name = names[depth];
    if (name === undefined) return result;
    if (input !== undefined && (typeof input !== 'object' || input === null || Array.isArray(input))) {
      throw new StatesError('States.ResultPathMatchFailure', `Unable to apply ResultPath ${path}.`);
    }
    return { ...input, [name]: put(input?.[name], result, depth + 1) };
  };
  return (input, result) => put(input, result, 0);
}

type Intrinsic = (...values: Json[]) => Json;

const INTRINSICS: Record<string, Intrinsic> = {
  'States.Format': (template, ...values) => {
    let index = 0;
    return String(template).replaceAll('{}', () => {
      const value = values[index++];
      if (value === undefined || (typeof value === 'object' && value !== null)) {
        throw new StatesError('States.IntrinsicFailure', `States.Format has no text for {} number ${index}.`);
      }
      return String(value);
    });
  },
  'States.JsonToString': (value) => JSON.stringify(value),
  'States.Array': (...values) => values,
};

/** Arguments at the top level of a call: apostrophes and parentheses may hold commas. */
function splitArguments(text: string): string[] {
  const parts = text.match(/(?:'(?:[^'\\]|\\.)*'|\((?:[^()']|'(?:[^'\\]|\\.)*')*\)|[^,'()])+/g) ?? [];
  return parts.map((part) => part.trim());
}

function compileArgument(text: string): Expression {
  if (text.startsWith('$')) return compilePath(text);
  if (text.startsWith('States.')) return compileIntrinsic(text);
  const quoted = /^'((?:[^'\\]|\\.)*)'$/s.exec(text);
  const literal: Json = quoted?.[1] === undefined ? JSON.parse(text) : quoted[1].replace(/\\(.)/gs, '$1');
  return () => literal;
}

/** `States.Format('{}', $.a)`, `States.JsonToString($)`. Throws on any other function. */
function compileIntrinsic(text: string): Expression {
  const match = /^(States\.\w+)\((.*)\)$/s.exec(text.trim());
  const [, name = text, list = ''] = match ?? [];
  const intrinsic = INTRINSICS[name];
  if (!match || !intrinsic) throw new Error(`the function ${name} is not supported`);
  const values = splitArguments(list).map(compileArgument);
  return (input, context) => intrinsic(...values.map((value) => value(input, context)));
}

/** A path or an intrinsic function. */
export const compileExpression = (text: string): Expression =>
  text.startsWith('$') ? compilePath(text) : compileIntrinsic(text);

/** A payload template: fields that end in `.$` are expressions, everything else is literal. */
export function compileTemplate(template: Json): Expression {
  if (Array.isArray(template)) {
    const items = template.map(compileTemplate);
    return (input, context) => items.map((item) => item(input, context));
  }
  if (typeof template !== 'object' || template === null) return () => template;
  const fields = Object.entries(template).map(([key, value]): [string, Expression] => {
    if (!key.endsWith('.$')) return [key, compileTemplate(value)];
    if (typeof value !== 'string') throw new Error(`${key} is not an expression`);
    return [key.slice(0, -2), compileExpression(value)];
  });
  return (input, context) =>
    Object.fromEntries(fields.map(([key, expression]) => [key, expression(input, context)]));
}
