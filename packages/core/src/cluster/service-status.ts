/** How far a service is from what was asked for, and why. */

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
    const live = tasks.filter((task) => isMeantToRun(task.desiredState) && !isTerminal(task.status.state));
    for (const task of tasks) {
      const runs = task.status.state === 'running';
      if (runs && isMeantToRun(task.desiredState)) running += 1;
      if (runs && !isMeantToRun(task.desiredState)) leaving += 1;
    }
    const newest = live.at(-1);
    if (newest) meant += 1;
    const upToDate = newest !== undefined && !isTaskDirty(service, newest, nodeOf(state, newest));
    if (newest?.status.state === 'running' && upToDate) current += 1;
    else if (tasks.some((task) => task.desiredState !== 'remove')) note(reasonFor(newest ?? tasks.at(-1)));
    if (newest && !upToDate) outdated += 1;
  }
  const desired = service.spec.mode === 'replicated' ? (service.spec.replicas ?? 1) : meant;
  if (service.allocationError !== undefined) note(service.allocationError);
  const converged =
    current === desired &&
    running === desired &&
    outdated === 0 &&
    leaving === 0 &&
    service.allocationError === undefined;
  if (!converged && reasons.size === 0) note('its tasks are being created or stopped');
  const told = [...reasons].sort(([, a], [, b]) => b - a).slice(0, REASONS_MAX);
  return {
    desired,
    running,
    current,
    converged,
    reasons: converged
      ? []
      : told.map(([reason, count]) => (count > 1 ? `${reason} (${count} tasks)` : reason)),
  };
}

function nodeOf(state: ClusterState, task: Task): Node | undefined {
  return task.nodeId === undefined ? undefined : state.node(task.nodeId);
}

function reasonFor(task: Task | undefined): string {
  if (!task) return 'no task was created yet';
  const { state, error, message } = task.status;
  if (task.explanation) return task.explanation.message;
  if (isTerminal(state)) return `task ${state}: ${error ?? message}`;
  return error === undefined ? `task ${state}` : `task ${state}: ${error}`;
}
