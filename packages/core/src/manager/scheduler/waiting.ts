/** What a task tells the scheduler's index: what it waits for, and whether it failed where it stood. */

import type { Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';

/** What a pending task waits for. */
export type Waiting =
  | 'nothing'
  /** Any node. */
  | 'node'
  /** Room that is being made for it on one node. */
  | 'room'
  /** Leave to go to the node that it was made for. */
  | 'own-node'
  /** To be told that it is not wanted. */
  | 'end';

/** What a task waits for. */
export function waitsFor(task: Task): Waiting {
  if (task.status.state !== 'pending') return 'nothing';
  if (!isMeantToRun(task.desiredState)) return 'end';
  if (task.nomination !== undefined) return 'room';
  return task.nodeId === undefined ? 'node' : 'own-node';
}

/** It failed where it stood. One that the constraint enforcer ended did not: the node changed. */
export function isFailure({ status: { state, cause } }: Task): boolean {
  return cause === undefined && (state === 'failed' || state === 'rejected');
}
