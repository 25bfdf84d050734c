import { readdirSync } from 'node:fs';
import path from 'node:path';
import language from 'amazon-states-language-service';
import aslValidator from 'asl-validator';
import test from 'ava';
import { environments } from '../../lambdas/config.ts';
import * as errors from '../../lambdas/errors.ts';
import {
  Callback,
  CallbackDispatch,
  CaughtError,
  Consolidate,
  MachineInput,
  QueueMessage,
  queueAttributes,
  samples,
  Thumbnails,
  Validate,
  Zip,
} from '../../statemachines/contracts.ts';
import { definition, MACHINES, type Machine, placeholders } from '../../statemachines/definitions.ts';

interface State {
  Type: string;
  TimeoutSeconds?: number;
  Retry?: { ErrorEquals: string[]; MaxAttempts?: number; BackoffRate?: number; JitterStrategy?: string }[];
  Catch?: { ErrorEquals: string[] }[];
  States?: Record<string, State>;
  Branches?: { States: Record<string, State> }[];
  ItemProcessor?: { States: Record<string, State> };
}

const filled = (machine: Machine) =>
  JSON.parse(
    definition(
      machine,
      Object.fromEntries(
        placeholders(machine).map((name) => [name, `arn:aws:lambda:us-east-1:000000000000:function:${name}`]),
      ),
    ),
  );

/** Every state of a machine, those inside branches and maps too. */
function* states(scope: { States: Record<string, State> }): Generator<[string, State]> {
  for (const [name, state] of Object.entries(scope.States)) {
    yield [name, state];
    for (const branch of state.Branches ?? []) yield* states(branch);
    if (state.ItemProcessor) yield* states(state.ItemProcessor);
  }
}

const ourErrors = new Set(
  Object.values(errors).flatMap((value) => {
    if (typeof value !== 'function' || !(value.prototype instanceof Error)) return [];
    return [new (value as new (message: string) => Error)('sample').name];
  }),
);

/** What the AWS Toolkit's language service says of a definition: its schema, and every state reached and existing. */
async function diagnosis(text: string) {
  const service = language.getLanguageService({});
  const document = language.TextDocument.create('file:///machine.asl.json', 'asl', 1, text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  return found.map(({ message }) => message);
}

for (const machine of MACHINES) {
  test(`${machine}: is valid Amazon States Language`, async (t) => {
    t.deepEqual(aslValidator(filled(machine)).errors, []);
    const text = JSON.stringify(filled(machine));
    t.deepEqual(await diagnosis(text), []);
    // both can say no
    const [next] = /"Next":"[A-Z]\w+"/.exec(text) ?? [];
    const broken = text.replace(String(next), '"Next":"Nowhere"');
    t.true((await diagnosis(broken)).join().includes('must be the name of an existing state'));
    t.not(aslValidator(JSON.parse(broken)).errors.length, 0);
  });

  test(`${machine}: every Task has a timeout, a backed-off and jittered Retry, and a Catch for everything`, (t) => {
    for (const [name, state] of states(filled(machine))) {
      if (state.Type !== 'Task') continue;
      t.true((state.TimeoutSeconds ?? 0) > 0, name);
      const last = state.Retry?.at(-1);
      t.like(last, { BackoffRate: 2, JitterStrategy: 'FULL' }, name);
      t.true((last?.MaxAttempts ?? 0) > 0, name);
      t.deepEqual(state.Catch?.at(-1)?.ErrorEquals, ['States.ALL'], name);
    }
  });

  test(`${machine}: every error that is retried or caught by name is one that a Lambda or AWS throws`, (t) => {
    for (const [name, state] of states(filled(machine))) {
      for (const { ErrorEquals } of [...(state.Retry ?? []), ...(state.Catch ?? [])]) {
        for (const error of ErrorEquals) {
          t.true(/^(States|Lambda|MediaConvert)\./.test(error) || ourErrors.has(error), `${name}: ${error}`);
        }
      }
    }
  });

  test(`${machine}: ends after an hour at the latest`, (t) => {
    t.is(filled(machine).TimeoutSeconds, 3600);
  });
}

test('a placeholder that names a function is the name of a Lambda file', (t) => {
  const files = readdirSync(path.join(import.meta.dirname, '../../lambdas'));
  const names = MACHINES.flatMap(placeholders).filter((name) => !/JobTemplate$|^mediaConvert/.test(name));
  for (const name of names) {
    t.true(files.includes(`${name}.ts`), name);
    t.true(name in environments, name);
  }
});

test('a definition with a missing or a surplus value is refused by name', (t) => {
  t.throws(() => definition('media-finalization', { zip: 'arn:zip', typo: 'arn:x' }), {
    message: /no value for \[callback-dispatch\], no placeholder for \[typo\]/,
  });
});

test('a value with quotes cannot break out of its string', (t) => {
  const text = definition('media-finalization', { zip: 'a"b\\c', 'callback-dispatch': 'arn:c' });
  t.is(JSON.parse(text).States.CreateZipBundle.Parameters.FunctionName, 'a"b\\c');
});

test('every sample fits its contract', (t) => {
  t.notThrows(() => {
    QueueMessage.parse(samples.queueMessage);
    MachineInput.parse(samples.machineInput);
    Validate.output.parse(samples.validate);
    Thumbnails.output.parse(samples.thumbnails);
    CaughtError.parse(samples.caughtError);
    Consolidate.input.parse(samples.consolidate);
    Zip.output.parse(samples.zip);
    Callback.parse(samples.callback);
    CallbackDispatch.input.parse(samples.callback);
  });
});

test('a callback may carry its ids as text', (t) => {
  t.like(Callback.parse({ ...samples.callback, jobId: '21', listingIdentityId: '28' }), {
    jobId: 21,
    listingIdentityId: 28,
  });
  for (const jobId of ['0', '-1', '1e3', '21x', 1.5, null]) {
    t.false(Callback.safeParse({ ...samples.callback, jobId }).success, String(jobId));
  }
});

test('a queue message carries its ids as string attributes, the older name of the listing too', (t) => {
  t.deepEqual(queueAttributes(samples.queueMessage, samples.machineInput.traceparent), {
    Traceparent: samples.machineInput.traceparent,
    ListingIdentityId: '28',
    ListingId: '28',
    BatchId: samples.queueMessage.batchId,
    JobId: '21',
    RetryCount: '0',
  });
});
