/** Room that is kept, read off a state alone, for whoever has no index. */

import type { NodeId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import { priorityOf } from '../../../model/service-spec.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { isNominee } from '../holds-place.ts';

/** Tasks looked at between two chances to let others in. */
const LOOKS_PER_STEP = 2_048;

/** By node, the tasks for which room is kept from this one. Where all services have one priority, nothing is looked at. */
export function* keptRoom(
  task: Task,
  state: ClusterState,
): Generator<undefined, ReadonlyMap<NodeId, readonly Task[]>, undefined> {
  const kept = new Map<NodeId, Task[]>();
  const services = [...state.services()];
  const lowest = Math.min(...services.map(({ spec }) => priorityOf(spec)));
  const spec = state.service(task.serviceId)?.spec;
  let looks = 0;
  for (const service of services) {
    const priority = priorityOf(service.spec);
    // Only who has somebody below has room made.
    if (priority === lowest || (spec && priority < priorityOf(spec))) continue;
    for (const each of state.tasksOfService(service.id)) {
      if (++looks % LOOKS_PER_STEP === 0) yield;
      if (each.id === task.id || each.nomination === undefined || !isNominee(each)) continue;
      const on = kept.get(each.nomination.nodeId) ?? [];
      kept.set(each.nomination.nodeId, [...on, each]);
    }
  }
  return kept;
}
