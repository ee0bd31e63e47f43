/** Which tasks take something of a node. */

import type { Task } from '../../model/objects.ts';
import { isTerminal } from '../../model/task-state.ts';

/** True while a task has a claim on its node: from its assignment until it ended. */
export function holdsPlace(task: Task): boolean {
  const { state } = task.status;
  return task.nodeId !== undefined && state !== 'new' && state !== 'pending' && !isTerminal(state);
}
