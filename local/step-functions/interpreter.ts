import { type Context, type Json, StatesError } from './expressions.ts';
import type { Graph, Machine, Retrier, State, StateOf } from './language.ts';
import { aborted, deadline, type Line, type Ports, text, untruncated, write } from './line.ts';
import { delay, matches } from './retry.ts';
import { together } from './together.ts';

/** What an inline Map runs at once when `MaxConcurrency` is 0. */
const SERVICE_CONCURRENCY = 40;

const asStatesError = (error: unknown) =>
  error instanceof StatesError ? error : new StatesError('States.Runtime', String(error));

async function performTask(state: StateOf<'Task'>, parameters: Json, line: Line): Promise<Json> {
  const [resourceType, resource] = state.Resource.split(':').slice(-2);
  const what = { resourceType, resource };
  write(line, 'TaskScheduled', {
    taskScheduledEventDetails: {
      ...what,
      region: line.context.StateMachine.Id.split(':')[3],
      parameters: text(parameters, 'task input'),
      timeoutInSeconds: state.TimeoutSeconds,
    },
  });
  write(line, 'TaskStarted', { taskStartedEventDetails: what });
  using limit = deadline(state.TimeoutSeconds, `The task took longer than ${state.TimeoutSeconds} s.`);
  const signal = AbortSignal.any([line.signal, limit.signal]);
  try {
    const result = await Promise.race([line.perform(state.Resource, parameters, signal), aborted(signal)]);
    const output = text(result, 'task result');
    write(line, 'TaskSucceeded', {
      taskSucceededEventDetails: { ...what, output, outputDetails: untruncated },
    });
    return result;
  } catch (error) {
    if (line.signal.aborted) {
      write(line, 'TaskStateAborted');
      throw error;
    }
    const { name, message } = error instanceof Error ? error : asStatesError(error);
    const details = { ...what, error: name, cause: message };
    if (name === 'States.Timeout') write(line, 'TaskTimedOut', { taskTimedOutEventDetails: details });
    else write(line, 'TaskFailed', { taskFailedEventDetails: details });
    throw new StatesError(name, message);
  }
}

async function mapItems(name: string, state: StateOf<'Map'>, input: Json, line: Line): Promise<Json> {
  const items = state.ItemsPath(input, line.context);
  if (!Array.isArray(items)) {
    throw new StatesError('States.Runtime', `The ItemsPath of "${name}" does not lead to an array.`);
  }
  write(line, 'MapStateStarted', { mapStateStartedEventDetails: { length: items.length } });
  const concurrency = state.MaxConcurrency || SERVICE_CONCURRENCY;
  return together('Map', line, concurrency, items.length, async (index, fork) => {
    const Value = items[index] ?? null;
    const context = { ...line.context, Map: { Item: { Index: index, Value } } };
    const origin = { state: name, item: index };
    const own = { ...fork, context, origin };
    const iteration = { name, index };
    write(own, 'MapIterationStarted', { mapIterationStartedEventDetails: iteration });
    try {
      const item = state.ItemSelector ? state.ItemSelector(input, context) : Value;
      const output = await walk(state.ItemProcessor, item, own);
      own.origin = origin;
      write(own, 'MapIterationSucceeded', { mapIterationSucceededEventDetails: iteration });
      return output;
    } catch (error) {
      own.origin = origin;
      if (own.signal.aborted) {
        write(own, 'MapIterationAborted', { mapIterationAbortedEventDetails: iteration });
      } else write(own, 'MapIterationFailed', { mapIterationFailedEventDetails: iteration });
      throw error;
    }
  });
}

async function runBranches(state: StateOf<'Parallel'>, input: Json, line: Line): Promise<Json> {
  write(line, 'ParallelStateStarted');
  const { Branches } = state;
  return together('Parallel', line, Branches.length, Branches.length, (index, own) => {
    const branch = Branches[index];
    if (!branch) throw new RangeError(`no branch ${index}`);
    return walk(branch, input, own);
  });
}

type Working = StateOf<'Pass' | 'Task' | 'Map' | 'Parallel'>;

async function result(name: string, state: Working, effective: Json, line: Line): Promise<Json> {
  if (state.Type === 'Map') return mapItems(name, state, effective, line);
  const argument = state.Parameters?.(effective, line.context) ?? effective;
  if (state.Type === 'Task') return performTask(state, argument, line);
  if (state.Type === 'Parallel') return runBranches(state, argument, line);
  return state.Result === undefined ? argument : state.Result;
}

/** InputPath → Parameters → the work → ResultSelector → ResultPath → OutputPath. */
async function attempt(name: string, state: Working, input: Json, line: Line): Promise<Json> {
  const answer = await result(name, state, state.InputPath(input, line.context), line);
  const selected = 'ResultSelector' in state ? state.ResultSelector?.(answer, line.context) : undefined;
  return state.OutputPath(state.ResultPath(input, selected ?? answer), line.context);
}

interface Step {
  output: Json;
  /** undefined: the graph ends here */
  next: string | undefined;
}

