import { z } from 'zod';
import { connected, unambiguous } from './connections.ts';
import {
  type Context,
  compileExpression,
  compileLookup,
  compilePath,
  compileResultPath,
  compileTemplate,
  type Expression,
  type Json,
} from './expressions.ts';

/** What a compiler throws becomes an issue at the field that it compiled. */
const compiled =
  <In, Out>(compile: (value: In) => Out) =>
  (value: In, context: z.RefinementCtx): Out => {
    try {
      return compile(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  };

const NOTHING: Expression = () => ({});
const Path = z.string().transform(compiled(compilePath));
const Narrow = z
  .string()
  .nullable()
  .default('$')
  .transform(compiled((path: string | null) => (path === null ? NOTHING : compilePath(path))));
const Template = z
  .json()
  .transform(compiled((template) => compileTemplate(template)))
  .optional();
const ResultPath = z.string().nullable().default('$').transform(compiled(compileResultPath));

export const Retrier = z.strictObject({
  ErrorEquals: z.array(z.string()).min(1),
  IntervalSeconds: z.int().positive().default(1),
  MaxAttempts: z.int().nonnegative().default(3),
  BackoffRate: z.number().min(1).default(2),
  MaxDelaySeconds: z.int().positive().default(Number.POSITIVE_INFINITY),
  JitterStrategy: z.enum(['FULL', 'NONE']).default('NONE'),
});
export type Retrier = z.output<typeof Retrier>;

const Catcher = z.strictObject({
  ErrorEquals: z.array(z.string()).min(1),
  ResultPath,
  Next: z.string(),
  Comment: z.string().optional(),
});

/** `States.ALL` stands alone and last, or the service refuses the machine. */
const handlers = <T extends z.ZodType<{ ErrorEquals: string[] }>>(handler: T) =>
  z
    .array(handler)
    .default([])
    .superRefine((list, context) =>
      list.forEach(({ ErrorEquals }, index) => {
        if (ErrorEquals.includes('States.ALL') && (ErrorEquals.length > 1 || index < list.length - 1)) {
          context.addIssue({
            code: 'custom',
            path: [index],
            message: 'States.ALL must stand alone and last',
          });
        }
      }),
    );

const both = { Comment: z.string().optional(), InputPath: Narrow, OutputPath: Narrow };
const flow = { Next: z.string().optional(), End: z.literal(true).optional() };
const result = { ResultSelector: Template, ResultPath };
const failing = { Retry: handlers(Retrier), Catch: handlers(Catcher) };

const Pass = z.strictObject({
  Type: z.literal('Pass'),
  ...both,
  ...flow,
  Parameters: Template,
  Result: z.json().optional(),
  ResultPath,
});

/** The integrations that exist here, and the parameters of each that are passed on. */
export const RESOURCES = {
  'arn:aws:states:::lambda:invoke': ['FunctionName', 'Payload'],
  'arn:aws:states:::mediaconvert:createJob.sync': [
    'Role',
    'Queue',
    'JobTemplate',
    'Settings',
    'UserMetadata',
    'Tags',
  ],
} as const;
export type Resource = keyof typeof RESOURCES;

const Task = z
  .strictObject({
    Type: z.literal('Task'),
    ...both,
    ...flow,
    ...result,
    ...failing,
    Resource: z.enum(Object.keys(RESOURCES) as [Resource, ...Resource[]]),
    Parameters: z.record(z.string(), z.json()),
    /** the service's own default */
    TimeoutSeconds: z.int().positive().default(99_999_999),
  })
  .superRefine((task, context) => {
    const known: readonly string[] = RESOURCES[task.Resource];
    for (const key of Object.keys(task.Parameters)) {
      if (known.includes(key.replace(/\.\$$/, ''))) continue;
      context.addIssue({ code: 'custom', path: ['Parameters', key], message: 'it is not supported' });
    }
  })
  .transform((task, context) => ({
    ...task,
    Parameters: compiled(compileTemplate)(task.Parameters, context),
  }));

/** The comparisons of a Choice's rules, each with a constant. */
const COMPARISONS = {
  StringEquals: [z.string(), (value: Json | undefined, constant: Json) => value === constant],
  NumericEquals: [z.number(), (value: Json | undefined, constant: Json) => value === constant],
  BooleanEquals: [z.boolean(), (value: Json | undefined, constant: Json) => value === constant],
  IsPresent: [z.boolean(), (value: Json | undefined, constant: Json) => (value !== undefined) === constant],
} as const;
type Comparison = keyof typeof COMPARISONS;

const Rule = z
  .strictObject({
    Variable: z.string(),
    StringEquals: COMPARISONS.StringEquals[0].optional(),
    NumericEquals: COMPARISONS.NumericEquals[0].optional(),
    BooleanEquals: COMPARISONS.BooleanEquals[0].optional(),
    IsPresent: COMPARISONS.IsPresent[0].optional(),
    Next: z.string(),
    Comment: z.string().optional(),
  })
  .transform((rule, context) => {
    const names = (Object.keys(COMPARISONS) as Comparison[]).filter((name) => rule[name] !== undefined);
    const [name] = names;
    if (!name || names.length > 1) {
      context.addIssue({ code: 'custom', message: 'a rule has exactly one comparison' });
      return z.NEVER;
    }
    const constant = rule[name] ?? null;
    // only IsPresent may ask for what is not there; any other comparison then fails the execution
    const variable = compiled(name === 'IsPresent' ? compileLookup : compilePath)(rule.Variable, context);
    return {
      Next: rule.Next,
      matches: (input: Json, scope: Context) => COMPARISONS[name][1](variable(input, scope), constant),
    };
  });

const Choice = z.strictObject({
  Type: z.literal('Choice'),
  ...both,
  Choices: z.array(Rule).min(1),
  Default: z.string().optional(),
});

const Succeed = z.strictObject({ Type: z.literal('Succeed'), ...both });

const Expressed = z.string().transform(compiled(compileExpression)).optional();
const Fail = z.strictObject({
  Type: z.literal('Fail'),
  Comment: z.string().optional(),
  Error: z.string().optional(),
  ErrorPath: Expressed,
  Cause: z.string().optional(),
  CausePath: Expressed,
});

const Parallel = z.strictObject({
  Type: z.literal('Parallel'),
  ...both,
  ...flow,
  ...result,
  ...failing,
  Parameters: Template,
  get Branches(): z.ZodArray<z.ZodType<Graph>> {
    return z.array(Graph).min(1);
  },
});

const MapOver = z.strictObject({
  Type: z.literal('Map'),
  ...both,
  ...flow,
  ...result,
  ...failing,
  ItemsPath: Path.prefault('$'),
  ItemSelector: Template,
  /** 0: as many as the service likes, which is 40 */
  MaxConcurrency: z.int().nonnegative().default(0),
  get ItemProcessor(): z.ZodType<Graph> {
    return ItemProcessor;
  },
});

const State = z.discriminatedUnion('Type', [Pass, Task, Choice, Succeed, Fail, Parallel, MapOver]);
export type State = z.output<typeof State>;
export type StateOf<T extends State['Type']> = Extract<State, { Type: T }>;

/** States and where they begin: a machine, a branch or an item's processor. */
export interface Graph {
  StartAt: string;
  States: Record<string, State>;
}

const graph = { Comment: z.string().optional(), StartAt: z.string(), States: z.record(z.string(), State) };
const Graph: z.ZodType<Graph> = z.strictObject(graph).superRefine(connected);
const ItemProcessor: z.ZodType<Graph> = z
  .strictObject({ ...graph, ProcessorConfig: z.strictObject({ Mode: z.literal('INLINE') }).optional() })
  .superRefine(connected);
const Definition = z
  .strictObject({
    ...graph,
    Version: z.literal('1.0').optional(),
    QueryLanguage: z.literal('JSONPath').optional(),
    TimeoutSeconds: z.int().positive().default(99_999_999),
  })
  .superRefine(connected)
  .superRefine(unambiguous);
/** A machine ready to run: its paths, templates and rules are functions. */
export type Machine = z.output<typeof Definition>;

/** Where in the machine: the innermost state of a path, and the field below it. */
function place(path: PropertyKey[]) {
  const states = path.lastIndexOf('States');
  const state = states === -1 ? undefined : path[states + 1];
  const field = path.slice(state === undefined ? 0 : states + 2).join('.');
  return [...(state === undefined ? [] : [`state "${String(state)}"`]), ...(field ? [`field ${field}`] : [])];
}

/**
 * Compiles a definition in the Amazon States Language. Throws one error with a sentence for every field, type, path
 * or function that this interpreter does not run exactly as the service does.
 */
export function compileMachine(name: string, definition: unknown): Machine {
  const outcome = Definition.safeParse(definition);
  if (outcome.success) return outcome.data;
  const sentences = outcome.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${[name, ...place([...issue.path, key])].join(', ')}: it is not supported.`)
      : [`${[name, ...place(issue.path)].join(', ')}: ${issue.message}.`],
  );
  throw new Error(`This machine cannot run locally.\n${sentences.join('\n')}`);
}
