import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { type Mutant, mutantsOf, shuffled, withoutPart } from '../../bench/mutations/mutants.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const mutants = mutantsOf(ROOT);

const broken = (mutant: Mutant) => {
  const text = withoutPart(readFileSync(path.join(ROOT, mutant.file), 'utf8'), mutant);
  if (mutant.file.endsWith('.json')) return JSON.parse(text) === undefined;
  const { diagnostics } = ts.transpileModule(text, { reportDiagnostics: true });
  return diagnostics?.length !== 0;
};

test('every removal leaves a file that can be read', (t) => {
  t.true(mutants.length > 1000);
  const sample = shuffled(mutants, 'syntax').slice(0, 200);
  t.deepEqual(
    sample.filter(broken).map(({ file, line, removed }) => `${file}:${line} ${removed}`),
    [],
  );
});

test('permissions, variables, encryption and retries are among what is removed', (t) => {
  const removed = (file: string, what: RegExp) =>
    mutants.filter((mutant) => mutant.file === file && what.test(mutant.removed)).length;
  t.true(removed('infra/permissions.ts', /^'states:StopExecution'|, 'states:StopExecution'$/) === 1);
  t.is(removed('infra/service-container.ts', /^JWT_ISSUER: jwt\.issuer,$/), 1);
  t.true(removed('infra/storage.ts', /^this\.encrypt\(/) === 2);
  t.is(removed('infra/storage.ts', /^blockPublicAcls: true,$/), 1);
  t.true(removed('statemachines/media-processing.asl.json', /^"Retry": \[/) > 5);
  t.true(removed('statemachines/media-processing.asl.json', /^"Catch": \[/) > 5);
});

test('a seed gives the same sample always, another seed another', (t) => {
  const first = (seed: string) => shuffled(mutants, seed).slice(0, 20);
  t.deepEqual(first('1'), first('1'));
  t.notDeepEqual(first('1'), first('2'));
});
