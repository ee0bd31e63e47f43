/** Which rules of affinity hold for a task: those of its own spec, and those of services that keep away from it. */

import {
  type AffinityKind,
  type AffinityRule,
  type AffinityRules,
  type NamedAndLabelled,
  placeText,
  selectionText,
  selects,
} from '../../model/affinity.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';

/** A rule that holds for a task. */
export interface ApplyingRule {
  readonly kind: AffinityKind;
  readonly rule: AffinityRule;
  /** The tasks of the service itself are among those that the rule is about. */
  readonly isSelf: boolean;
  /** What is wanted of the node, in words: `a task of service cache on the node`. */
  readonly wanted: string;
  /** What is wrong with a node that breaks it, in words. */
  readonly broken: string;
}

/**
 * The rules that hold for tasks of a service.
 *
 * @param placement - the task's own rules.
 * @param guards - services whose specs have rules: those that are required to keep away from this one bind it too, or
 *   else the order in which the two were placed would decide.
 */
export function rulesFor(
  placement: AffinityRules,
  service: NamedAndLabelled,
  guards: Iterable<ServiceSpec>,
): ApplyingRule[] {
  const rules: ApplyingRule[] = [];
  for (const rule of placement.affinity ?? []) {
    const tasks = `task of ${selectionText(rule)} on ${placeText(rule)}`;
    const isSelf = selects(rule, service);
    rules.push({ kind: 'affinity', rule, isSelf, wanted: `a ${tasks}`, broken: `no ${tasks}` });
  }
  for (const rule of placement.antiAffinity ?? []) {
    const tasks = `task of ${selectionText(rule)} on ${placeText(rule)}`;
    const isSelf = selects(rule, service);
    rules.push({ kind: 'antiAffinity', rule, isSelf, wanted: `no ${tasks}`, broken: `a ${tasks}` });
  }
  for (const guard of guards) {
    if (guard.name.toLowerCase() === service.name.toLowerCase()) continue;
    for (const theirs of guard.task.placement.antiAffinity ?? []) {
      if (theirs.strength !== 'required' || !selects(theirs, service)) continue;
      const rule: AffinityRule = { ...theirs, service: guard.name, label: undefined };
      const tasks = `task of ${selectionText(rule)}, which keeps away, on ${placeText(rule)}`;
      rules.push({ kind: 'antiAffinity', rule, isSelf: false, wanted: `no ${tasks}`, broken: `a ${tasks}` });
    }
  }
  return rules;
}
