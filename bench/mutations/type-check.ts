import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/**
 * Type-checks the Pulumi program again and again with one file changed, in memory. The answer is the first error's
 * text, or undefined.
 */
export function typeChecker(root: string): (file: string, text: string) => string | undefined {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    { ...config, include: ['infra'] },
    ts.sys,
    root,
  );
  const changed = new Map<string, { text: string; version: number }>();
  let version = 0;
  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => fileNames,
    getScriptVersion: (file) => String(changed.get(file)?.version ?? 0),
    getScriptSnapshot(file) {
      const text = changed.get(file)?.text ?? ts.sys.readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  };
  const service = ts.createLanguageService(host);
  return (file, text) => {
    const absolute = path.join(root, file);
    const put = (content: string) => {
      version += 1;
      changed.set(absolute, { text: content, version });
    };
    put(text);
    try {
      for (const name of [absolute, ...fileNames.filter((other) => other !== absolute)]) {
        const [error] = [...service.getSyntacticDiagnostics(name), ...service.getSemanticDiagnostics(name)];
        if (error) return ts.flattenDiagnosticMessageText(error.messageText, ' ');
      }
      return undefined;
    } finally {
      put(readFileSync(absolute, 'utf8'));
    }
  };
}
