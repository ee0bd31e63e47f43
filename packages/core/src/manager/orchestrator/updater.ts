/**
 * Replaces outdated slots, as many at a time as the service's spec allows. A slot is stopped first: its new task waits
 * as `ready` until nothing older is at work there. Used by the orchestrators after they have tended what changed.
 */

import type { Service } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { Marks } from './marks.ts';
import { replacementOf } from './restart.ts';
import type { RollingUpdates } from './rolling-update.ts';
import { slotOf } from './slot-tasks.ts';
import { withId } from './tended.ts';
import type { Deciding } from './wishes.ts';

/** Goes on with the service's update, if there is one. What the transaction has no room for stays marked. */
export function goOnUpdating(
  service: Service,
  updates: RollingUpdates,
  marks: Marks,
  deciding: Deciding,
): void {
  const { state, context, wishes } = deciding;
  const { id } = service;
  const next = () => updates.next(id, service.spec.update.parallelism);
  for (let key = next(); key !== undefined; key = next()) {
    if (wishes.full) {
      marks.slot(id, key);
      return;
    }
    const slot = slotOf(state.slot(id, key));
    const old = slot.live ?? slot.newest;
    if (old === undefined) {
      updates.note(id, key, 'settled');
      continue;
    }
    for (const task of slot.tasks) {
      if (isMeantToRun(task.desiredState)) wishes.shutdown(task.id);
    }
    wishes.create(id, withId(replacementOf(old, slot.tasks, state, context.at), context));
    updates.note(id, key, 'changing');
  }
}
