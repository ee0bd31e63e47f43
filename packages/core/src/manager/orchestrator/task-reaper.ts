/**
 * Forgets tasks that nobody needs any more: history beyond the limit, tasks that were to be removed and have ended,
 * and tasks that were given up before they had a node. It looks at slots that changed, never at all tasks, save at
 * the start of a leadership and when a limit changes.
 *
 * It never removes the newest task of a slot for the sake of the limit: by it the orchestrator knows that a slot whose
 * restart policy wants no other task is filled. Of jobs, the tasks of runs that are over count as history, and the
 * newest of each run that goes on is kept.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Service, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import type { Change, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type ControlLoop, type Decision, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import { openIterations } from './jobs/job-runs.ts';
import { Marks } from './marks.ts';

/** Name of the loop, and the actor of its transactions. */
const TASK_REAPER = 'orchestrator/task-reaper';

/** Tasks that one turn looks at. */
const TASKS_PER_TURN = 5_000;

/** So many of them in looks at whole services, which leaves room to do what was found. */
const LOOKED_AT_PER_TURN = ROWS_PER_TRANSACTION;

/** The control loop that forgets tasks. */
export function createTaskReaper(): ControlLoop {
  return new TaskReaper();
}

class TaskReaper implements ControlLoop {
  readonly name = TASK_REAPER;
  readonly #marks = new Marks();
  /** Services that are looked at as a whole, each with the slot to go on from. */
  readonly #looks = new Map<ServiceId, number>();

  begin(state: ClusterState): void {
    this.#marks.clear();
    this.#looks.clear();
    this.#markAll(state);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    for (const change of changes.changes) this.#observeOne(change, state);
  }

  decide(state: ClusterState): Decision {
    const removed: TaskId[] = [];
    const given: TaskId[] = [];
    let looked = this.#lookForMarks(state);
    const hasRoom = () => removed.length + given.length < ROWS_PER_TRANSACTION && looked < TASKS_PER_TURN;
    for (let id = this.#marks.first(); id !== undefined && hasRoom(); id = this.#marks.first()) {
      const service = state.service(id);
      const mark = this.#marks.take(id);
      for (const key of mark.slots) {
        if (!hasRoom()) break;
        mark.slots.delete(key);
        const tasks = state.slot(id, key);
        looked += tasks.length;
        removed.push(...reap(tasks, historyLimit(service, state), service, state));
        if (service) continue;
        for (const task of tasks) if (task.desiredState !== 'remove') given.push(task.id);
      }
      if (mark.slots.size > 0) this.#marks.putBack(id, mark);
    }
    const events: ClusterEvent[] = [];
    if (given.length > 0) events.push({ type: 'task.desired', state: 'remove', ids: given });
    if (removed.length > 0) events.push({ type: 'task.removed', ids: removed });
    return { events, more: this.#marks.size + this.#looks.size > 0 };
  }

  /** Goes on with looks at whole services: marks the slots that may hold something to forget. @returns tasks seen */
  #lookForMarks(state: ClusterState): number {
    let looked = 0;
    for (const [id, from] of this.#looks) {
      const orphaned = state.service(id) === undefined;
      let next: number | undefined;
      for (const [key, tasks] of state.slots(id, from)) {
        next = looked < LOOKED_AT_PER_TURN ? undefined : key;
        if (next !== undefined) break;
        looked += tasks.length;
        if (orphaned || tasks.length > 1 || tasks.some(isGivenUp)) this.#marks.slot(id, key);
      }
      if (next !== undefined) {
        this.#looks.set(id, next);
        break;
      }
      this.#looks.delete(id);
    }
    return looked;
  }

