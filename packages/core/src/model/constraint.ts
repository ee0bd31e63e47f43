/**
 * Placement constraints: `node.labels.rack == a`, `node.labels.cores > 8 || node.labels.class in (big, huge)`. Parsed
 * once at the door and compiled once per service, so that the scheduler never reads text.
 *
 * `==` and `!=` are Swarm's to the letter: keys without case, label names with case, values without case, a missing
 * label is the empty string. The rest goes beyond:
 *
 * - `key in (a, b)`, `key not in (a, b)`: as if each value were compared by `==`.
 * - `key > 8`, `>=`, `<`, `<=`: as numbers; a value that is no number meets none of them.
 * - `key =~ ^web-[0-9]+$`, `key !~ …`: a regular expression (RE2 syntax, found anywhere in the value, without case), run
 *   in time linear in the value, so that no pattern can hold up a manager.
 * - `… || …`: any of these will do. All constraints of a list must hold, so a list is an AND of ORs.
 *
 * Unlike Swarm, a key that can never match is refused.
 */

import { RE2JS } from 're2js';
import type { SpecIssue } from '../errors.ts';

/** What a constraint may look at. */
export type ConstraintKey =
  | { readonly kind: 'node.id' }
  | { readonly kind: 'node.hostname' }
  | { readonly kind: 'node.ip' }
  | { readonly kind: 'node.role' }
  | { readonly kind: 'node.platform.os' }
  | { readonly kind: 'node.platform.arch' }
  | { readonly kind: 'node.labels'; readonly label: string }
  | { readonly kind: 'engine.labels'; readonly label: string };

/** One comparison. */
export type ConstraintTerm =
  | { readonly key: ConstraintKey; readonly operator: '==' | '!='; readonly value: string }
  | { readonly key: ConstraintKey; readonly operator: 'in' | 'not in'; readonly values: readonly string[] }
  | { readonly key: ConstraintKey; readonly operator: OrderOperator; readonly bound: number }
  | { readonly key: ConstraintKey; readonly operator: '=~' | '!~'; readonly pattern: string };

/** Compares numbers. */
export type OrderOperator = '>' | '>=' | '<' | '<=';

/** One parsed constraint: a comparison, or several of which one must hold. */
export type Constraint =
  | ConstraintTerm
  | { readonly operator: '||'; readonly anyOf: readonly [ConstraintTerm, ...ConstraintTerm[]] };

/** Most characters of a regular expression in a constraint. */
export const PATTERN_LENGTH_MAX = 256;

