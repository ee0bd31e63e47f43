/** Which tasks take something of a node. */

import type { NodeId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';

/** True while a task has a claim on its node: from its assignment until it ended. */
export function holdsPlace(task: Task): boolean {
  const { state } = task.status;
  return task.nodeId !== undefined && state !== 'new' && state !== 'pending' && !isTerminal(state);
}

/** True while a task waits for room that is being made for it. */
export function isNominee({ status, desiredState, nomination }: Task): boolean {
  return nomination !== undefined && status.state === 'pending' && isMeantToRun(desiredState);
}

/** The node that a task has, or that is kept for it. */
export function placeOf(task: Task): NodeId | undefined {
  if (holdsPlace(task)) return task.nodeId;
  return isNominee(task) ? task.nomination?.nodeId : undefined;
}