  #observeOne(change: Change, state: ClusterState): void {
    switch (change.kind) {
      case 'task': {
        const { before, after } = change;
        if (after === undefined) return;
        const isOfJob = after.jobIteration !== undefined;
        const madeInPlace = before === undefined && (after.replaces !== undefined || isOfJob);
        if (madeInPlace || isGivenUp(after)) this.#marks.slot(after.serviceId, state.slotKey(after));
        return;
      }
      case 'service':
        this.#observeService(change.before, change.after, state);
        return;
      case 'cluster':
        if (change.before?.spec.taskHistoryLimit !== change.after?.spec.taskHistoryLimit)
          this.#markAll(state);
    }
  }

  #observeService(before: Service | undefined, after: Service | undefined, state: ClusterState): void {
    if (!before) return;
    // One that is removed is known for as long as it has tasks, which may be left to this loop.
    const isToLookAt = after ? attempts(before) !== attempts(after) : state.roots.departed.has(before.id);
    if (isToLookAt) this.#looks.set(before.id, 0);
  }

  #markAll(state: ClusterState): void {
    // Ids and not rows: a service that was removed is known by its id for as long as it has tasks.
    for (const id of state.roots.services.ids.keys()) this.#looks.set(id, 0);
  }
}

const attempts = (service: Service) => service.spec.task.restart.maxAttempts;

/** Tasks kept in a slot, the live one included; negative: all. A limit of attempts keeps them all in sight. */
function historyLimit(service: Service | undefined, state: ClusterState): number {
  const maxAttempts = service ? attempts(service) : 0;
  return maxAttempts > 0 ? maxAttempts + 1 : (state.cluster?.spec.taskHistoryLimit ?? -1);
}

/** It is not meant to run, and nothing more will be heard of it. */
function isGivenUp(task: Task): boolean {
  const { state } = task.status;
  return !isMeantToRun(task.desiredState) && (isTerminal(state) || isWithoutNode(task));
}

/** The scheduler has not placed it, so no agent knows of it. */
function isWithoutNode(task: Task): boolean {
  return taskStateRank(task.status.state) < taskStateRank('assigned');
}

/** Which tasks of a slot, given oldest first, are to be forgotten. Pure. */
function reap(
  tasks: readonly Task[],
  limit: number,
  service: Service | undefined,
  state: ClusterState,
): readonly TaskId[] {
  const removed: TaskId[] = [];
  const kept: Task[] = [];
  for (const task of tasks) {
    const unwanted = task.desiredState === 'remove' || service === undefined || isWithoutNode(task);
    const gone = unwanted && (isGivenUp(task) || (service === undefined && isTerminal(task.status.state)));
    if (gone && isRemovable(task, state)) removed.push(task.id);
    else kept.push(task);
  }
  if (limit < 0) return removed;
  const open = service ? openIterations(service) : [];
  let excess = kept.length - Math.max(limit, 1);
  for (const [index, task] of kept.entries()) {
    if (excess <= 0) break;
    if (isNewest(index, kept, open) || !isHistory(task, open) || !isRemovable(task, state)) continue;
    removed.push(task.id);
    excess--;
  }
  return removed;
}

/** By the newest task of a slot, and of each run that goes on there, the orchestrator knows how the slot stands. */
function isNewest(index: number, kept: readonly Task[], open: readonly number[]): boolean {
  const { jobIteration } = kept[index] as Task;
  const later = kept.slice(index + 1);
  if (jobIteration === undefined || !open.includes(jobIteration)) return later.length === 0;
  return !later.some((task) => task.jobIteration === jobIteration);
}

/** Nothing more will be heard of it, and nothing is decided by it: what completed stays wanted as it is. */
function isHistory(task: Task, open: readonly number[]): boolean {
  if (isGivenUp(task)) return true;
  const { jobIteration, status } = task;
  return jobIteration !== undefined && !open.includes(jobIteration) && isTerminal(status.state);
}

/** A global service's task is found by its node; without that, the state could not remove it. */
function isRemovable(task: Task, state: ClusterState): boolean {
  return task.slot !== 0 || task.nodeId === undefined || state.roots.nodes.ids.has(task.nodeId);
}
