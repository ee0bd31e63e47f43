/** How far a service is from what was asked for, and why. */

import { mayBeAtWork } from '../manager/orchestrator/node-validity.ts';
import { isTaskDirty } from '../manager/orchestrator/task-dirty.ts';
import type { Node, Service, Task } from '../model/objects.ts';
import { isMeantToRun, isTerminal } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** A service's convergence just now. */
export interface ServiceStatus {
  /** Tasks that should run: the replicas, or the nodes that a global service has a task on. */
  readonly desired: number;
  /** Tasks that run and are meant to, of any spec version. */
  readonly running: number;
  /** Of those, the ones made from the newest spec. */
  readonly current: number;
  /** All that should run runs, from the newest spec, and nothing of an older one is left running. */
  readonly converged: boolean;
  /** What stands in the way, in words, most common first; empty when converged. */
  readonly reasons: readonly string[];
}

/** Most reasons told. */
const REASONS_MAX = 5;

/** The status of one service. Looks at all of its tasks. */
export function serviceStatus(state: ClusterState, service: Service): ServiceStatus {
  let running = 0;
  let current = 0;
  let meant = 0;
  let outdated = 0;
  let leaving = 0;
  const reasons = new Map<string, number>();
  const note = (reason: string) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [, tasks] of state.slots(service.id)) {
    for (const task of tasks) {
      if (task.status.state !== 'running') continue;
      if (isMeantToRun(task.desiredState)) running += 1;
      // Nobody can hear the end of a task whose node is gone, so nobody waits for it.
      else if (mayBeAtWork(task, state)) leaving += 1;
    }
    const newest = tasks.findLast(
      (task) => isMeantToRun(task.desiredState) && !isTerminal(task.status.state),
    );
    if (!newest) {
      const last = tasks.at(-1);
      if (last && service.spec.mode === 'replicated' && last.desiredState !== 'remove') note(ended(last));
      continue;
    }
    meant += 1;
    const upToDate = !isTaskDirty(service, newest, nodeOf(state, newest));
    if (!upToDate) outdated += 1;
    if (newest.status.state === 'running' && upToDate) current += 1;
    else note(upToDate ? reasonFor(newest, state) : 'task is of an older spec and waits to be replaced');
  }
  const desired = service.spec.mode === 'replicated' ? (service.spec.replicas ?? 1) : meant;
  if (service.allocationError !== undefined) note(service.allocationError);
  const settled = outdated === 0 && leaving === 0 && service.allocationError === undefined;
  const converged = current === desired && running === desired && settled;
  if (converged) return { desired, running, current, converged, reasons: [] };
  if (leaving > 0) reasons.set('task is being stopped', leaving);
  if (reasons.size === 0) note('its tasks are being created');
  const told = [...reasons].sort(([, a], [, b]) => b - a).slice(0, REASONS_MAX);
  return {
    desired,
    running,
    current,
    converged,
    reasons: told.map(([reason, count]) => (count > 1 ? `${reason} (${count} tasks)` : reason)),
  };
}

function nodeOf(state: ClusterState, task: Task): Node | undefined {
  return task.nodeId === undefined ? undefined : state.node(task.nodeId);
}

/** Why a task that should run does not. */
function reasonFor(task: Task, state: ClusterState): string {
  if (task.explanation) return task.explanation.message;
  const before = task.replaces === undefined ? undefined : state.task(task.replaces);
  if (task.desiredState === 'ready' && before) {
    const { state: observed, error, message } = before.status;
    if (!isTerminal(observed)) return 'task waits for the one before it to stop';
    const after = `after: task ${observed}: ${error ?? message}`;
    return task.startAfter > 0
      ? `task waits until ${new Date(task.startAfter).toISOString()} ${after}`
      : `task waits ${after}`;
  }
  const { state: observed, error } = task.status;
  return error === undefined ? `task ${observed}` : `task ${observed}: ${error}`;
}

/** Why a slot has no task that should run: what became of the last one. */
function ended({ status, desiredState }: Task): string {
  const how = `task ${status.state}: ${status.error ?? status.message}`;
  return isMeantToRun(desiredState) ? how : `${how}; its restart policy allows no more`;
}
