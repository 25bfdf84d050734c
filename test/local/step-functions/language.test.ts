import test from 'ava';
import { StateMachine as Oracle, type StateMachineDefinition } from 'aws-local-stepfunctions';
import type { Json } from '../../../local/step-functions/expressions.ts';
import { compileMachine } from '../../../local/step-functions/language.ts';
import { LAMBDA, opened, single, task } from '../../support/executions.ts';

/** Definition → what the refusal says, in one machine with the one flaw. */
const FLAWS: [string, unknown, RegExp][] = [
  ['JSONata', { ...single(task('f')), QueryLanguage: 'JSONata' }, /^machine m, field QueryLanguage: /m],
  [
    'JSONata in a state',
    single({ ...task('f'), QueryLanguage: 'JSONata' }),
    /state "Only", field QueryLanguage/,
  ],
  [
    'variables',
    single(task('f', { Assign: { a: 1 } })),
    /machine m, state "Only", field Assign: it is not supported/,
  ],
  ['heartbeats', single(task('f', { HeartbeatSeconds: 5 })), /state "Only", field HeartbeatSeconds/],
  [
    'task tokens',
    single({ ...task('f'), Resource: `${LAMBDA}.waitForTaskToken` }),
    /state "Only", field Resource/,
  ],
  [
    'other integrations',
    single({ ...task('f'), Resource: 'arn:aws:states:::sqs:sendMessage' }),
    /field Resource/,
  ],
  [
    'a plain function ARN',
    single({ ...task('f'), Resource: 'arn:aws:lambda:us-east-1:1:function:f' }),
    /field Resource/,
  ],
  [
    'the state in the context',
    single(task('f', { Parameters: { 'Payload.$': '$$.State.Name' } })),
    /\$\$\.State\.Name/,
  ],
  [
    'the token in the context',
    single(task('f', { Parameters: { 'Payload.$': '$$.Task.Token' } })),
    /\$\$\.Task\.Token/,
  ],
  [
    'other invoke parameters',
    single(task('f', { Parameters: { FunctionName: 'f', Qualifier: '1' } })),
    /field Parameters\.Qualifier/,
  ],
  ['rich paths', single({ Type: 'Pass', InputPath: '$..a', End: true }), /field InputPath: the path \$\.\.a/],
  ['filters', single({ Type: 'Pass', InputPath: '$.a[?(@.b)]', End: true }), /field InputPath/],
  [
    'other intrinsic functions',
    single({ Type: 'Pass', Parameters: { 'id.$': 'States.UUID()' }, End: true }),
    /the function States\.UUID is not supported/,
  ],
  ['Wait', single({ Type: 'Wait', Seconds: 1, End: true }), /state "Only", field Type/],
  [
    'other comparisons',
    single({ Type: 'Choice', Choices: [{ Variable: '$.a', StringMatches: 'a*', Next: 'Only' }] }),
    /field Choices\.0\.StringMatches/,
  ],
  [
    'a distributed Map',
    single({
      Type: 'Map',
      ItemProcessor: { ...single(task('f'), 'Item'), ProcessorConfig: { Mode: 'DISTRIBUTED' } },
      End: true,
    }),
    /state "Only", field ItemProcessor\.ProcessorConfig\.Mode/,
  ],
  [
    'a flaw inside a branch',
    single({
      Type: 'Parallel',
      Branches: [{ StartAt: 'Inner', States: { Inner: task('f', { Credentials: {} }) } }],
      End: true,
    }),
    /state "Inner", field Credentials/,
  ],
  [
    'two states of one name',
    single({ Type: 'Map', ItemProcessor: single(task('f')), End: true }),
    /state "Only": the machine has another of this name/,
  ],
  ['a missing target', single({ ...task('f', { Next: 'Nowhere' }) }), /there is no state "Nowhere"/],
  ['neither Next nor End', single({ Type: 'Pass' }), /exactly one of Next and End/],
  [
    'States.ALL before others',
    single(task('f', { Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['A'] }] })),
    /States\.ALL must stand alone and last/,
  ],
];

for (const [name, flawed, sentence] of FLAWS) {
  test(`refused at load: ${name}`, (t) => {
    t.throws(() => compileMachine('machine m', flawed), { message: sentence });
  });
}