const FIXED_KEYS = [
  'node.id',
  'node.hostname',
  'node.ip',
  'node.role',
  'node.platform.os',
  'node.platform.arch',
] as const;
const LABEL_PREFIXES = ['node.labels', 'engine.labels'] as const;
const VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9:._\-/ *]*[A-Za-z0-9*])?$/;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9._\-/]*[A-Za-z0-9])?$/;
const NUMBER = /^[+-]?(?:\d+(?:\.\d+)?|\.\d+)$/;
const TERM =
  /^\s*(?<key>[^=!<>~\s]+)(?:\s*(?<operator>==|!=|=~|!~|>=|<=|>|<)|\s+(?<word>not\s+in|in)(?=[\s(]))\s*(?<rest>.*?)\s*$/is;

/** Parses a key such as `node.labels.rack`, also used by spread preferences; `undefined` if there is no such key. */
export function parseConstraintKey(text: string): ConstraintKey | undefined {
  const lower = text.toLowerCase();
  const fixed = FIXED_KEYS.find((key) => key === lower);
  if (fixed) return { kind: fixed };
  const prefix = LABEL_PREFIXES.find((candidate) => lower.startsWith(`${candidate}.`));
  if (!prefix) return undefined;
  const label = text.slice(prefix.length + 1);
  return LABEL.test(label) ? { kind: prefix, label } : undefined;
}

/** Parses one constraint, or tells the rule that it breaks. */
export function parseConstraint(text: string): Constraint | { readonly rule: string } {
  // A pattern holds `||` as `\|\|` or `[|][|]`; two bars in a row would be an empty alternative, which nobody means.
  const parts = text.split('||');
  const terms: ConstraintTerm[] = [];
  for (const part of parts) {
    const term = parseTerm(part, text);
    if ('rule' in term) return term;
    terms.push(term);
  }
  const [first, ...others] = terms;
  if (first === undefined) return { rule: formRule(text) };
  return others.length === 0 ? first : { operator: '||', anyOf: [first, ...others] };
}

function formRule(text: string): string {
  return `'${text}' must have the form key==value or key!=value, or one with in, not in, >, >=, <, <=, =~, !~ or ||`;
}

function parseTerm(text: string, whole: string): ConstraintTerm | { readonly rule: string } {
  const { key: keyText = '', operator: sign, word, rest = '' } = TERM.exec(text)?.groups ?? {};
  const operator = sign ?? word?.toLowerCase().replace(/\s+/, ' ');
  if (operator === undefined) return { rule: formRule(whole) };
  const key = parseConstraintKey(keyText);
  if (!key) {
    return {
      rule: `'${keyText}' is no key of a node: use ${FIXED_KEYS.join(', ')}, node.labels.NAME or engine.labels.NAME`,
    };
  }
  switch (operator) {
    case '==':
    case '!=': {
      const rule = valueRule(key, rest);
      return rule === undefined ? { key, operator, value: rest } : { rule };
    }
    case 'in':
    case 'not in': {
      const list = /^\((?<list>.*)\)$/s.exec(rest)?.groups?.['list'];
      if (list === undefined) return { rule: `'${rest}' must be a list such as (a, b)` };
      const values = list.split(',').map((value) => value.trim());
      const rule = values.map((value) => valueRule(key, value)).find((broken) => broken !== undefined);
      return rule === undefined ? { key, operator, values } : { rule };
    }
    case '>':
    case '>=':
    case '<':
    case '<=':
      if (key.kind !== 'node.labels' && key.kind !== 'engine.labels') {
        return { rule: `${key.kind} is no number: ${operator} takes node.labels.NAME or engine.labels.NAME` };
      }
      return NUMBER.test(rest)
        ? { key, operator, bound: Number(rest) }
        : { rule: `'${rest}' is no number, which ${operator} needs` };
    case '=~':
    case '!~': {
      const rule = patternRule(rest);
      return rule === undefined ? { key, operator, pattern: rest } : { rule };
    }
    default:
      return { rule: formRule(whole) };
  }
}

function valueRule(key: ConstraintKey, value: string): string | undefined {
  if (!VALUE.test(value)) return `value '${value}' is not allowed`;
  if (key.kind === 'node.role' && !['manager', 'worker'].includes(value.toLowerCase())) {
    return `'${value}' is no role: a node is a manager or a worker`;
  }
  return undefined;
}

function patternRule(pattern: string): string | undefined {
  if (pattern === '') return 'a regular expression must not be empty';
  if (pattern.length > PATTERN_LENGTH_MAX) {
    return `a regular expression has at most ${PATTERN_LENGTH_MAX} characters`;
  }
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    return `'${pattern}' is no regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Compiles the pattern of a `=~`. @throws Error for one that is none. */
export function compilePattern(pattern: string): RE2JS {
  return RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
}

/** A number as a constraint or a label has it; `undefined` for a text that is none. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  return NUMBER.test(trimmed) ? Number(trimmed) : undefined;
}

/** The comparisons of a constraint, of which one must hold. */
export function termsOf(constraint: Constraint): readonly [ConstraintTerm, ...ConstraintTerm[]] {
  return constraint.operator === '||' ? constraint.anyOf : [constraint];
}

/** A stable text for a key, for comparing and for messages. */
export function constraintKeyText(key: ConstraintKey): string {
  return 'label' in key ? `${key.kind}.${key.label}` : key.kind;
}

/** The rules that a list of constraints breaks, contradictions among them included. `field` is the list's path. */
export function checkConstraints(texts: readonly string[], field: string): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const seen: { readonly index: number; readonly constraint: Constraint }[] = [];
  texts.forEach((text, index) => {
    const parsed = parseConstraint(text);
    if ('rule' in parsed) {
      issues.push({ field: `${field}[${index}]`, rule: parsed.rule });
      return;
    }
    const contradicted = seen.find(({ constraint }) => contradict(constraint, parsed));
    if (contradicted) {
      const other = texts[contradicted.index] ?? '';
      issues.push({
        field: `${field}[${index}]`,
        rule: `'${text}' contradicts '${other}': no node can meet both`,
      });
    }
    seen.push({ index, constraint: parsed });
  });
  return issues;
}

/** Whether no node can meet both; false where that is not plain to see. */
function contradict(a: Constraint, b: Constraint): boolean {
  const one = listed(a);
  const other = listed(b);
  if (one === undefined || other === undefined) return false;
  // An address range may hold another, so two different texts for node.ip do not exclude each other.
  if (constraintKeyText(one.key) !== constraintKeyText(other.key) || one.key.kind === 'node.ip') return false;
  if (one.isWanted && other.isWanted) return !one.values.some((value) => other.values.includes(value));
  if (one.isWanted) return one.values.every((value) => other.values.includes(value));
  return other.isWanted && other.values.every((value) => one.values.includes(value));
}

/** A comparison with values, whichever way it is written. */
function listed(constraint: Constraint) {
  switch (constraint.operator) {
    case '==':
    case '!=':
      return {
        key: constraint.key,
        isWanted: constraint.operator === '==',
        values: [constraint.value.toLowerCase()],
      };
    case 'in':
    case 'not in':
      return {
        key: constraint.key,
        isWanted: constraint.operator === 'in',
        values: constraint.values.map((value) => value.toLowerCase()),
      };
    default:
      return undefined;
  }
}
