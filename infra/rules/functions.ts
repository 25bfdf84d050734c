import { at, list, logGroupNamed, type Rule, statements, unless } from './rule.ts';
import { openSecrets } from './secret-names.ts';

const FUNCTION = 'lambda/function:Function';
/** Newest Node.js that Lambda offers. */
const RUNTIME = 'nodejs24.x';

/** Rules for functions. */
export const functionRules: Rule[] = [
  {
    id: 'L1',
    also: ['Lambda.2'],
    meaning: `a function runs on the newest runtime (${RUNTIME}) and on arm64`,
    of: [FUNCTION],
    faults: ({ inputs }) => [
      ...unless(inputs.runtime === RUNTIME, `runs on ${inputs.runtime}`),
      ...unless(list(inputs.architectures).join() === 'arm64', 'not on arm64'),
    ],
  },
  {
    id: 'LambdaTracing',
    meaning: 'a function is traced by X-Ray, and may write its traces',
    of: [FUNCTION],
    faults: ({ inputs }) => unless(at(inputs, 'tracingConfig.mode') === 'Active', 'not traced'),
  },
  {
    id: 'LambdaConcurrency',
    meaning: 'a function has a limit on the copies that run at once',
    of: [FUNCTION],
    faults: ({ inputs, outputs }, estate) =>
      unless(
        Number(inputs.reservedConcurrentExecutions) > 0 ||
          estate
            .of('lambda/eventSourceMapping:EventSourceMapping')
            .some(
              (mapping) =>
                mapping.inputs.functionName === outputs.arn &&
                Number(at(mapping.inputs, 'scalingConfig.maximumConcurrency')) > 0,
            ),
        'no limit',
      ),
  },
  {
    id: 'LambdaDLQ',
    meaning: 'a function that is invoked asynchronously has somewhere to leave its failures',
    of: [FUNCTION],
    faults: (lambda, estate) => {
      const { inputs, outputs } = lambda;
      // the queue keeps what its consumer could not take
      const pulled = estate
        .of('lambda/eventSourceMapping:EventSourceMapping')
        .some((mapping) => mapping.inputs.functionName === outputs.arn);
      return unless(pulled || at(inputs, 'deadLetterConfig.targetArn'), 'failures are lost');
    },
  },
  {
    id: 'LambdaFunctionPublicAccessProhibited',
    also: ['Lambda.1'],
    meaning: 'nobody outside the account invokes a function: no URL, no permission for everybody',
    of: [FUNCTION],
    faults: ({ inputs, outputs }, estate) => {
      const aboutIt = (type: string) =>
        estate
          .of(type)
          .filter((one) =>
            [inputs.name, outputs.arn].includes(at(one.inputs, 'function') ?? one.inputs.functionName),
          );
      return [
        ...unless(!aboutIt('lambda/functionUrl:FunctionUrl').length, 'has a URL'),
        ...unless(
          aboutIt('lambda/permission:Permission').every(
            (grant) =>
              grant.inputs.principal !== '*' &&
              (!String(grant.inputs.principal).endsWith('.amazonaws.com') ||
                grant.inputs.sourceAccount ||
                grant.inputs.sourceArn),
          ),
          'anybody may invoke it',
        ),
      ];
    },
  },
  {
    id: 'Lambda.5',
    meaning: 'a function that is inside a VPC is in several zones',
    of: [FUNCTION],
    faults: ({ inputs }) => unless(list(at(inputs, 'vpcConfig.subnetIds')).length !== 1, 'in one zone'),
  },
  {
    id: 'TOQ-LAMBDA-LOGS',
    meaning: 'a function writes JSON to a declared log group of its own, and its role writes there only',
    of: [FUNCTION],
    faults: ({ inputs }, estate) => {
      const [group] = logGroupNamed(at(inputs, 'loggingConfig.logGroup'), estate);
      const role = estate.byArn(inputs.role);
      const writes = estate
        .of('iam/rolePolicy:RolePolicy')
        .filter((policy) => policy.inputs.role === role?.inputs.name)
        .flatMap((policy) => statements(policy.inputs.policy))
        .filter(({ Action }) => list(Action).includes('logs:PutLogEvents'))
        .flatMap(({ Resource }) => list(Resource));
      return [
        ...unless(group?.inputs.name === `/aws/lambda/${inputs.name}`, 'no log group of its own'),
        ...unless(at(inputs, 'loggingConfig.logFormat') === 'JSON', 'its log is not JSON'),
        ...unless(writes.join() === `${group?.outputs.arn}:*`, `writes to ${writes.join(' ') || 'nothing'}`),
      ];
    },
  },
  {
    id: 'TOQ-LAMBDA-ROLE',
    meaning: 'a function has a role that no other function has',
    of: [FUNCTION],
    faults: ({ inputs }, estate) =>
      unless(
        estate.of(FUNCTION).filter((other) => other.inputs.role === inputs.role).length === 1,
        'shares its role',
      ),
  },
  {
    id: 'TOQ-LAMBDA-SECRETS',
    meaning: "no secret's value stands in a function's environment",
    of: [FUNCTION],
    faults: ({ inputs }) =>
      openSecrets(Object.keys(at(inputs, 'environment.variables') ?? {})).map(
        (name) => `${name} is in clear`,
      ),
  },
];
