/**
 * Placement constraints: `node.labels.rack == a`, `node.role != worker`. Parsed once at the door and compiled once
 * per service, so that the scheduler never reads text. Semantics are Swarm's: keys without case, label names with
 * case, values without case, a missing label is the empty string. Unlike Swarm, a key that can never match is refused.
 */

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

/** One parsed constraint. All constraints of a spec must hold. */
export interface Constraint {
  readonly key: ConstraintKey;
  readonly operator: '==' | '!=';
  readonly value: string;
}

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
  const match = /^\s*(?<key>[^=!\s]+)\s*(?<operator>==|!=)\s*(?<value>.*?)\s*$/.exec(text);
  const { key: keyText = '', operator = '', value = '' } = match?.groups ?? {};
  if (operator !== '==' && operator !== '!=')
    return { rule: `'${text}' must have the form key==value or key!=value` };
  const key = parseConstraintKey(keyText);
  if (!key) {
    return {
      rule: `'${keyText}' is no key of a node: use ${FIXED_KEYS.join(', ')}, node.labels.NAME or engine.labels.NAME`,
    };
  }
  if (!VALUE.test(value)) return { rule: `value '${value}' is not allowed` };
  if (key.kind === 'node.role' && !['manager', 'worker'].includes(value.toLowerCase())) {
    return { rule: `'${value}' is no role: a node is a manager or a worker` };
  }
  return { key, operator, value };
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

function contradict(a: Constraint, b: Constraint): boolean {
  // An address range may hold another, so two different texts for node.ip do not exclude each other.
  if (constraintKeyText(a.key) !== constraintKeyText(b.key) || a.key.kind === 'node.ip') return false;
  const sameValue = a.value.toLowerCase() === b.value.toLowerCase();
  if (a.operator === '==' && b.operator === '==') return !sameValue;
  return a.operator !== b.operator && sameValue;
}
