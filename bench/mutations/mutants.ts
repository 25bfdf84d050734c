import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** One part of the program that can be taken away, or be another. */
export interface Mutant {
  /** relative to the tree: `infra/storage.ts` */
  file: string;
  /** from 1 */
  line: number;
  /** what is removed, or `what → other`, on one line */
  change: string;
  /** the range of the file's text that goes */
  start: number;
  end: number;
  /** what comes in its place */
  other: string;
}

/** What keeps a machine going when something fails. The rest of its definition is its logic, which tests walk. */
const RESILIENCE = new Set([
  'BackoffRate',
  'Catch',
  'HeartbeatSeconds',
  'IntervalSeconds',
  'JitterStrategy',
  'MaxAttempts',
  'MaxConcurrency',
  'MaxDelaySeconds',
  'ResultPath',
  'Retry',
  'TimeoutSeconds',
]);
/** Of these, each element can go as well. */
const RESILIENCE_LISTS = new Set(['Catch', 'ErrorEquals', 'Retry']);

/**
 * Every single removal from the Pulumi program (a property, an element, an optional argument, a resource) and from the
 * state machines (what makes them survive failures), and every single value of theirs turned into another.
 */
export function mutantsOf(root: string): Mutant[] {
  const files = globSync(['infra/*.ts', 'statemachines/*.asl.json'], { cwd: root }).sort();
  return files.flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    const isProgram = file.endsWith('.ts');
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    return changes(source, isProgram ? PROGRAM : MACHINE).map(({ start, end, shown = start, other }) => ({
      file,
      line: source.getLineAndCharacterOfPosition(start).line + 1,
      change: `${text.slice(shown, end).replace(/\s+/g, ' ').trim()}${other && ` → ${other}`}`,
      start,
      end,
      other,
    }));
  });
}

/** The text of a file as the mutant has it. */
export const mutated = (text: string, { start, end, other }: Mutant) =>
  text.slice(0, start) + other + text.slice(end);

/** The mutants in an order that depends on nothing but the seed and themselves. */
export const shuffled = (mutants: Mutant[], seed: string): Mutant[] => {
  const rank = ({ file, start, end, other }: Mutant) =>
    createHash('sha256').update(`${seed}/${file}/${start}/${end}/${other}`).digest('hex');
  return mutants
    .map((mutant) => ({ mutant, rank: rank(mutant) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ mutant }) => mutant);
};

interface Change {
  start: number;
  end: number;
  other: string;
  /** where the text that tells what it is begins, if earlier */
  shown?: number;
}

/** What can be done to a file, at a node of its syntax tree. */
interface Language {
  removable(node: ts.Node): ts.Node[];
  /** What stands there instead, where the node is a value. */
  other(node: ts.Node): string | undefined;
}

function changes(source: ts.SourceFile, { removable, other }: Language): Change[] {
  const found: Change[] = [];
  const visit = (node: ts.Node) => {
    for (const part of removable(node)) found.push({ ...rangeOf(source, node, part), other: '' });
    const value = other(node);
    if (value !== undefined) {
      const start = node.getStart(source);
      const shown = ts.isPropertyAssignment(node.parent) ? node.parent.getStart(source) : start;
      found.push({ start, end: node.getEnd(), other: value, shown });
    }
    if (!isSilent(node)) ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

/** Imports and types declare nothing; what a component registers as its outputs is only shown, and by no test. */
const isSilent = (node: ts.Node) =>
  ts.isImportDeclaration(node) ||
  ts.isTypeNode(node) ||
  ts.isInterfaceDeclaration(node) ||
  (ts.isCallExpression(node) && node.expression.getText().endsWith('.registerOutputs'));

function inProgram(node: ts.Node): ts.Node[] {
  if (ts.isObjectLiteralExpression(node)) return [...node.properties];
  if (ts.isArrayLiteralExpression(node)) return [...node.elements];
  if (ts.isBlock(node)) return node.statements.filter(declares);
  if (ts.isCallExpression(node) && !isSilent(node)) {
    return node.arguments.filter(
      (argument) => ts.isStringLiteral(argument) || ts.isObjectLiteralExpression(argument),
    );
  }
  return [];
}

/** A statement that stands for a resource that nothing else uses: `new aws.s3.BucketPolicy(…);`, `this.encrypt(…);` */
function declares(statement: ts.Statement): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  const { expression } = statement;
  return ts.isNewExpression(expression) || (ts.isCallExpression(expression) && !isSilent(expression));
}

/** A number doubled, a switch turned, the text of a property or a constant emptied. */
function otherInProgram(node: ts.Node): string | undefined {
  if (ts.isNumericLiteral(node)) return doubled(node);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return 'false';
  if (node.kind === ts.SyntaxKind.FalseKeyword) return 'true';
  const { parent } = node;
  const isValue =
    (ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent)) && parent.initializer === node;
  return isValue && ts.isStringLiteral(node) && node.text ? "''" : undefined;
}

const PROGRAM: Language = { removable: inProgram, other: otherInProgram };

function inMachine(node: ts.Node): ts.Node[] {
  if (ts.isObjectLiteralExpression(node)) {
    return node.properties.filter((property) => RESILIENCE.has(nameOf(property)));
  }
  if (ts.isArrayLiteralExpression(node) && RESILIENCE_LISTS.has(nameOf(node.parent))) {
    return [...node.elements];
  }
  return [];
}

const MACHINE: Language = {
  removable: inMachine,
  other: (node) =>
    ts.isNumericLiteral(node) && RESILIENCE.has(nameOf(node.parent)) ? doubled(node) : undefined,
};

const doubled = ({ text }: ts.NumericLiteral) => String(Number(text) * 2 || 1);

const nameOf = (node: ts.Node) =>
  ts.isPropertyAssignment(node) && ts.isStringLiteral(node.name) ? node.name.text : '';

/** A part of a comma-separated list goes with the comma after it, or, if it is the last, with the one before it. */
function rangeOf(source: ts.SourceFile, list: ts.Node, part: ts.Node) {
  const start = part.getStart(source);
  if (ts.isBlock(list)) return { start, end: part.getEnd() };
  const siblings = siblingsOf(list);
  const index = siblings.indexOf(part);
  const next = siblings[index + 1];
  if (next) return { start, end: next.getStart(source) };
  const previous = siblings[index - 1];
  return {
    start: previous ? previous.getEnd() : start,
    end: part.getEnd() + trailingComma(source, part.getEnd()),
  };
}

const trailingComma = (source: ts.SourceFile, end: number) =>
  /^\s*,/.exec(source.text.slice(end))?.[0].length ?? 0;

function siblingsOf(list: ts.Node): readonly ts.Node[] {
  if (ts.isObjectLiteralExpression(list)) return list.properties;
  if (ts.isArrayLiteralExpression(list)) return list.elements;
  if (ts.isCallExpression(list)) return list.arguments;
  return [];
}
