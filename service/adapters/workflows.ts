import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SFNClient,
  type SFNClientConfig,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { MachineInput } from '../../statemachines/contracts.ts';

/** What DescribeExecution says of an execution. */
export interface Execution {
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE';
  startedAt: Date;
  /** JSON text, of a succeeded execution: the body of the callback */
  output?: string | undefined;
  error?: string | undefined;
  cause?: string | undefined;
}

/** Both state machines, as far as the service uses them. */
export interface Workflows {
  /** Starts the finalization machine. An execution of that name that exists already is a success. */
  startFinalization(name: string, input: MachineInput): Promise<{ executionArn: string }>;
  /** null when there is no such execution */
  describe(executionArn: string): Promise<Execution | null>;
  /** Stops an execution. One that does not exist or has ended is a success. */
  stop(executionArn: string, reason: string): Promise<void>;
  processingExecutionArn(name: string): string;
  finalizationExecutionArn(name: string): string;
}

/** `arn:…:stateMachine:{name}` → `arn:…:execution:{name}:{execution}`. */
const executionArn = (stateMachineArn: string, name: string) =>
  `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;

/** Both state machines, over the AWS SDK. */
export function stepFunctions(
  machines: { processingArn: string; finalizationArn: string },
  clientConfig: SFNClientConfig = {},
): Workflows {
  const sfn = new SFNClient(clientConfig);

  return {
    async startFinalization(name, input) {
      try {
        const started = await sfn.send(
          new StartExecutionCommand({
            stateMachineArn: machines.finalizationArn,
            name,
            input: JSON.stringify(input),
          }),
        );
        return { executionArn: started.executionArn ?? executionArn(machines.finalizationArn, name) };
      } catch (error) {
        // also when the same name and input have already ended: started once is what was asked for
        if (!(error instanceof ExecutionAlreadyExists)) throw error;
        return { executionArn: executionArn(machines.finalizationArn, name) };
      }
    },

    async describe(arn) {
      try {
        const { status, startDate, output, error, cause } = await sfn.send(
          new DescribeExecutionCommand({ executionArn: arn }),
        );
        if (!status || !startDate) throw new Error(`DescribeExecution says too little of ${arn}`);
        return { status, startedAt: startDate, output, error, cause };
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return null;
        throw error;
      }
    },

    async stop(arn, reason) {
      try {
        // Step Functions cuts nothing itself: `error` ≤ 256, `cause` ≤ 32,768 characters
        await sfn.send(
          new StopExecutionCommand({ executionArn: arn, error: 'STUCK', cause: reason.slice(0, 32_768) }),
        );
      } catch (error) {
        if (!(error instanceof ExecutionDoesNotExist)) throw error;
      }
    },

    processingExecutionArn: (name) => executionArn(machines.processingArn, name),
    finalizationExecutionArn: (name) => executionArn(machines.finalizationArn, name),
  };
}