/** Attempts a state until it succeeds, its retriers give up, or a catcher takes the error. */
async function persist(name: string, state: Working, input: Json, line: Line): Promise<Step> {
  const [retriers, catchers] = state.Type === 'Pass' ? [[], []] : [state.Retry, state.Catch];
  const attempts = new Map<Retrier, number>();
  for (;;) {
    try {
      return { output: await attempt(name, state, input, line), next: state.Next };
    } catch (thrown) {
      line.signal.throwIfAborted();
      const error = asStatesError(thrown);
      const retrier = retriers.find(({ ErrorEquals }) => matches(ErrorEquals, error.name));
      const count = retrier ? (attempts.get(retrier) ?? 0) + 1 : 0;
      if (retrier && count <= retrier.MaxAttempts) {
        attempts.set(retrier, count);
        await line.wait(delay(retrier, count), line.signal);
        continue;
      }
      const catcher = catchers.find(({ ErrorEquals }) => matches(ErrorEquals, error.name));
      if (!catcher) throw error;
      const caught = { Error: error.name, Cause: error.message };
      return { output: catcher.ResultPath(input, caught), next: catcher.Next };
    }
  }
}

function choose(state: StateOf<'Choice'>, input: Json, context: Context): Step {
  const effective = state.InputPath(input, context);
  const next = state.Choices.find((rule) => rule.matches(effective, context))?.Next ?? state.Default;
  if (next === undefined) throw new StatesError('States.NoChoiceMatched', 'No rule of the Choice matched.');
  return { output: state.OutputPath(effective, context), next };
}

function fail(state: StateOf<'Fail'>, input: Json, context: Context): never {
  const said = (expression: typeof state.CausePath, constant = '') => {
    const value = expression?.(input, context) ?? constant;
    if (typeof value === 'string') return value;
    throw new StatesError('States.Runtime', 'ErrorPath and CausePath must lead to a string.');
  };
  throw new StatesError(said(state.ErrorPath, state.Error), said(state.CausePath, state.Cause));
}

async function step(name: string, state: State, input: Json, line: Line): Promise<Step> {
  const { context } = line;
  if (state.Type === 'Fail') return fail(state, input, context);
  if (state.Type === 'Choice') return choose(state, input, context);
  if (state.Type === 'Succeed') {
    return { output: state.OutputPath(state.InputPath(input, context), context), next: undefined };
  }
  return persist(name, state, input, line);
}

/** Follows a graph from its first state to its end. */
async function walk(graph: Graph, input: Json, line: Line): Promise<Json> {
  const { item } = line.origin;
  let current = input;
  for (let name: string | undefined = graph.StartAt; name !== undefined; ) {
    line.signal.throwIfAborted();
    const state = graph.States[name];
    if (!state) throw new RangeError(`no state ${name}`);
    line.origin = { state: name, ...(item === undefined ? {} : { item }) };
    write(line, `${state.Type}StateEntered`, {
      stateEnteredEventDetails: { name, input: text(current, 'state input'), inputDetails: untruncated },
    });
    const { output, next } = await step(name, state, current, line);
    write(line, `${state.Type}StateExited`, {
      stateExitedEventDetails: { name, output: text(output, 'state output'), outputDetails: untruncated },
    });
    current = output;
    name = next;
  }
  return current;
}

/** How an execution ended. */
export type Outcome =
  | { status: 'SUCCEEDED'; output: string }
  | { status: 'FAILED' | 'TIMED_OUT' | 'ABORTED'; error: string; cause: string };

/**
 * Runs a machine from its first state. A signal that aborts with a `StatesError` stops the execution (ABORTED), with
 * anything else it is thrown; tasks under way are abandoned either way, as they are by the service.
 */
export async function runMachine(
  machine: Machine,
  context: Context,
  signal: AbortSignal,
  ports: Ports,
): Promise<Outcome> {
  using limit = deadline(
    machine.TimeoutSeconds,
    `The execution took longer than ${machine.TimeoutSeconds} s.`,
  );
  const line: Line = {
    ...ports,
    context,
    signal: AbortSignal.any([signal, limit.signal]),
    origin: {},
    counter: { id: 0 },
    previous: 0,
  };
  write(line, 'ExecutionStarted', {
    executionStartedEventDetails: {
      input: JSON.stringify(context.Execution.Input),
      inputDetails: untruncated,
      roleArn: context.Execution.RoleArn,
    },
  });
  try {
    const output = text(await walk(machine, context.Execution.Input, line), 'output');
    line.origin = {};
    write(line, 'ExecutionSucceeded', {
      executionSucceededEventDetails: { output, outputDetails: untruncated },
    });
    return { status: 'SUCCEEDED', output };
  } catch (thrown) {
    line.origin = {};
    if (signal.aborted && !(signal.reason instanceof StatesError)) throw signal.reason;
    const { name: error, message: cause } = asStatesError(signal.aborted ? signal.reason : thrown);
    if (signal.aborted) {
      write(line, 'ExecutionAborted', { executionAbortedEventDetails: { error, cause } });
      return { status: 'ABORTED', error, cause };
    }
    if (limit.signal.aborted) {
      write(line, 'ExecutionTimedOut', { executionTimedOutEventDetails: { error, cause } });
      return { status: 'TIMED_OUT', error, cause };
    }
    write(line, 'ExecutionFailed', { executionFailedEventDetails: { error, cause } });
    return { status: 'FAILED', error, cause };
  }
}
