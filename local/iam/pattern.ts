const compiled = new Map<string, RegExp>();

/** Whether a pattern of IAM matches: `*` is any text, `?` any one character (IAM user guide, "Wildcards in policies"). */
export function matchesPattern(pattern: string, text: string): boolean {
  let expression = compiled.get(pattern);
  if (!expression) {
    const source = RegExp.escape(pattern).replaceAll('\\*', '.*').replaceAll('\\?', '.');
    expression = new RegExp(`^${source}$`, 's');
    compiled.set(pattern, expression);
  }
  return expression.test(text);
}
