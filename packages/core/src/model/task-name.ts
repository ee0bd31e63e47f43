/** What a task is called. */

import type { Task } from './objects.ts';

/** `web.1.<id>`, or `web.<node>.<id>` in a global service. */
export function taskName(serviceName: string, task: Pick<Task, 'id' | 'slot' | 'nodeId'>): string {
  return `${serviceName}.${taskPlace(task)}.${task.id}`;
}

/** What tells it from the other tasks of its service: its slot, or its node where there are no slots. */
export function taskPlace({ slot, nodeId }: Pick<Task, 'slot' | 'nodeId'>): string {
  return slot === 0 ? (nodeId ?? '0') : String(slot);
}
