/** Why a loop decided what it decided, for the history. */

import type { ClusterEvent } from '../events/event.ts';
import type { NodeId, ServiceId, TaskId } from '../model/ids.ts';
import type { Task } from '../model/objects.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** Rows of an event that are looked at. They are alike, or they would not be one event. */
const ROWS_LOOKED_AT = 4;

/**
 * The transaction that led to these events of a loop: the newest of those that made the objects they are about what
 * they are. A loop has nothing to go on but the state, so it is what it reacted to: the failed task for the one that
 * takes its place, the drained node for tasks that are told to go, the new spec for tasks that are made from it.
 */
export function causeOf(events: readonly ClusterEvent[], state: ClusterState): number | undefined {
  let newest = 0;
  for (const event of events)
    for (const version of versionsOf(event, state)) newest = Math.max(newest, version);
  return newest === 0 ? undefined : newest;
}

function* versionsOf(event: ClusterEvent, state: ClusterState): Generator<number, undefined, undefined> {
  const ofTask = (id: TaskId) => state.task(id)?.version ?? 0;
  const ofNode = (id: NodeId | undefined) => (id === undefined ? 0 : (state.node(id)?.version ?? 0));
  const ofService = (id: ServiceId) =>
    state.service(id)?.version ?? state.roots.departed.get(id)?.removedBy ?? 0;
  const around = (task: Task) => Math.max(task.version, ofService(task.serviceId), ofNode(task.nodeId));
  switch (event.type) {
    case 'task.created':
      yield ofService(event.serviceId);
      for (const { replaces, nodeId } of event.rows.slice(0, ROWS_LOOKED_AT)) {
        yield replaces === undefined ? 0 : ofTask(replaces);
        yield ofNode(nodeId);
      }
      return;
    case 'task.desired':
    case 'task.released':
    case 'task.evicted':
    case 'task.kept':
    case 'task.dependencies-met':
    case 'task.removed':
      for (const id of event.ids.slice(0, ROWS_LOOKED_AT)) {
        const task = state.task(id);
        if (task) yield around(task);
      }
      return;
    case 'task.preempted':
      for (const { by } of event.rows.slice(0, ROWS_LOOKED_AT)) yield ofTask(by.task);
      return;
    case 'task.nominated':
      for (const { id } of event.rows.slice(0, ROWS_LOOKED_AT)) yield ofTask(id);
      return;
    case 'task.unnominated':
    case 'task.allocated':
    case 'task.unallocated':
    case 'task.unplaced':
      for (const id of event.ids.slice(0, ROWS_LOOKED_AT)) yield ofTask(id);
      return;
    case 'task.assigned':
      for (const { tasks } of event.rows.slice(0, ROWS_LOOKED_AT)) {
        for (const id of tasks.slice(0, ROWS_LOOKED_AT)) yield ofTask(id);
      }
      return;
    case 'task.status':
      for (const { id } of event.rows.slice(0, ROWS_LOOKED_AT)) {
        const task = state.task(id);
        if (task) yield around(task);
      }
      return;
    case 'service.allocated':
    case 'service.unallocated':
    case 'service.run-ended':
    case 'service.autoscaled':
    case 'service.metric-lost':
    case 'service.metric-found':
      yield ofService(event.id);
      return;
    default:
  }
}
