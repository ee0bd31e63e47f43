/**
 * Makes the next row of a task. Task rows are what a cluster has most of, and every assignment and report makes one,
 * so they are written out field by field: rows of one kind then share one hidden class and need no second object for
 * fields that came later. A spread that adds a field costs several times as much.
 */

import type { NodeId } from '../../model/ids.ts';
import type { AllocatedPort, Task, TaskLeaving, TaskStatus } from '../../model/objects.ts';
import type { PlacementDecision, PlacementExplanation } from '../../model/placement.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { type DesiredState, isTerminal } from '../../model/task-state.ts';
import type { Stamp } from './stamp.ts';

/** What may change in a task's row. Absent: stays as it is. */
export interface TaskRowChange {
  /** Says also when the leader committed it. */
  readonly status?: TaskStatus;
  readonly desiredState?: DesiredState;
  readonly nodeId?: NodeId;
  readonly ports?: readonly AllocatedPort[];
  readonly assignedGeneric?: AssignedGeneric;
  /** `null` takes it away. */
  readonly explanation?: PlacementExplanation | null;
  readonly decision?: PlacementDecision | undefined;
  readonly leaving?: TaskLeaving;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The row of a task after a change. */
export function changedTask(task: Task, change: TaskRowChange, stamp: Stamp): Task {
  const nodeId = change.nodeId ?? task.nodeId;
  const decision = change.decision ?? task.decision;
  const after: Writable<Task> =
    nodeId === undefined
      ? {
          id: task.id,
          version: stamp.index,
          createdAt: task.createdAt,
          updatedAt: stamp.at,
          serviceId: task.serviceId,
          slot: task.slot,
          specVersion: task.specVersion,
          spec: task.spec,
          ports: change.ports ?? task.ports,
          desiredState: change.desiredState ?? task.desiredState,
          status: change.status ?? task.status,
          statusAppliedAt: change.status === undefined ? task.statusAppliedAt : stamp.at,
          startAfter: task.startAfter,
        }
      : decision === undefined
        ? {
            id: task.id,
            version: stamp.index,
            createdAt: task.createdAt,
            updatedAt: stamp.at,
            serviceId: task.serviceId,
            slot: task.slot,
            nodeId,
            specVersion: task.specVersion,
            spec: task.spec,
            ports: change.ports ?? task.ports,
            desiredState: change.desiredState ?? task.desiredState,
            status: change.status ?? task.status,
            statusAppliedAt: change.status === undefined ? task.statusAppliedAt : stamp.at,
            startAfter: task.startAfter,
          }
        : {
            id: task.id,
            version: stamp.index,
            createdAt: task.createdAt,
            updatedAt: stamp.at,
            serviceId: task.serviceId,
            slot: task.slot,
            nodeId,
            specVersion: task.specVersion,
            spec: task.spec,
            ports: change.ports ?? task.ports,
            desiredState: change.desiredState ?? task.desiredState,
            status: change.status ?? task.status,
            statusAppliedAt: change.status === undefined ? task.statusAppliedAt : stamp.at,
            startAfter: task.startAfter,
            decision,
          };
  const runningSince = task.runningSince ?? (change.status?.state === 'running' ? stamp.at : undefined);
  if (runningSince !== undefined) after.runningSince = runningSince;
  if (task.replaces !== undefined) after.replaces = task.replaces;
  if (task.restarts !== undefined) after.restarts = task.restarts;
  const assignedGeneric = change.assignedGeneric ?? task.assignedGeneric;
  if (assignedGeneric !== undefined) after.assignedGeneric = assignedGeneric;
  const explanation = change.explanation === undefined ? task.explanation : change.explanation;
  if (explanation != null) after.explanation = explanation;
  const leaving = change.leaving ?? task.leaving;
  // One that has ended has nothing to wait for any more.
  if (leaving !== undefined && !isTerminal(after.status.state)) after.leaving = leaving;
  return after;
}
