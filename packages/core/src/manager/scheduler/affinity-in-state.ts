/** Rules of affinity looked at in a state alone, for whoever has no index: every member can tell what would help. */

import { selects } from '../../model/affinity.ts';
import { constraintKeyText, parseConstraintKey } from '../../model/constraint.ts';
import { constraintValue } from '../../model/constraint-match.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ApplyingRule, rulesFor } from './affinity-rules.ts';
import { holdsPlace } from './holds-place.ts';

/** Services and tasks looked at between two chances to let others in. */
const LOOKS_PER_STEP = 2_048;

/** A required rule, and how each node stands to it. */
export interface RuleInState extends ApplyingRule {
  /** What makes nodes one place, as changes of nodes name it: `node.labels.rack`. */
  readonly key: string;
  /** `outside`: the node is in no place at all, so that nothing can come to be near there. */
  readonly of: (node: Node) => 'kept' | 'broken' | 'outside';
}

/** The required rules for a task. */
export function* requiredRules(
  task: Task,
  state: ClusterState,
): Generator<undefined, RuleInState[], undefined> {
  const service = state.service(task.serviceId);
  if (!service) return [];
  const specs = [...state.services()].map(({ spec }) => spec);
  const rules = rulesFor(task.spec.placement, service.spec, specs);
  const required: RuleInState[] = [];
  for (const rule of rules) {
    if (rule.rule.strength === 'required') required.push(yield* look(rule, state));
  }
  return required;
}

function* look(each: ApplyingRule, state: ClusterState): Generator<undefined, RuleInState, undefined> {
  const key = parseConstraintKey(each.rule.topology);
  const placeOf = (node: Node) => (key === undefined ? '' : constraintValue(node, key));
  const tasks = new Map<string, number>();
  let total = 0;
  let looks = 0;
  for (const service of state.services()) {
    if (++looks % LOOKS_PER_STEP === 0) yield;
    if (!selects(each.rule, service.spec)) continue;
    for (const task of tasksThatCount(each, service, state)) {
      if (++looks % LOOKS_PER_STEP === 0) yield;
      const node = task.nodeId === undefined ? undefined : state.node(task.nodeId);
      if (!node) continue;
      total += 1;
      tasks.set(placeOf(node), (tasks.get(placeOf(node)) ?? 0) + 1);
    }
  }
  return {
    ...each,
    key: key === undefined ? '' : constraintKeyText(key),
    of: (node) => {
      const place = placeOf(node);
      const isNear = place !== '' && (tasks.get(place) ?? 0) > 0;
      if (each.kind === 'antiAffinity') return isNear ? 'broken' : 'kept';
      if (place === '') return 'outside';
      return isNear || (each.isSelf && total === 0) ? 'kept' : 'broken';
    },
  };
}

function* tasksThatCount(
  { kind }: ApplyingRule,
  service: Service,
  state: ClusterState,
): Generator<Task, undefined, undefined> {
  for (const task of state.tasksOfService(service.id)) {
    if (holdsPlace(task) && (kind === 'antiAffinity' || isMeantToRun(task.desiredState))) yield task;
  }
}
