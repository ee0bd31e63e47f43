/** What a replicated service is short of: slots that have no task, and those that are too many. */

import type { Finding } from '../../model/finding.ts';
import { isOccupied } from '../orchestrator/slot.ts';
import { slotOf } from '../orchestrator/slot-tasks.ts';
import type { SlotLook } from './slot-look.ts';
import { givenUpFinding } from './task-finding.ts';

/** Looks at every slot. */
export function* replicatedFindings({
  sight,
  service,
  note,
  task: look,
}: SlotLook): Generator<undefined, readonly Finding[], undefined> {
  let occupied = 0;
  for (const [, tasks] of sight.state.slots(service.id)) {
    for (const task of tasks) look(task);
    const slot = slotOf(tasks);
    if (isOccupied(slot)) occupied += 1;
    // The last task of the slot ended, and its policy wants no other.
    if (slot.live === undefined && slot.newest && isOccupied(slot))
      note(slot.newest, givenUpFinding(slot.newest));
    yield;
  }
  return countFindings(service.spec.replicas ?? 1, occupied);
}

function countFindings(wanted: number, occupied: number): Finding[] {
  if (occupied < wanted) return [creating(wanted - occupied)];
  if (occupied === wanted) return [];
  const message = `${occupied - wanted} more tasks than asked for`;
  return [{ code: 'scaling-down', message, remedy: 'they are told to stop next' }];
}

/** So many tasks are missing. */
export function creating(missing: number): Finding {
  const message =
    missing === 1 ? '1 task is about to be created' : `${missing} tasks are about to be created`;
  return { code: 'creating', message, remedy: 'the orchestrator creates them next' };
}
