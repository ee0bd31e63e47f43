/** What a global service is short of: nodes that are to have a task and have none. A slot is a node. */

import type { Finding } from '../../model/finding.ts';
import type { Node, Task } from '../../model/objects.ts';
import { mayHaveTask } from '../orchestrator/jobs/global-job.ts';
import { endedByItself, mayRestart } from '../orchestrator/restart.ts';
import { slotOf } from '../orchestrator/slot-tasks.ts';
import { creating } from './replicated-findings.ts';
import type { SlotLook } from './slot-look.ts';
import { givenUpFinding } from './task-finding.ts';

/** Looks at every node, and at tasks that are left of others. */
export function* globalFindings(look: SlotLook): Generator<undefined, readonly Finding[], undefined> {
  const { sight, service, note } = look;
  const { state } = sight;
  let missing = 0;
  let eligible = 0;
  for (const [key, node] of state.roots.nodes.rows.entries()) {
    const isEligible = mayHaveTask(node, service);
    if (isEligible) eligible += 1;
    const tasks = state.slot(service.id, key);
    for (const task of tasks) look.task(task);
    const { live, newest } = slotOf(tasks);
    if (isEligible && !live) {
      if (newest && isGivenUp(newest)) note(newest, givenUpFinding(newest));
      else if (node.spec.availability === 'active') missing += 1;
    }
    yield;
  }
  return [
    ...(eligible === 0 ? [noEligibleNode(service.spec.task.placement.constraints)] : []),
    ...short(missing),
  ];
}

function isGivenUp(newest: Task): boolean {
  return endedByItself(newest.status) && !mayRestart(newest);
}

function short(missing: number): Finding[] {
  return missing === 0 ? [] : [creating(missing)];
}

/** No node may have a task. */
export function noEligibleNode(constraints: readonly string[]): Finding {
  const meeting = constraints.length === 0 ? '' : ` and meets ${constraints.join(', ')}`;
  return {
    code: 'no-eligible-node',
    message: 'no node may have a task of it',
    remedy: `a node that is neither drained nor down${meeting}`,
  };
}

/** The node is to be given a task, and can be. */
export function isReady(node: Node): boolean {
  return node.spec.availability === 'active' && node.status.state === 'ready';
}
