/**
 * Variables in the values of a stack file, by the rules of the Compose specification:
 * `$A`, `${A}`, `${A:-default}`, `${A-default}`, `${A:?error}`, `${A?error}`, `${A:+other}`, `${A+other}`, `$$`.
 * Words after an operator may hold variables themselves. Sits between the YAML text and every reader of a value.
 * It never throws, and no message of it holds the value of a variable: that may be a password.
 */

import { INTERPOLATION_DEPTH_MAX } from './limits.ts';

/** Variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What became of a text. */
export interface Interpolated {
  readonly text: string;
  /** Variables that were asked for, without a default, and are not set: they count as empty. */
  readonly unset: readonly string[];
}

const OPERATORS = [':-', ':?', ':+', '-', '?', '+'] as const;
type Operator = (typeof OPERATORS)[number];

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | {
      readonly kind: 'operation';
      readonly name: string;
      readonly operator: Operator;
      readonly word: readonly Part[];
      /** The word as it was written, for error messages. */
      readonly source: string;
    };

class Fault {
  readonly rule: string;
  constructor(rule: string) {
    this.rule = rule;
  }
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

/** Puts the values of variables into a text, or tells the rule that the text breaks. */
export function interpolate(text: string, variables: Variables): Interpolated | { readonly rule: string } {
  if (!text.includes('$')) return { text, unset: [] };
  const parsed = parseParts(text, 0, 0);
  if (parsed instanceof Fault) return { rule: parsed.rule };
  const unset = new Set<string>();
  const result = evaluate(parsed.parts, variables, unset);
  return result instanceof Fault ? { rule: result.rule } : { text: result, unset: [...unset] };
}

function nameAt(text: string, index: number): string {
  NAME.lastIndex = index;
  return NAME.exec(text)?.[0] ?? '';
}

/** Reads parts from `start` to the end of the text, or inside braces (`depth` > 0) to the closing one. */
function parseParts(
  text: string,
  start: number,
  depth: number,
): { readonly parts: readonly Part[]; readonly end: number } | Fault {
  if (depth > INTERPOLATION_DEPTH_MAX) {
    return new Fault(`nests variables deeper than ${INTERPOLATION_DEPTH_MAX} levels`);
  }
  const parts: Part[] = [];
  let index = start;
  let plain = start;
  const flush = (end: number) => {
    if (end > plain) parts.push({ kind: 'text', text: text.slice(plain, end) });
  };
  while (index < text.length) {
    const letter = text.charAt(index);
    if (letter === '}' && depth > 0) break;
    if (letter !== '$') {
      index += 1;
      continue;
    }
    flush(index);
    const part = parseDollar(text, index, depth);
    if (part instanceof Fault) return part;
    parts.push(part.part);
    index = part.end;
    plain = index;
  }
  flush(index);
  return { parts, end: index };
}

function parseDollar(
  text: string,
  at: number,
  depth: number,
): { readonly part: Part; readonly end: number } | Fault {
  const next = text.charAt(at + 1);
  if (next === '$') return { part: { kind: 'text', text: '$' }, end: at + 2 };
  if (next !== '{') {
    const name = nameAt(text, at + 1);
    if (name === '') return invalid('a $ that names no variable');
    return { part: { kind: 'variable', name }, end: at + 1 + name.length };
  }
  const name = nameAt(text, at + 2);
  if (name === '') return invalid('a ${ without the name of a variable');
  const after = at + 2 + name.length;
  if (text.charAt(after) === '}') return { part: { kind: 'variable', name }, end: after + 1 };
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate, after));
  if (operator === undefined) {
    return invalid(after >= text.length ? 'a ${ that is never closed' : 'an unknown operator in ${…}');
  }
  const wordAt = after + operator.length;
  const word = parseParts(text, wordAt, depth + 1);
  if (word instanceof Fault) return word;
  if (word.end >= text.length) return invalid('a ${ that is never closed');
  const source = text.slice(wordAt, word.end);
  return { part: { kind: 'operation', name, operator, word: word.parts, source }, end: word.end + 1 };
}

function invalid(what: string): Fault {
  return new Fault(`has ${what}; write $$ for a dollar sign`);
}

function evaluate(parts: readonly Part[], variables: Variables, unset: Set<string>): string | Fault {
  let result = '';
  for (const part of parts) {
    const piece = evaluatePart(part, variables, unset);
    if (piece instanceof Fault) return piece;
    result += piece;
  }
  return result;
}

function evaluatePart(part: Part, variables: Variables, unset: Set<string>): string | Fault {
  if (part.kind === 'text') return part.text;
  const value = Object.hasOwn(variables, part.name) ? variables[part.name] : undefined;
  if (part.kind === 'variable') {
    if (value === undefined) unset.add(part.name);
    return value ?? '';
  }
  // With the colon an empty value counts as missing.
  const given = part.operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  switch (part.operator) {
    case ':-':
    case '-':
      return given ? (value ?? '') : evaluate(part.word, variables, unset);
    case ':+':
    case '+':
      return given ? evaluate(part.word, variables, unset) : '';
    case ':?':
    case '?': {
      if (given) return value ?? '';
      const reason = part.source === '' ? '' : `: ${part.source}`;
      return new Fault(`needs the variable ${part.name}, which is not set${reason}`);
    }
  }
}
