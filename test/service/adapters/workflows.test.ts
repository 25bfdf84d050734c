import test from 'ava';
import { stepFunctions } from '../../../service/adapters/workflows.ts';
import { forever, open, single, task } from '../../support/executions.ts';
import { fakeWorkflows } from '../../support/fake-workflows.ts';
import { workflowsConformance } from '../../support/port-conformance.ts';

const PROCESSING = 'listing-media-processing-sm-test';
const FINALIZATION = 'listing-media-finalization-sm-test';
const endless = single(task('work'));

const machines = await open(
  { [PROCESSING]: endless, [FINALIZATION]: endless },
  { functions: { work: forever } },
);
test.after.always(machines.close);

workflowsConformance(test, 'Step Functions', () =>
  stepFunctions(
    { processingArn: machines.arn(PROCESSING), finalizationArn: machines.arn(FINALIZATION) },
    machines.connection,
  ),
);
workflowsConformance(test, 'the fake machines', fakeWorkflows);
