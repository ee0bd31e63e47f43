/** What task events do. The hot path: rows are built field by field, without a proxy between. */

import type { ClusterEvent } from '../../events/event.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { AllocatedPort, TaskStatus } from '../../model/objects.ts';
import { isDesiredAfter } from '../../model/task-state.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import type { Stamp } from './stamp.ts';
import { changedTask, type TaskRowChange } from './task-row.ts';

type TaskEvent = Extract<ClusterEvent, { readonly type: `task.${string}` }>;

export function evolveTask(draft: StateDraft, event: TaskEvent, stamp: Stamp): void {
  switch (event.type) {
    case 'task.created':
      created(draft, event, stamp);
      return;
    case 'task.allocated':
      allocated(draft, event.ids, stamp);
      return;
    case 'task.assigned':
      assigned(draft, event, stamp);
      return;
    case 'task.unplaced':
      for (const id of event.ids) change(draft, id, { explanation: event.explanation }, stamp);
      return;
    case 'task.status':
      for (const { id, status } of event.rows) change(draft, id, { status }, stamp);
      return;
    case 'task.desired':
      for (const id of event.ids) {
        const row = draft.taskRow(id);
        const task = draft.taskAt(row);
        if (!isDesiredAfter(event.state, task.desiredState)) continue;
        draft.replaceTask(row, task, changedTask(task, { desiredState: event.state }, stamp));
      }
      return;
    case 'task.removed':
      for (const id of event.ids) draft.deleteTask(id);
  }
}

function change(draft: StateDraft, id: TaskId, what: TaskRowChange, stamp: Stamp): void {
  const row = draft.taskRow(id);
  const task = draft.taskAt(row);
  draft.replaceTask(row, task, changedTask(task, what, stamp));
}

function allocated(draft: StateDraft, ids: readonly TaskId[], stamp: Stamp): void {
  const status: TaskStatus = { state: 'pending', at: stamp.at, message: 'pending task scheduling' };
  let serviceId: ServiceId | undefined;
  let ports: readonly AllocatedPort[] | undefined;
  for (const id of ids) {
    const row = draft.taskRow(id);
    const task = draft.taskAt(row);
    if (task.serviceId !== serviceId) {
      serviceId = task.serviceId;
      ports = draft.service(serviceId)?.endpoint?.ports;
    }
    draft.replaceTask(row, task, changedTask(task, { status, ports: ports ?? task.ports }, stamp));
  }
}

function assigned(
  draft: StateDraft,
  event: Extract<TaskEvent, { type: 'task.assigned' }>,
  stamp: Stamp,
): void {
  const status: TaskStatus = { state: 'assigned', at: stamp.at, message: 'scheduler assigned task to node' };
  for (const { nodeId, tasks, generic } of event.rows) {
    for (const id of tasks) {
      const assignedGeneric = generic?.[id];
      const what = { status, nodeId, explanation: null };
      change(draft, id, assignedGeneric === undefined ? what : { ...what, assignedGeneric }, stamp);
    }
  }
}

function created(draft: StateDraft, event: Extract<TaskEvent, { type: 'task.created' }>, stamp: Stamp): void {
  const service = draft.service(event.serviceId);
  if (!service) throw new InconsistentEventError(`service ${event.serviceId} does not exist`);
  const status: TaskStatus = { state: 'new', at: stamp.at, message: 'created' };
  const ports = service.endpoint?.ports ?? service.spec.ports;
  for (const row of event.rows) {
    draft.insertTask({
      id: row.id,
      version: stamp.index,
      createdAt: stamp.at,
      updatedAt: stamp.at,
      serviceId: event.serviceId,
      slot: row.slot,
      ...(row.nodeId === undefined ? {} : { nodeId: row.nodeId }),
      specVersion: service.specVersion,
      spec: service.spec.task,
      ports,
      desiredState: row.startAfter === undefined ? 'running' : 'ready',
      status,
      statusAppliedAt: stamp.at,
      startAfter: row.startAfter ?? 0,
      ...(row.replaces === undefined ? {} : { replaces: row.replaces }),
      ...(row.restarts === undefined ? {} : { restarts: row.restarts }),
    });
  }
}
