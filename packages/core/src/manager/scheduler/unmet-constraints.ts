/** What would have to change on a node for it to meet the constraints that it does not meet. */

import {
  type Constraint,
  type ConstraintTerm,
  type parseConstraint,
  termsOf,
} from '../../model/constraint.ts';
import { compileConstraint } from '../../model/constraint-match.ts';
import type { Node } from '../../model/objects.ts';
import type { RemedyChange } from './remedy.ts';

/** A constraint, or the rule that a text breaks. */
export type ParsedConstraint = ReturnType<typeof parseConstraint>;

type LabelChange = Extract<RemedyChange, { readonly kind: 'label' }>;

/**
 * The changes that are wanted of a node; undefined where nobody can make it meet the constraints.
 *
 * @param texts - the constraints as the spec has them, in the same order.
 */
export function unmetConstraints(
  node: Node,
  constraints: readonly ParsedConstraint[],
  texts: readonly string[],
): RemedyChange[] | undefined {
  const changes: RemedyChange[] = [];
  const unwanted = new Set<string>();
  const inWords: { readonly constraint: Constraint; readonly text: string }[] = [];
  for (const [at, constraint] of constraints.entries()) {
    if ('rule' in constraint) return undefined;
    if (compileConstraint(constraint)(node)) continue;
    if (constraint.operator !== '==' && constraint.operator !== '!=') {
      if (!termsOf(constraint).some(canBeMet)) return undefined;
      inWords.push({ constraint, text: texts[at] ?? '' });
      continue;
    }
    const { key, operator, value } = constraint;
    if (key.kind === 'node.role') {
      const isManager = (value.toLowerCase() === 'manager') === (operator === '==');
      changes.push({ kind: 'role', role: isManager ? 'manager' : 'worker' });
    } else if (!('label' in key)) return undefined;
    else if (operator === '==') changes.push({ kind: 'label', label: `${key.kind}.${key.label}`, value });
    else unwanted.add(`${key.kind}.${key.label}`);
  }
  const fixed = changes.filter((change): change is LabelChange => change.kind === 'label');
  for (const label of unwanted) {
    // A label that is to have one value is other than what it must not be.
    if (fixed.some((change) => change.label === label)) continue;
    changes.push({
      kind: 'other-label',
      label,
      not: constraints.flatMap((each) => valuesToAvoid(each, label)),
    });
  }
  const changed = withLabels(node, fixed);
  for (const { constraint, text } of inWords) {
    if (!compileConstraint(constraint)(changed)) changes.push({ kind: 'constraint', constraint: text });
  }
  return changes;
}

/** Labels and roles can be changed; the rest of a node is as it is. */
function canBeMet({ key }: ConstraintTerm): boolean {
  return 'label' in key || key.kind === 'node.role';
}

function valuesToAvoid(constraint: ParsedConstraint, label: string): readonly string[] {
  if (!('key' in constraint) || !('label' in constraint.key)) return [];
  if (`${constraint.key.kind}.${constraint.key.label}` !== label) return [];
  if (constraint.operator === '!=') return [constraint.value];
  return constraint.operator === 'not in' ? constraint.values : [];
}

function withLabels(node: Node, changes: readonly LabelChange[]): Node {
  if (changes.length === 0) return node;
  const labels = { ...node.spec.labels };
  const engineLabels = { ...node.description.engine.labels };
  for (const { label, value } of changes) {
    const [prefix, name] = label.startsWith('node.labels.')
      ? [labels, label.slice('node.labels.'.length)]
      : [engineLabels, label.slice('engine.labels.'.length)];
    prefix[name] = value;
  }
  const { description } = node;
  return {
    ...node,
    spec: { ...node.spec, labels },
    description: { ...description, engine: { ...description.engine, labels: engineLabels } },
  };
}
