/**
 * Who moves a task on from each observed state. Every state has exactly one owner, so no two parts of the cluster ever
 * write the same step, and a task that stands still can be laid at one door.
 *
 * Beside the owners there are those who end a task whose owner can't, or must not go on: they write ends only. The
 * task reaper moves nothing on; it forgets what has ended, and what was given up before an agent knew of it.
 */

import type { TaskState } from '../../../model/task-state.ts';
import { ALLOCATOR } from '../../allocator/allocator.ts';
import { SCHEDULER } from '../../scheduler/scheduler.ts';
import { CONSTRAINT_ENFORCER } from '../constraint-enforcer.ts';
import { ORPHAN_KEEPER } from '../orphan-keeper.ts';

/** A part that writes observed states: a control loop by its name, or the agent of the task's node. */
export type StateWriter =
  | typeof ALLOCATOR
  | typeof SCHEDULER
  | 'agent'
  | typeof CONSTRAINT_ENFORCER
  | typeof ORPHAN_KEEPER;

/**
 * The owner of each state. A task that is `new` or `pending` and not meant to run any more has none: the task reaper
 * forgets it as it is. From an end nothing leads on.
 */
export const STATE_OWNERS: Readonly<Record<TaskState, StateWriter | undefined>> = {
  new: ALLOCATOR,
  pending: SCHEDULER,
  assigned: 'agent',
  accepted: 'agent',
  preparing: 'agent',
  ready: 'agent',
  starting: 'agent',
  running: 'agent',
  complete: undefined,
  shutdown: undefined,
  failed: undefined,
  rejected: undefined,
  orphaned: undefined,
};

/**
 * Ends that others than the owner may write, from `assigned` to `running` only: the constraint enforcer's for tasks
 * that may not stay, and orphaning where no agent will tell. The removal of a node orphans in the API, too, as the
 * user asked for it.
 */
export const STATE_ENDERS: Readonly<Partial<Record<TaskState, StateWriter>>> = {
  rejected: CONSTRAINT_ENFORCER,
  orphaned: ORPHAN_KEEPER,
};

/** Whether this part may bring a task from one observed state to another. */
export function mayMoveOn(writer: StateWriter, from: TaskState, to: TaskState): boolean {
  const owner = STATE_OWNERS[from];
  if (owner === undefined) return false;
  return owner === writer || (owner === 'agent' && STATE_ENDERS[to] === writer);
}
