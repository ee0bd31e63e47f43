/**
 * Whether a service can spare a task of a node that is drained, where no other can run in its place before it is stopped:
 * a task of a job, which would do its work twice, and one of those that run on each node.
 */

import type { Service, Task } from '../../../model/objects.ts';
import type { Deciding } from '../wishes.ts';
import { hasBudget, isUp, leaveCause, leaveDeadline } from './must-leave.ts';

/** It may be stopped now; or not yet, and is to be looked at again then, though nothing may have changed. */
export type Spared =
  | { readonly now: true }
  | { readonly now: false; readonly lookAgainAt: number | undefined };

const NOW: Spared = { now: true };

/** Asks the service's budget for a task that is about to be stopped. */
export function spareTask(service: Service, task: Task, { state, context, budgets }: Deciding): Spared {
  if (!isUp(task) || leaveCause(task, state) !== 'drain' || !hasBudget(service)) return NOW;
  const deadline = leaveDeadline(task, state);
  if (deadline !== undefined && deadline <= context.at) return NOW;
  return budgets.take(service, state.slotKey(task), state) ? NOW : { now: false, lookAgainAt: deadline };
}
