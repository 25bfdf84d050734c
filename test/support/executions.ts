import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  type HistoryEvent,
  paginateGetExecutionHistory,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { ExecutionContext } from 'ava';
import { type Json, StatesError } from '../../local/step-functions/expressions.ts';
import type { ProgressEvent } from '../../local/step-functions/runs.ts';
import { createStepFunctions } from '../../local/step-functions/service.ts';
import type { Tasks } from '../../local/step-functions/tasks.ts';
import { ACCOUNT, openDoor, REGION, role } from './front-door.ts';

export const LAMBDA = 'arn:aws:states:::lambda:invoke';

/** A function of a test: its answer, or what it throws. */
export type Stub = (payload: Json, signal: AbortSignal) => Json | Promise<Json>;

/** Fields of an object in a payload. */
export const fields = (value: Json | undefined): Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};

export const lambdaError = (errorType: string, errorMessage = 'so it is') =>
  new StatesError(errorType, JSON.stringify({ errorType, errorMessage }));

/** Throws the errors one after the other, then answers. */
export const flaky = (errors: StatesError[], answer: Stub): Stub => {
  const left = [...errors];
  return (payload, signal) => {
    const error = left.shift();
    if (error) throw error;
    return answer(payload, signal);
  };
};

export const always =
  (error: StatesError): Stub =>
  () => {
    throw error;
  };

export interface World {
  functions?: Record<string, Stub>;
  mediaConvert?: Stub;
  directory?: string;
}

/** The real API over machines, with the tasks of the test. Pauses between attempts are noted, not made. */
export async function open(definitions: Record<string, unknown>, world: World = {}) {
  const directory = world.directory ?? (await mkdtemp(path.join(tmpdir(), 'executions-')));
  const door = await openDoor();
  const calls: { name: string; payload: Json }[] = [];
  const pauses: number[] = [];
  const events: ProgressEvent[] = [];
  const tasks: Tasks = {
    async invokeFunction(name, payload, roleArn, signal) {
      calls.push({ name, payload });
      const stub = world.functions?.[name];
      if (roleArn !== role('machine')) throw new StatesError('Lambda.AccessDeniedException', roleArn);
      if (!stub) throw new StatesError('Lambda.ResourceNotFoundException', name);
      return stub(payload, signal);
    },
    async runMediaConvertJob(parameters, _roleArn, signal) {
      calls.push({ name: 'mediaconvert', payload: parameters });
      return world.mediaConvert?.(parameters, signal) ?? null;
    },
  };
  const arn = (name: string) => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`;
  const service = createStepFunctions({
    stateMachines: Object.entries(definitions).map(([name, own]) => ({
      name,
      arn: arn(name),
      roleArn: role('machine'),
      definition: own as Record<string, unknown>,
    })),
    tasks,
    directory,
    onEvent: (event) => events.push(event),
    async wait(milliseconds) {
      pauses.push(milliseconds);
    },
  });
  door.services.states = service.service;
  const connection = door.client();
  const client = new SFNClient(connection);
  let closed = false;

  async function start(machine: string, input: unknown, name?: string) {
    const command = new StartExecutionCommand({
      stateMachineArn: arn(machine),
      input: JSON.stringify(input),
      name,
    });
    return (await client.send(command)).executionArn ?? '';
  }

  async function ended(executionArn: string): Promise<DescribeExecutionCommandOutput> {
    for (;;) {
      const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
      if (execution.status !== 'RUNNING') return execution;
      await sleep(5);
    }
  }

  return {
    directory,
    /** how another client reaches the machines */
    connection,
    client,
    service,
    arn,
    calls,
    pauses,
    events,
    start,
    ended,
    /** Starts a machine and waits for its end. */
    run: async (machine: string, input: unknown) => ended(await start(machine, input)),
    /** types of the history, in order */
    async history(executionArn: string): Promise<HistoryEvent[]> {
      const all: HistoryEvent[] = [];
      for await (const page of paginateGetExecutionHistory({ client }, { executionArn, maxResults: 7 })) {
        all.push(...(page.events ?? []));
      }
      return all;
    },
    count: (name: string) => calls.filter((call) => call.name === name).length,
    async close() {
      if (closed) return;
      closed = true;
      client.destroy();
      await service.close();
      await door.close();
      if (!world.directory) await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function opened(t: ExecutionContext, definitions: Record<string, unknown>, world?: World) {
  const stack = await open(definitions, world);
  t.teardown(stack.close);
  return stack;
}

export const task = (name: string, more: Record<string, unknown> = {}) => ({
  Type: 'Task',
  Resource: LAMBDA,
  Parameters: { FunctionName: name, 'Payload.$': '$' },
  ...('Next' in more ? {} : { End: true }),
  ...more,
});
export const single = (state: Record<string, unknown>, name = 'Only') => ({
  StartAt: name,
  States: { [name]: state },
});

/** A promise that only an aborted signal ends. */
export const forever: Stub = (_, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
