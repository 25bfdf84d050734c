import type { Execution, Workflows } from '../../service/adapters/workflows.ts';
import type { MachineInput } from '../../statemachines/contracts.ts';

const arn = (machine: string, name: string) =>
  `arn:aws:states:us-east-1:000000000000:execution:listing-media-${machine}-sm-test:${name}`;

export interface FakeWorkflows extends Workflows {
  /** by ARN */
  executions: Map<string, Execution & { input?: MachineInput }>;
  failure: Error | null;
}

/** State machines that start and then stand still until the test says how they ended. */
export function fakeWorkflows(): FakeWorkflows {
  const executions: FakeWorkflows['executions'] = new Map();
  const processingExecutionArn = (name: string) => arn('processing', name);
  const finalizationExecutionArn = (name: string) => arn('finalization', name);
  const workflows: FakeWorkflows = {
    executions,
    failure: null,
    processingExecutionArn,
    finalizationExecutionArn,
    async startFinalization(name, input) {
      if (workflows.failure) throw workflows.failure;
      const executionArn = finalizationExecutionArn(name);
      if (!executions.has(executionArn)) {
        executions.set(executionArn, { status: 'RUNNING', startedAt: new Date(), input });
      }
      return { executionArn };
    },
    async describe(executionArn) {
      if (workflows.failure) throw workflows.failure;
      return executions.get(executionArn) ?? null;
    },
    async stop(executionArn, reason) {
      if (workflows.failure) throw workflows.failure;
      const execution = executions.get(executionArn);
      if (execution?.status !== 'RUNNING') return;
      executions.set(executionArn, { ...execution, status: 'ABORTED', error: 'STUCK', cause: reason });
    },
  };
  return workflows;
}
