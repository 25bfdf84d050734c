import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const parse = (file: string) =>
  ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);

/** A module's own imports that exist when it runs: not its types, not packages. */
function imported(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    if (
      ts.isImportDeclaration(statement) &&
      statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
    )
      return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || !moduleSpecifier.text.startsWith('.'))
      return [];
    const file = path.join(path.dirname(source.fileName), moduleSpecifier.text);
    return existsSync(file) ? [file] : [];
  });
}

/** The modules that run when `entry` does, its own included. */
function reached(entry: string): ts.SourceFile[] {
  const sources = new Map<string, ts.SourceFile>();
  const visit = (file: string) => {
    if (sources.has(file) || !file.endsWith('.ts')) return;
    const source = parse(file);
    sources.set(file, source);
    for (const next of imported(source)) visit(next);
  };
  visit(entry);
  return [...sources.values()];
}

/**
 * Names of the properties that the code behind `entry` reads: `x.NAME`, `const { NAME } = x`, `({ NAME }) =>`. Types,
 * object literals and strings do not count, and neither do the files in `except`: a schema reads nothing.
 */
export function propertiesRead(entry: string, except: string[]): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    if (ts.isPropertyAccessExpression(node)) names.add(node.name.text);
    if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      names.add((node.propertyName ?? node.name).getText());
    }
    ts.forEachChild(node, visit);
  };
  for (const source of reached(entry)) if (!except.includes(source.fileName)) visit(source);
  return names;
}
