import { setTimeout as sleep } from 'node:timers/promises';
import type { StateMachine } from '../graph/manifest.ts';
import type { Execution, Executions, HistoryEvent } from './executions.ts';
import { type Context, type Json, StatesError } from './expressions.ts';
import { runMachine } from './interpreter.ts';
import type { Machine } from './language.ts';
import type { Origin, Ports } from './line.ts';
import type { Tasks } from './tasks.ts';

/** A step of an execution, for a progress display: the history's event and where in the machine it happened. */
export type ProgressEvent = HistoryEvent & Origin & { executionArn: string; stateMachineArn: string };

export interface LoadedMachine extends StateMachine {
  machine: Machine;
}

export interface RunOptions {
  tasks: Tasks;
  onEvent?: ((event: ProgressEvent) => void) | undefined;
  /** replaces the pauses between attempts */
  wait?: Ports['wait'] | undefined;
}

/** What ends a run without ending the execution. */
const CLOSING = Symbol('the local cloud is stopping');

/** The executions that are under way in this process; every event and every ending is written to `executions`. */
export function createRuns(executions: Executions, { tasks, onEvent, wait }: RunOptions) {
  const runs = new Map<string, { controller: AbortController; done: Promise<void> }>();

  const portsOf = ({ arn, stateMachineArn }: Execution, { roleArn }: LoadedMachine): Ports => ({
    async perform(resource, parameters, signal) {
      if (resource !== 'arn:aws:states:::lambda:invoke') {
        return tasks.runMediaConvertJob(parameters, roleArn, signal);
      }
      const { FunctionName, Payload = {} } = parameters as { FunctionName: string; Payload?: Json };
      const answer = await tasks.invokeFunction(FunctionName, Payload, roleArn, signal);
      return { ExecutedVersion: '$LATEST', Payload: answer, StatusCode: 200 };
    },
    record(entry, origin) {
      const event = { ...entry, timestamp: Date.now() };
      executions.record(arn, event);
      onEvent?.({ ...event, ...origin, executionArn: arn, stateMachineArn });
    },
    wait: wait ?? ((milliseconds, signal) => sleep(milliseconds, undefined, { signal })),
  });

  function start(execution: Execution, loaded: LoadedMachine) {
    const controller = new AbortController();
    const context: Context = {
      Execution: {
        Id: execution.arn,
        Input: JSON.parse(execution.input),
        Name: execution.name,
        RoleArn: loaded.roleArn,
        StartTime: new Date(execution.startedAt).toISOString(),
      },
      StateMachine: { Id: loaded.arn, Name: loaded.name },
    };
    const done = runMachine(loaded.machine, context, controller.signal, portsOf(execution, loaded))
      .then((outcome) => executions.finish(execution.arn, Date.now(), outcome))
      .catch((error: unknown) => {
        if (error !== CLOSING) throw error;
      })
      .finally(() => runs.delete(execution.arn));
    runs.set(execution.arn, { controller, done });
  }

  return {
    start,

    /** Begins an execution that an earlier process left RUNNING again, with a new history. */
    restart(execution: Execution, loaded: LoadedMachine) {
      if (runs.has(execution.arn)) return;
      executions.forgetHistory(execution.arn);
      start(execution, loaded);
    },

    /** Resolves when the execution is ABORTED, or has ended otherwise before. */
    async stop(arn: string, error: string, cause: string) {
      const run = runs.get(arn);
      if (!run) return executions.finish(arn, Date.now(), { status: 'ABORTED', error, cause });
      run.controller.abort(new StatesError(error, cause));
      await run.done;
    },

    /** Ends every run; the executions stay RUNNING. */
    async close() {
      const all = [...runs.values()];
      for (const { controller } of all) controller.abort(CLOSING);
      await Promise.all(all.map(({ done }) => done));
    },
  };
}
