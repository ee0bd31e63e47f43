/** How far the drain of a node has come. */

import { leaveRemedy } from '../manager/diagnosis/leave-remedy.ts';
import { type LeaveReason, leaveReason } from '../manager/orchestrator/drain/leave-reason.ts';
import { needsSomebody } from '../model/finding.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Node, Task } from '../model/objects.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { distinct, type Measured, type Progress } from './progress.ts';

/** A task that is still on a node that is drained, and why. */
export interface LeavingTask extends LeaveReason {
  readonly task: TaskId;
  /** Name of its service. */
  readonly service: string;
  /** From 1 in a replicated service; 0 in a global one. */
  readonly slot: number;
  /** What would let it go. */
  readonly remedy: string;
}

/** How far a node's drain has come. */
export interface DrainProgress extends Progress {
  readonly node: NodeId;
  /** Those of them that were told to stop. */
  readonly stopping: number;
  /** Nothing is at work there any more, and nothing new comes. The same as `finished`. */
  readonly drained: boolean;
  /** The tasks that are left, at most {@link TASKS_TOLD}, each with what it waits for. */
  readonly tasks: readonly LeavingTask[];
}

/** Most tasks that a progress tells of one by one. */
export const TASKS_TOLD = 100;

/** How far the node's drain has come, as the state has it. Looks at the node's tasks. */
export function drainProgress(state: ClusterState, node: Node): DrainProgress {
  const measured = measureDrain(state, node);
  const stalled = !measured.finished && measured.findings.some(needsSomebody);
  return { ...measured, total: measured.left, stalled };
}

/** What a look at the node finds. */
export function measureDrain(state: ClusterState, node: Node): Measured<DrainProgress> {
  let left = 0;
  let stopping = 0;
  const tasks: LeavingTask[] = [];
  for (const task of state.tasksOfNode(node.id)) {
    if (!isAtWork(task, node)) continue;
    left += 1;
    if (!isMeantToRun(task.desiredState)) stopping += 1;
    const reason = tasks.length < TASKS_TOLD ? leaveReason(state, task) : undefined;
    if (!reason) continue;
    const { code, message } = reason;
    const remedy = leaveRemedy(code);
    const service = serviceName(state, task);
    tasks.push({ task: task.id, service, slot: task.slot, code, message, remedy });
  }
  const drained = node.spec.availability === 'drain' && left === 0;
  return { node: node.id, left, stopping, drained, finished: drained, tasks, findings: distinct(tasks) };
}

/** Nobody hears of the end of what is on a node that is down, so there only what is meant to run counts. */
function isAtWork({ status, desiredState }: Task, node: Node): boolean {
  if (isTerminal(status.state) || taskStateRank(status.state) < taskStateRank('assigned')) return false;
  return node.status.state !== 'down' || isMeantToRun(desiredState);
}

function serviceName(state: ClusterState, { serviceId }: Task): string {
  const service = state.service(serviceId)?.spec ?? state.roots.departed.get(serviceId);
  return service?.name ?? serviceId;
}
