import { EventEmitter } from 'node:events';
import type { ProgressEvent } from './step-functions/runs.ts';

const LINES_KEPT = 400;
const EXECUTIONS_KEPT = 60;

export interface LogLine {
  /** milliseconds since 1970 */
  at: number;
  /** `service`, a function's name, `launcher` */
  source: string;
  text: string;
}

export interface Step {
  name: string;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED';
  startedAt: number;
  endedAt?: number;
  /** how many times it was entered and left: a Map's states run once an item */
  entered: number;
  exited: number;
}

export interface ExecutionActivity {
  arn: string;
  name: string;
  machine: string;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';
  startedAt: number;
  endedAt?: number;
  steps: Step[];
}

const ENDINGS: Record<string, ExecutionActivity['status']> = {
  ExecutionSucceeded: 'SUCCEEDED',
  ExecutionFailed: 'FAILED',
  ExecutionTimedOut: 'TIMED_OUT',
  ExecutionAborted: 'ABORTED',
};

/** What has happened since the stack was started: the newest log lines and executions. Emits `change` and `entered`. */
export function createActivity() {
  const lines: LogLine[] = [];
  const executions = new Map<string, ExecutionActivity>();
  const emitter = new EventEmitter<{
    line: [LogLine];
    change: [];
    entered: [execution: string, state: string];
  }>();
  emitter.setMaxListeners(0);

  function execution({ executionArn, stateMachineArn, timestamp }: ProgressEvent): ExecutionActivity {
    const known = executions.get(executionArn);
    if (known) return known;
    const fresh: ExecutionActivity = {
      arn: executionArn,
      name: executionArn.slice(executionArn.lastIndexOf(':') + 1),
      machine: stateMachineArn.slice(stateMachineArn.lastIndexOf(':') + 1),
      status: 'RUNNING',
      startedAt: timestamp,
      steps: [],
    };
    executions.set(executionArn, fresh);
    const [oldest] = executions.keys();
    if (executions.size > EXECUTIONS_KEPT && oldest) executions.delete(oldest);
    return fresh;
  }

  function enter(running: ExecutionActivity, name: string, at: number) {
    const step = running.steps.find((known) => known.name === name);
    if (step) {
      step.entered += 1;
      step.status = 'RUNNING';
    } else running.steps.push({ name, status: 'RUNNING', startedAt: at, entered: 1, exited: 0 });
    emitter.emit('entered', running.name, name);
  }

  function leave(running: ExecutionActivity, name: string, at: number) {
    const step = running.steps.find((known) => known.name === name);
    if (!step) return;
    step.exited += 1;
    if (step.exited < step.entered) return;
    step.status = 'SUCCEEDED';
    step.endedAt = at;
  }

  return {
    on: emitter.on.bind(emitter),
    off: emitter.off.bind(emitter),

    log(source: string, text: string) {
      const line = { at: Date.now(), source, text };
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      emitter.emit('line', line);
    },

    step(event: ProgressEvent) {
      const running = execution(event);
      if (event.state && event.type.endsWith('StateEntered')) enter(running, event.state, event.timestamp);
      if (event.state && event.type.endsWith('StateExited')) leave(running, event.state, event.timestamp);
      const ending = ENDINGS[event.type];
      if (ending) {
        running.status = ending;
        running.endedAt = event.timestamp;
        for (const step of running.steps) if (step.status === 'RUNNING') step.status = 'FAILED';
      }
      emitter.emit('change');
    },

    lines: () => lines,
    /** newest first */
    executions: () => [...executions.values()].reverse(),
  };
}
export type Activity = ReturnType<typeof createActivity>;
