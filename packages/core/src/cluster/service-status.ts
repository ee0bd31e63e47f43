/** How far a service is from what was asked for, and why. */

import { mayBeAtWork } from '../manager/orchestrator/node-validity.ts';
import { isTaskDirty } from '../manager/orchestrator/task-dirty.ts';
import { taskWait } from '../manager/orchestrator/task-wait.ts';
import type { JobStatus, Node, Service, Task, UpdateStatus } from '../model/objects.ts';
import { isMeantToRun, isTerminal } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { isPaused } from '../state/update-standing.ts';
import { type JobProgress, jobFindings } from './job-progress.ts';

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
  /**
   * Of a job: how far its newest run has come. Then `desired` counts tasks that should be at work now, and a job is
   * converged when they are, and when it has completed.
   */
  readonly job?: JobProgress;
  /** How far its last update has come; absent where its tasks were never changed. */
  readonly update?: UpdateStatus;
}

/** Most reasons told. */
const REASONS_MAX = 5;

/** The status of one service. Looks at all of its tasks. */
export function serviceStatus(state: ClusterState, service: Service): ServiceStatus {
  return service.jobStatus
    ? jobServiceStatus(state, service, service.jobStatus)
    : ongoingStatus(state, service);
}

/** The status of a service whose tasks run on. */
function ongoingStatus(state: ClusterState, service: Service): ServiceStatus {
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
    const newest = tasks.findLast((task) => isMeantToRun(task.desiredState));
    if (!newest) {
      const last = tasks.at(-1);
      if (last && service.spec.mode === 'replicated' && last.desiredState !== 'remove') note(ended(last));
      continue;
    }
    meant += 1;
    if (isTerminal(newest.status.state)) {
      note(taskWait(state, newest)?.message ?? ended(newest));
      continue;
    }
    const upToDate = !isTaskDirty(service, newest, nodeOf(state, newest));
    if (!upToDate) outdated += 1;
    if (newest.status.state === 'running' && upToDate) current += 1;
    else note(upToDate ? reasonFor(newest, state) : 'task is of an older spec and waits to be replaced');
  }
  const desired = service.spec.mode === 'replicated' ? (service.spec.replicas ?? 1) : meant;
  if (service.allocationError !== undefined) note(service.allocationError);
  const settled = outdated === 0 && leaving === 0 && service.allocationError === undefined;
  const converged = current === desired && running === desired && settled;
  const { updateStatus } = service;
  const update = updateStatus === undefined ? {} : { update: updateStatus };
  if (converged) return { desired, running, current, converged, reasons: [], ...update };
  if (leaving > 0) reasons.set('task is being stopped', leaving);
  if (reasons.size === 0) note('its tasks are being created');
  const standing = updateStatus && standsStill(updateStatus) ? [updateStatus.message] : [];
  return { desired, running, current, converged, reasons: [...standing, ...inWords(reasons)], ...update };
}

/** The status of a job: that of its newest run. */
function jobServiceStatus(state: ClusterState, service: Service, jobStatus: JobStatus): ServiceStatus {
  const found = jobFindings(state, service, jobStatus);
  const { desired, running, progress: job } = found;
  const isSettled = found.leaving === 0 && service.allocationError === undefined;
  const converged = isSettled && running === desired && job.failed === 0 && job.outcome !== 'failed';
  if (converged) return { desired, running, current: running, converged, reasons: [], job };
  const reasons = new Map<string, number>();
  const note = (reason: string) => reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const task of found.waiting) note(reasonFor(task, state));
  for (const reason of found.reasons) note(reason);
  if (service.allocationError !== undefined) note(service.allocationError);
  if (reasons.size === 0) note('its tasks are being created');
  return { desired, running, current: running, converged, reasons: inWords(reasons), job };
}

function inWords(reasons: ReadonlyMap<string, number>): string[] {
  const told = [...reasons].sort(([, a], [, b]) => b - a).slice(0, REASONS_MAX);
  return told.map(([reason, count]) => (count > 1 ? `${reason} (${count} tasks)` : reason));
}

/** Until somebody does something about it. */
function standsStill(status: UpdateStatus): boolean {
  return isPaused(status) || status.state === 'waiting';
}

function nodeOf(state: ClusterState, task: Task): Node | undefined {
  return task.nodeId === undefined ? undefined : state.node(task.nodeId);
}

/** Why a task that should run does not. */
function reasonFor(task: Task, state: ClusterState): string {
  if (task.explanation) return task.explanation.message;
  const wait = taskWait(state, task);
  if (wait) return wait.message;
  const { state: observed, error } = task.status;
  return error === undefined ? `task ${observed}` : `task ${observed}: ${error}`;
}

/** Why a slot has no task that should run: what became of the last one. */
function ended({ status, desiredState }: Task): string {
  const how = `task ${status.state}: ${status.error ?? status.message}`;
  return isMeantToRun(desiredState) ? how : `${how}; its restart policy allows no more`;
}