test('a Choice may ask whether something is there; comparing what is not there fails the execution', async (t) => {
  const machine = (rule: object) => ({
    StartAt: 'Which',
    States: {
      Which: { Type: 'Choice', Choices: [{ Variable: '$.a', ...rule, Next: 'Yes' }], Default: 'No' },
      Yes: { Type: 'Pass', Result: 'yes', End: true },
      No: { Type: 'Pass', Result: 'no', End: true },
    },
  });
  const definitions = { present: machine({ IsPresent: true }), equal: machine({ StringEquals: 'x' }) };
  const stack = await opened(t, definitions);
  t.is((await stack.run('present', { a: null })).output, '"yes"');
  t.is((await stack.run('present', {})).output, '"no"');
  t.is((await stack.run('equal', { a: 'x' })).output, '"yes"');
  t.like(await stack.run('equal', {}), { status: 'FAILED', error: 'States.Runtime' });
});

/** Machines whose outcome another interpreter of the language must agree on. */
const AGREED: [string, Record<string, unknown>, Json][] = [
  [
    'templates',
    single({ Type: 'Pass', Parameters: { a: [{ 'b.$': '$.x[1]' }], 'c.$': '$', d: null }, End: true }),
    { x: [1, 2] },
  ],
  [
    'formatting',
    single({
      Type: 'Pass',
      Parameters: { 'a.$': "States.Format('{} of {}, it\\'s ({})', $.n, $.m, 'x, y')" },
      End: true,
    }),
    { n: 1, m: true },
  ],
  [
    'quoting JSON',
    single({ Type: 'Pass', Parameters: { 'a.$': 'States.JsonToString($.o)' }, End: true }),
    { o: { é: [1.5, null, {}] } },
  ],
  [
    'nested functions',
    single({
      Type: 'Pass',
      Parameters: { 'a.$': "States.Format('<{}>', States.JsonToString($.o))" },
      End: true,
    }),
    { o: { a: 1 } },
  ],
  [
    'input, result and output paths',
    single({ Type: 'Pass', InputPath: '$.a', ResultPath: '$.b.c', OutputPath: '$.b', End: true }),
    { a: 1, b: { d: 2 } },
  ],
  ['a constant result', single({ Type: 'Pass', Result: 'text', ResultPath: '$.t', End: true }), { a: 1 }],
  ['a dropped result', single({ Type: 'Pass', Result: { z: 1 }, ResultPath: null, End: true }), { a: 1 }],
  ['a dropped input', single({ Type: 'Pass', InputPath: null, End: true }), { a: 1 }],
  [
    'choices',
    {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          ItemsPath: '$.list',
          End: true,
          ItemProcessor: {
            StartAt: 'Which',
            States: {
              Which: {
                Type: 'Choice',
                Choices: [
                  { Variable: '$.s', StringEquals: 'a', Next: 'A' },
                  { Variable: '$.s', NumericEquals: 1, Next: 'One' },
                  { Variable: '$.s', BooleanEquals: true, Next: 'Yes' },
                ],
                Default: 'Other',
              },
              ...Object.fromEntries(
                ['A', 'One', 'Yes', 'Other'].map((name) => [name, { Type: 'Pass', Result: name, End: true }]),
              ),
            },
          },
        },
      },
    },
    { list: [{ s: 'a' }, { s: 1 }, { s: true }, { s: 'b' }] },
  ],
  [
    'branches',
    single({
      Type: 'Parallel',
      Branches: [
        single({ Type: 'Pass', Result: 1, End: true }, 'One'),
        single({ Type: 'Succeed', OutputPath: '$.a' }, 'Two'),
      ],
      ResultPath: '$.r',
      End: true,
    }),
    { a: 7 },
  ],
];

for (const [name, machine, input] of AGREED) {
  test(`aws-local-stepfunctions agrees on ${name}`, async (t) => {
    const stack = await opened(t, { machine });
    // a definition is JSON to us
    const oracle = new Oracle(machine as unknown as StateMachineDefinition, {
      validationOptions: { checkArn: false },
    });
    const expected = await oracle.run(input).result;
    const { output, status } = await stack.run('machine', input);
    t.is(status, 'SUCCEEDED');
    t.deepEqual(JSON.parse(output ?? ''), expected);
  });
}
