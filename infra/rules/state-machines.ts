import { at, type Rule, unless } from './rule.ts';

const MACHINE = 'sfn/stateMachine:StateMachine';

/** Every ARN of this account in a machine's definition; AWS's integrations have no account. */
const arnsIn = (definition: unknown) => [
  ...new Set(String(definition).match(/arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d{12}:[^"]+/g)),
];

/** Rules for state machines. */
export const machineRules: Rule[] = [
  {
    id: 'SF1',
    also: ['StepFunctions.1'],
    meaning: 'a state machine logs every event, without its data, to an encrypted group of its own',
    of: [MACHINE],
    faults: ({ inputs }, estate) => {
      const destination = String(at(inputs, 'loggingConfiguration.logDestination')).replace(/:\*$/, '');
      return [
        ...unless(at(inputs, 'loggingConfiguration.level') === 'ALL', 'does not log everything'),
        ...unless(
          at(inputs, 'loggingConfiguration.includeExecutionData') === false,
          'puts listings and keys into the log',
        ),
        ...unless(
          String(estate.byArn(destination)?.inputs.name).startsWith('/aws/vendedlogs/states/'),
          'no log group of its own under /aws/vendedlogs/states/',
        ),
      ];
    },
  },
  {
    id: 'SF2',
    meaning: 'a state machine is traced by X-Ray',
    of: [MACHINE],
    faults: ({ inputs }) => unless(at(inputs, 'tracingConfiguration.enabled') === true, 'not traced'),
  },
  {
    id: 'TOQ-SFN-STANDARD',
    meaning:
      'a state machine is Standard (exactly once, a history of its own) and ends after an hour at the latest',
    of: [MACHINE],
    faults: ({ inputs }) => [
      ...unless(inputs.type === 'STANDARD', 'not Standard'),
      ...unless(Number(at(JSON.parse(String(inputs.definition)), 'TimeoutSeconds')) <= 3600, 'may never end'),
    ],
  },
  {
    id: 'TOQ-ASL-ARNS',
    meaning: 'every ARN in a state machine is that of a declared resource, and no placeholder is left',
    of: [MACHINE],
    faults: ({ inputs }, estate) => {
      const templates = estate
        .of('cloudformation/stack:Stack')
        .flatMap(({ outputs }) => Object.values(outputs.outputs ?? {}));
      return [
        ...arnsIn(inputs.definition)
          .filter((arn) => !estate.byArn(arn) && !templates.includes(arn))
          .map((arn) => `${arn} is not declared`),
        ...unless(arnsIn(inputs.definition).length, 'calls nothing of ours'),
        ...unless(!String(inputs.definition).includes('${'), 'a placeholder is left'),
      ];
    },
  },
];
