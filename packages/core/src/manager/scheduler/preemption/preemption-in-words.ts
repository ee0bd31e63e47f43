/** What preemption made of a task, in words. Read off the state. */

import type { NodeId, ServiceId } from '../../../model/ids.ts';
import type { Preemptor, Task, TaskNomination } from '../../../model/objects.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { isNominee } from '../holds-place.ts';

/** The task that this one made room for, or makes room for. */
export function preemptorOf({ evicted }: Task): Preemptor | undefined {
  return evicted?.cause === 'preemption' ? evicted.by : undefined;
}

/** That a task makes room, and for whom. Undefined: it does not. */
export function preemptionInWords(task: Task, state: ClusterState): string | undefined {
  const by = preemptorOf(task);
  return by && `makes room for ${preemptorInWords(by, state)}`;
}

/** That the task in whose place this one comes made room, and for whom. Undefined: it did not, or is forgotten. */
export function predecessorInWords({ replaces }: Task, state: ClusterState): string | undefined {
  const before = replaces === undefined ? undefined : state.task(replaces);
  const by = before && preemptorOf(before);
  return by && `the task before it made room for ${preemptorInWords(by, state)}`;
}

/** What a task waits for that is to have a node as soon as others have left it. Undefined: that is not so. */
export function nominationInWords(task: Task, state: ClusterState): string | undefined {
  const { nomination } = task;
  if (nomination === undefined || !isNominee(task)) return undefined;
  const node = nodeName(nomination.nodeId, state);
  const leaving = leavingFor(nomination, state);
  if (leaving.length === 0) return `waits for room on ${node}, where it comes free`;
  const tasks = leaving.length === 1 ? `task ${leaving[0]}` : `tasks ${leaving.join(', ')}`;
  return `waits for room on ${node}: ${tasks} of lower priority ${leaving.length === 1 ? 'leaves' : 'leave'} it`;
}

/** Most tasks that are named. */
const NAMED_MAX = 5;

function leavingFor({ victims }: TaskNomination, state: ClusterState): string[] {
  const named: string[] = victims.slice(0, NAMED_MAX).map((id) => {
    const victim = state.task(id);
    return victim === undefined ? id : `${id} of ${serviceName(victim.serviceId, state)}`;
  });
  if (victims.length > NAMED_MAX) named.push(`and ${victims.length - NAMED_MAX} more`);
  return named;
}

function preemptorInWords({ task, service, priority, over }: Preemptor, state: ClusterState): string {
  return `task ${task} of ${serviceName(service, state)} (priority ${priority} over ${over})`;
}

/** Name of a service, also of one that is being removed; else its id. */
export function serviceName(id: ServiceId, state: ClusterState): string {
  return state.service(id)?.spec.name ?? state.roots.departed.get(id)?.name ?? id;
}

function nodeName(id: NodeId, state: ClusterState): string {
  return state.node(id)?.description.hostname ?? id;
}
