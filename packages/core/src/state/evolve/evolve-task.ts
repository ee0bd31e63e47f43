/** What task events do. The hot path: rows are built by spread, without a proxy between. */

import type { ClusterEvent } from '../../events/event.ts';
import type { Task, TaskStatus } from '../../model/objects.ts';
import { isDesiredAfter } from '../../model/task-state.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import type { Stamp } from './stamp.ts';

type TaskEvent = Extract<ClusterEvent, { readonly type: `task.${string}` }>;

export function evolveTask(draft: StateDraft, event: TaskEvent, stamp: Stamp): void {
  switch (event.type) {
    case 'task.created':
      created(draft, event, stamp);
      return;
    case 'task.allocated': {
      const status: TaskStatus = { state: 'pending', at: stamp.at, message: 'pending task scheduling' };
      for (const id of event.ids) {
        const task = existing(draft, id);
        const ports = draft.service(task.serviceId)?.endpoint?.ports ?? task.ports;
        draft.replaceTask(task, {
          ...task,
          version: stamp.index,
          updatedAt: stamp.at,
          ports,
          status,
          statusAppliedAt: stamp.at,
        });
      }
      return;
    }
    case 'task.assigned': {
      const status: TaskStatus = { state: 'assigned', at: stamp.at, message: 'scheduler assigned task to node' };
      for (const { nodeId, tasks, generic } of event.rows) {
        for (const id of tasks) {
          const { explanation: _placed, ...task } = existing(draft, id);
          const assignedGeneric = generic?.[id];
          draft.replaceTask(existing(draft, id), {
            ...task,
            version: stamp.index,
            updatedAt: stamp.at,
            nodeId,
            status,
            statusAppliedAt: stamp.at,
            ...(assignedGeneric === undefined ? {} : { assignedGeneric }),
          });
        }
      }
      return;
    }
    case 'task.unplaced':
      for (const id of event.ids) {
        const task = existing(draft, id);
        draft.replaceTask(task, {
          ...task,
          version: stamp.index,
          updatedAt: stamp.at,
          explanation: event.explanation,
        });
      }
      return;
    case 'task.status':
      for (const { id, status } of event.rows) {
        const task = existing(draft, id);
        draft.replaceTask(task, {
          ...task,
          version: stamp.index,
          updatedAt: stamp.at,
          status,
          statusAppliedAt: stamp.at,
        });
      }
      return;
    case 'task.desired':
      for (const id of event.ids) {
        const task = existing(draft, id);
        if (isDesiredAfter(event.state, task.desiredState)) {
          draft.replaceTask(task, {
            ...task,
            version: stamp.index,
            updatedAt: stamp.at,
            desiredState: event.state,
          });
        }
      }
      return;
    case 'task.removed':
      for (const id of event.ids) draft.deleteTask(id);
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

function existing(draft: StateDraft, id: Task['id']): Task {
  const task = draft.task(id);
  if (!task) throw new InconsistentEventError(`task ${id} does not exist`);
  return task;
}
