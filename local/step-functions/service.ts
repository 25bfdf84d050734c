import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AwsError } from '../aws-error.ts';
import type { AwsService } from '../door.ts';
import type { StateMachine } from '../graph/manifest.ts';
import { jsonService, type Operation } from '../json-service.ts';
import { type Execution, openExecutions } from './executions.ts';
import type { Json } from './expressions.ts';
import { compileMachine } from './language.ts';
import { PAYLOAD_LIMIT } from './line.ts';
import { createRuns, type LoadedMachine, type RunOptions } from './runs.ts';

export interface StepFunctionsOptions extends RunOptions {
  stateMachines: StateMachine[];
  /** where executions and histories are kept */
  directory: string;
}

export interface StepFunctions {
  service: AwsService;
  /**
   * Begins the executions that an earlier process left RUNNING again, from their first state under the same ARN: their
   * tasks are idempotent. (AWS would have gone on where it was.) Call it once the functions can be reached.
   */
  resume(): void;
  /** Leaves executions that are under way RUNNING; they begin again at the next start. */
  close(): Promise<void>;
}

const Page = { maxResults: z.int().min(0).max(1000).optional(), nextToken: z.string().optional() };
/** API reference, StartExecution: white space, brackets, wildcards, special and control characters are refused. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it refuses
const EXECUTION_NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f]{1,80}$/;

const seconds = (milliseconds: number) => milliseconds / 1000;
const refuse = (code: string, message: string): never => {
  throw new AwsError(code, 400, message);
};
/** 0 or nothing asks for the default. */
const pageOf = (request: { maxResults?: number | undefined; nextToken?: string | undefined }) => ({
  maxResults: request.maxResults || 100,
  nextToken: request.nextToken,
});

/** An operation whose input has this shape. */
const operation =
  <T>(schema: z.ZodType<T>, answer: (input: T) => unknown): Operation =>
  (input) => {
    const parsed = schema.safeParse(input);
    return parsed.success
      ? answer(parsed.data)
      : refuse('ValidationException', z.prettifyError(parsed.error));
  };

const StateMachineId = z.object({ stateMachineArn: z.string() });
const ExecutionId = z.object({ executionArn: z.string() });

function parseInput(text: string): Json {
  if (Buffer.byteLength(text) > PAYLOAD_LIMIT) {
    refuse('ValidationException', `The input is larger than ${PAYLOAD_LIMIT} bytes.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    return refuse('InvalidExecutionInput', 'The input is not JSON.');
  }
}

/**
 * The Step Functions API over the declared machines (Standard workflows). Throws at once when a machine uses what the
 * interpreter does not run faithfully.
 */
export function createStepFunctions(options: StepFunctionsOptions): StepFunctions {
  const machines = new Map<string, LoadedMachine>();
  for (const declared of options.stateMachines) {
    const machine = compileMachine(`machine ${declared.name}`, declared.definition);
    machines.set(declared.arn, { ...declared, machine });
  }
  const loadedAt = Date.now();
  const executions = openExecutions(options.directory);
  const runs = createRuns(executions, options);

  const machineOf = (arn: string) =>
    machines.get(arn) ?? refuse('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
  const executionOf = (arn: string) =>
    executions.find(arn) ?? refuse('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);

  const summary = (execution: Execution) => ({
    executionArn: execution.arn,
    stateMachineArn: execution.stateMachineArn,
    name: execution.name,
    status: execution.status,
    startDate: seconds(execution.startedAt),
    ...(execution.stoppedAt === null ? {} : { stopDate: seconds(execution.stoppedAt) }),
  });
  const described = (loaded: LoadedMachine) => ({
    stateMachineArn: loaded.arn,
    name: loaded.name,
    type: 'STANDARD',
    creationDate: seconds(loadedAt),
  });

  const operations: Record<string, Operation> = {
    StartExecution: operation(
      StateMachineId.extend({ name: z.string().optional(), input: z.string().default('{}') }),
      ({ stateMachineArn, name = randomUUID(), input }) => {
        const loaded = machineOf(stateMachineArn);
        if (!EXECUTION_NAME.test(name)) refuse('InvalidName', `Invalid Name: '${name}'`);
        parseInput(input);
        const arn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
        const known = executions.find(arn);
        if (known && (known.status !== 'RUNNING' || known.input !== input)) {
          refuse('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
        }
        if (known) return { executionArn: arn, startDate: seconds(known.startedAt) };
        executions.insert({ arn, stateMachineArn, name, input, startedAt: Date.now() });
        const execution = executionOf(arn);
        runs.start(execution, loaded);
        return { executionArn: arn, startDate: seconds(execution.startedAt) };
      },
    ),

    StopExecution: operation(
      ExecutionId.extend({ error: z.string().default(''), cause: z.string().default('') }),
      async ({ executionArn, error, cause }) => {
        const execution = executionOf(executionArn);
        if (execution.status === 'RUNNING') await runs.stop(executionArn, error, cause);
        return { stopDate: seconds(executionOf(executionArn).stoppedAt ?? Date.now()) };
      },
    ),

    DescribeExecution: operation(ExecutionId, ({ executionArn }) => {
      const execution = executionOf(executionArn);
      const { input, output, error, cause } = execution;
      const ending = Object.entries({ output, error, cause }).filter(([, value]) => value !== null);
      return {
        ...summary(execution),
        input,
        inputDetails: { included: true },
        ...Object.fromEntries(ending),
      };
    }),

    GetExecutionHistory: operation(
      ExecutionId.extend({ reverseOrder: z.boolean().default(false), ...Page }),
      ({ executionArn, reverseOrder, ...request }) => {
        executionOf(executionArn);
        const { items, ...rest } = executions.history(executionArn, reverseOrder, pageOf(request));
        return { events: items.map((event) => ({ ...event, timestamp: seconds(event.timestamp) })), ...rest };
      },
    ),

    ListExecutions: operation(
      StateMachineId.extend({ statusFilter: z.string().optional(), ...Page }),
      ({ stateMachineArn, statusFilter = null, ...request }) => {
        machineOf(stateMachineArn);
        const { items, ...rest } = executions.list(stateMachineArn, statusFilter, pageOf(request));
        return { executions: items.map(summary), ...rest };
      },
    ),

    ListStateMachines: () => ({ stateMachines: [...machines.values()].map(described) }),

    DescribeStateMachine: operation(StateMachineId, ({ stateMachineArn }) => {
      const loaded = machineOf(stateMachineArn);
      const { roleArn, definition } = loaded;
      return { ...described(loaded), status: 'ACTIVE', roleArn, definition: JSON.stringify(definition) };
    }),
  };

  return {
    service: jsonService(operations),

    resume() {
      for (const execution of executions.running()) {
        const loaded = machines.get(execution.stateMachineArn);
        if (loaded) runs.restart(execution, loaded);
      }
    },

    async close() {
      await runs.close();
      executions.close();
    },
  };
}
