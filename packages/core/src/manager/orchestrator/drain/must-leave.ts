/**
 * Which tasks have to leave their node although they can run there, and may do it in order: first another one comes to
 * run elsewhere, then they stop. Pure.
 */

import type { Node, Service, Task } from '../../../model/objects.ts';
import type { TaskSpec } from '../../../model/task-spec.ts';
import { startedState } from '../../../model/task-state.ts';
import type { NodeLookup } from '../node-validity.ts';

/** Why a task has to leave its node. */
export type LeaveCause = 'drain' | NonNullable<Task['evicted']>['cause'];

/** Why the task has to leave its node, if it has to, and can be asked to do it in order: its node can be heard. */
export function leaveCause(task: Task, nodes: NodeLookup): LeaveCause | undefined {
  const node = task.nodeId === undefined ? undefined : nodes.node(task.nodeId);
  if (!node || node.status.state === 'down') return undefined;
  return node.spec.availability === 'drain' ? 'drain' : task.evicted?.cause;
}

/** How long a task that may not stay on its node is left there for its successor to come to serve; milliseconds. */
const EVICTION_MS = 60_000;

/** When a task that has not found another place by then is stopped all the same; undefined: never. */
export function leaveDeadline(task: Task, nodes: NodeLookup): number | undefined {
  const node = task.nodeId === undefined ? undefined : nodes.node(task.nodeId);
  const drained = node?.spec.availability === 'drain' ? node.spec.drainDeadline : undefined;
  if (task.evicted?.cause !== 'constraint') return drained;
  return Math.min(task.evicted.since + EVICTION_MS, drained ?? Number.POSITIVE_INFINITY);
}

/** The room that it has is needed by a task of a higher priority: it goes at once, whatever it has come to. */
export function isPreempted({ evicted }: Task): boolean {
  return evicted?.cause === 'preemption';
}

/** True for a task that serves: what is not running can be replaced without anyone missing it. */
export function serves({ status, desiredState }: Task): boolean {
  return status.state === 'running' && desiredState === 'running';
}

/** True for a task that is at what it is there for, and is to go on: one of a job, too. */
export function isUp(task: Task): boolean {
  return task.status.state === 'running' && task.desiredState === startedState(task);
}

/**
 * Whether a new task may run beside the old one for a while. Not where the service says so; by default not where tasks
 * write to volumes or directories of the machine either, since two of a slot could come to share one.
 */
export function mayStartFirst({ spec }: Service): boolean {
  if (spec.maxOne) return false;
  const order = spec.disruption?.order;
  if (order !== undefined) return order === 'start-first';
  return !writesToMounts(spec.task);
}

function writesToMounts({ mounts }: TaskSpec): boolean {
  return mounts.some(({ type, readOnly }) => type !== 'tmpfs' && !readOnly);
}

/**
 * Whether the service counts what is missing. A task that runs on each node has no other place that it could be moved to,
 * so there only if the service asks for it.
 */
export function hasBudget({ spec }: Service): boolean {
  const isOnEachNode = spec.mode === 'global' || spec.mode === 'global-job';
  return !isOnEachNode || spec.disruption !== undefined;
}

/** Tasks of a service that may be missing at once by our own doing. */
export function maxUnavailable({ spec }: Service): number {
  return spec.disruption?.maxUnavailable ?? 1;
}

/** True when something about these nodes differs that {@link leaveCause} or {@link leaveDeadline} look at. */
export function differsForLeaving(before: Node, after: Node): boolean {
  return (
    before.spec.availability !== after.spec.availability ||
    before.spec.drainDeadline !== after.spec.drainDeadline
  );
}
