/** Where volumes come to live: on the node on which a task that follows them was first made ready. */

import type { Task, TaskStatus } from '../../model/objects.ts';
import { pinnedVolumes } from '../../model/pinned-volumes.ts';
import type { StateDraft } from '../state-draft.ts';
import type { Stamp } from './stamp.ts';

/** Takes note of the volumes of a task of which this was reported. Nearly no task has any. */
export function settleVolumes(draft: StateDraft, task: Task, status: TaskStatus, stamp: Stamp): void {
  if (task.spec.mounts.length === 0 || task.nodeId === undefined || !hasVolumes(status)) return;
  const names = pinnedVolumes(task, draft.service(task.serviceId)?.spec);
  for (const name of names) draft.settleVolume({ name, nodeId: task.nodeId, since: stamp.at });
}

/** The driver has made what the task needs, its volumes among it. */
function hasVolumes({ state, runtime }: TaskStatus): boolean {
  if (runtime !== undefined) return true;
  return state === 'ready' || state === 'starting' || state === 'running' || state === 'complete';
}
