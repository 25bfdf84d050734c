import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { type Mutant, mutantsOf, mutated, shuffled } from '../../bench/mutations/mutants.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const mutants = mutantsOf(ROOT);

const broken = (mutant: Mutant) => {
  const text = mutated(readFileSync(path.join(ROOT, mutant.file), 'utf8'), mutant);
  if (mutant.file.endsWith('.json')) return JSON.parse(text) === undefined;
  const { diagnostics } = ts.transpileModule(text, { reportDiagnostics: true });
  return diagnostics?.length !== 0;
};

test('every change leaves a file that can be read', (t) => {
  t.true(mutants.length > 1000);
  const sample = shuffled(mutants, 'syntax').slice(0, 200);
  t.deepEqual(
    sample.filter(broken).map(({ file, line, change }) => `${file}:${line} ${change}`),
    [],
  );
});

test('permissions, variables, encryption and retries are among what is removed', (t) => {
  const removed = (file: string, what: RegExp) =>
    mutants.filter((mutant) => mutant.file === file && what.test(mutant.change)).length;
  t.true(removed('infra/permissions.ts', /^'states:StopExecution'|, 'states:StopExecution'$/) === 1);
  t.is(removed('infra/service-container.ts', /^JWT_ISSUER: jwt\.issuer,$/), 1);
  t.true(removed('infra/storage.ts', /^this\.encrypt\(/) === 2);
  t.is(removed('infra/storage.ts', /^blockPublicAcls: true,$/), 1);
  t.true(removed('statemachines/media-processing.asl.json', /^"Retry": \[/) > 5);
  t.true(removed('statemachines/media-processing.asl.json', /^"Catch": \[/) > 5);
});

test('numbers, switches and texts are among what becomes another', (t) => {
  const changed = (file: string, change: string) =>
    mutants.filter((mutant) => mutant.file === file && mutant.change === change).length;
  t.is(changed('infra/storage.ts', 'blockPublicAcls: true → false'), 1);
  t.is(changed('infra/queues.ts', 'maxReceiveCount: 5 → 10'), 1);
  t.is(changed('infra/registry.ts', "imageTagMutability: 'IMMUTABLE' → ''"), 1);
  t.true(changed('statemachines/media-processing.asl.json', '"TimeoutSeconds": 40 → 80') > 3);
});

test('a seed gives the same sample always, another seed another', (t) => {
  const first = (seed: string) => shuffled(mutants, seed).slice(0, 20);
  t.deepEqual(first('1'), first('1'));
  t.notDeepEqual(first('1'), first('2'));
});
