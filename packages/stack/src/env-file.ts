/**
 * The lines of an `env_file`. Quotes around a value are taken off; nothing is interpolated, so that a password
 * with a dollar sign stays what it is. No message of it holds a value.
 */

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/**
 * Variables by name in the order of the file; `undefined` where a line has a name alone, which takes the value of
 * the environment. Or the rule that a line breaks.
 */
export function parseEnvFile(
  text: string,
): ReadonlyMap<string, string | undefined> | { readonly rule: string } {
  const variables = new Map<string, string | undefined>();
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const match = /^(?:export\s+)?([^\s=]+)\s*(?:=(.*))?$/.exec(trimmed);
    if (!match) return { rule: `line ${index + 1} must have the form NAME=value` };
    const [, name = '', raw] = match;
    variables.set(name, raw === undefined ? undefined : unquote(raw.trim()));
  }
  return variables;
}

function unquote(raw: string): string {
  const single = /^'([^']*)'(?:\s+#.*)?$/.exec(raw);
  if (single) return single[1] ?? '';
  const double = /^"((?:[^"\\]|\\.)*)"(?:\s+#.*)?$/.exec(raw);
  if (double) {
    return (double[1] ?? '').replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole);
  }
  return raw.replace(/\s+#.*$/, '');
}
