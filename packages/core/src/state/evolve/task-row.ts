/**
 * Makes the next row of a task. Task rows are what a cluster has most of, and every assignment and report makes one,
 * so they are written out field by field: rows of one kind then share one hidden class and need no second object for
 * fields that came later. A spread that adds a field costs several times as much.
 */

import type { NodeId } from '../../model/ids.ts';
import type {
  AllocatedPort,
  NetworkAttachment,
  Task,
  TaskEviction,
  TaskLeaving,
  TaskNomination,
  TaskStatus,
} from '../../model/objects.ts';
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
  readonly attachments?: readonly NetworkAttachment[];
  readonly assignedGeneric?: AssignedGeneric;
  /** `null` takes it away. */
  readonly explanation?: PlacementExplanation | null;
  readonly decision?: PlacementDecision | undefined;
  /** `null` takes it away. */
  readonly evicted?: TaskEviction | null;
  readonly leaving?: TaskLeaving;
  /** `null` takes it away. */
  readonly nomination?: TaskNomination | null;
  /** `false`: it does no more. */
  readonly awaitsDependencies?: false;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The row of a task after a change. */
export function changedTask(task: Task, change: TaskRowChange, stamp: Stamp): Task {
  const after: Writable<Task> = rowOf(task, change, stamp);
  const runningSince = task.runningSince ?? (change.status?.state === 'running' ? stamp.at : undefined);
  if (runningSince !== undefined) after.runningSince = runningSince;
  if (task.replaces !== undefined) after.replaces = task.replaces;
  if (task.restarts !== undefined) after.restarts = task.restarts;
  if (task.jobIteration !== undefined) after.jobIteration = task.jobIteration;
  if (task.leaseMs !== undefined) after.leaseMs = task.leaseMs;
  if (task.awaitsDependencies && change.awaitsDependencies !== false) after.awaitsDependencies = true;
  const attachments = change.attachments ?? task.attachments;
  // One that has ended gives its addresses back.
  if (attachments !== undefined && !isTerminal(after.status.state)) after.attachments = attachments;
  const assignedGeneric = change.assignedGeneric ?? task.assignedGeneric;
  if (assignedGeneric !== undefined) after.assignedGeneric = assignedGeneric;
  const explanation = change.explanation === undefined ? task.explanation : change.explanation;
  if (explanation != null) after.explanation = explanation;
  const evicted = change.evicted === undefined ? task.evicted : change.evicted;
  if (evicted != null) after.evicted = evicted;
  const nomination = change.nomination === undefined ? task.nomination : change.nomination;
  if (nomination != null) after.nomination = nomination;
  const leaving = change.leaving ?? task.leaving;
  // One that has ended has nothing to wait for any more.
  if (leaving !== undefined && !isTerminal(after.status.state)) after.leaving = leaving;
  return after;
}

/** What every row of its kind has, of one hidden class each: rows that were placed on a node, and rows that wait. */
function rowOf(task: Task, change: TaskRowChange, stamp: Stamp): Task {
  const { id, createdAt, serviceId, slot, specVersion, spec, startAfter } = task;
  const { index: version, at: updatedAt } = stamp;
  const nodeId = change.nodeId ?? task.nodeId;
  const decision = change.decision ?? task.decision;
  const ports = change.ports ?? task.ports;
  const desiredState = change.desiredState ?? task.desiredState;
  const status = change.status ?? task.status;
  const statusAppliedAt = change.status === undefined ? task.statusAppliedAt : updatedAt;
  if (nodeId !== undefined && decision !== undefined) {
    return {
      id,
      version,
      createdAt,
      updatedAt,
      serviceId,
      slot,
      nodeId,
      specVersion,
      spec,
      ports,
      desiredState,
      status,
      statusAppliedAt,
      startAfter,
      decision,
    };
  }
  const waiting: Writable<Task> = {
    id,
    version,
    createdAt,
    updatedAt,
    serviceId,
    slot,
    specVersion,
    spec,
    ports,
    desiredState,
    status,
    statusAppliedAt,
    startAfter,
  };
  // Few rows have a node and no decision: those made for one node, until the scheduler has let them go there.
  if (nodeId !== undefined) waiting.nodeId = nodeId;
  return waiting;
}
