/**
 * How a slot goes from its old task to the new one in an update. The old one that serves goes on doing so until the new
 * one can take over: it is prepared (its image is there), or with start-first it runs. Pure.
 */

import type { Service, Task } from '../../../model/objects.ts';
import { isTerminal, taskStateRank } from '../../../model/task-state.ts';
import { startFirstIsImpossible } from '../../../model/update-policy.ts';
import { isGreenHeldBack, isHeldBack, isUnderWay, keepsPrevious } from '../../../state/update-standing.ts';
import { serves } from '../drain/must-leave.ts';
import type { NodeLookup } from '../node-validity.ts';
import { nodeOf } from '../restart.ts';
import { isTaskDirty } from '../task-dirty.ts';
import { policyInForce } from './update-failure.ts';

/** Filters that the end of the old task may satisfy. */
const RELIEVED_BY_AN_END: ReadonlySet<string> = new Set(['resources', 'host-port', 'max-replicas', 'lease']);

/** New tasks of the service run beside the old ones before those are stopped. */
export function startsFirst(service: Service): boolean {
  if (isBlueGreen(service)) return true;
  return policyInForce(service).order === 'start-first' && startFirstIsImpossible(service.spec) === undefined;
}

/** All tasks of the service are replaced beside the old ones, at once. */
export function isBlueGreen(service: Service): boolean {
  const { updateStatus, specVersion } = service;
  if (!isUnderWay(updateStatus)) return false;
  return isGreenHeldBack(service) || updateStatus.servesOnly === specVersion;
}

/** True for a task that the service's update has to replace. */
export function isOutdated(service: Service, task: Task, nodes: NodeLookup): boolean {
  if (task.specVersion === service.specVersion) return false;
  return isBlueGreen(service) || isTaskDirty(service, task, nodeOf(task, nodes));
}

/**
 * What becomes of an older task of the slot that serves, beside the live one.
 *
 * - `serves-on`: until the live one can take over.
 * - `stays`: it is as the service wants it, and the live one is not, as after a rollback: that one goes.
 * - `goes`: it has no part in the slot any more.
 */
export function olderInUpdate(
  service: Service,
  older: Task,
  live: Task,
  nodes: NodeLookup,
  at: number,
): 'serves-on' | 'stays' | 'goes' {
  if (!isOutdated(service, older, nodes)) return isOutdated(service, live, nodes) ? 'stays' : 'goes';
  if (isHeldBack(service, live.specVersion)) return 'serves-on';
  if (serves(live)) return 'goes';
  if (live.desiredState === 'running')
    return startsFirst(service) && placeTaken(service, older, live) === undefined ? 'serves-on' : 'goes';
  const { state } = live.status;
  const isPrepared =
    taskStateRank(state) >= taskStateRank('ready') && !isTerminal(state) && live.startAfter <= at;
  return isPrepared || isHeldUp(live) ? 'goes' : 'serves-on';
}

/** It found no node for want of something that the old task may hold. */
function isHeldUp({ explanation, status }: Task): boolean {
  if (status.state !== 'pending' || !explanation) return false;
  return explanation.rejected.some(({ filter }) => RELIEVED_BY_AN_END.has(filter));
}

/**
 * Start-first: what keeps the new task from every node as long as the old one runs, in words. Room that is lacking is
 * waited for; a place that the old one itself takes would be waited for without end.
 */
export function placeTaken(service: Service, older: Task, live: Task): string | undefined {
  if (live.status.state !== 'pending' || isBlueGreen(service) || !startsFirst(service)) return undefined;
  for (const { filter } of live.explanation?.rejected ?? []) {
    if (filter === 'max-replicas') return 'no node may have another of its tasks';
    const port = filter === 'host-port' ? sharedHostPort(older, live) : undefined;
    if (port !== undefined) return `no node has the host port ${port} free`;
  }
  return undefined;
}

/** While a task of the service runs on a node, another one may have no place there. */
export function takesPlaces({ ports, task }: Service['spec']): boolean {
  return task.placement.maxReplicasPerNode > 0 || ports.some(({ mode }) => mode === 'host');
}

function sharedHostPort(older: Task, live: Task): string | undefined {
  const names = ({ ports }: Task) =>
    ports.flatMap(({ mode, published, protocol }) =>
      mode === 'host' && published !== undefined ? [`${published}/${protocol}`] : [],
    );
  const held = new Set(names(older));
  return names(live).find((port) => held.has(port));
}

/** The newest of these that goes on until a new task takes over: one that has traffic before one that has none. */
export function newestServing(service: Service, tasks: readonly Task[]): Task | undefined {
  const hasTraffic = (task: Task) => serves(task) && !isHeldBack(service, task.specVersion);
  return tasks.findLast(hasTraffic) ?? tasks.findLast(serves);
}

/** From which spec the task is made that takes the place of this one, or that comes new. */
export function specFor(service: Service, old?: Task): 'present' | 'previous' {
  return keepsPrevious(service) && old?.specVersion !== service.specVersion ? 'previous' : 'present';
}
