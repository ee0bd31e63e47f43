/**
 * Which tasks only stay until the task that is about to take their place in their slot runs: in an update, or in a move.
 * Where tasks are spread they don't count, or the new one would keep away from the very place that comes free.
 */

import type { TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { isMeantToRun, taskStateRank } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { holdsPlace } from './holds-place.ts';

/** Folded task by task, and settled at the end of each transaction. Global services have no choice of node to make. */
export class YieldingTasks {
  readonly #ids = new Set<TaskId>();
  /** Slots in which a task is coming. */
  readonly #changing = new Set<string>();
  #touched: Task[] = [];

  /** True for a task that another one is about to take the place of. */
  has(id: TaskId): boolean {
    return this.#ids.has(id);
  }

  /** The task has left its place, or is gone. */
  forget(id: TaskId): void {
    this.#ids.delete(id);
  }

  /** Takes a change in; what comes of it is known once all changes of the transaction are. */
  note(before: Task | undefined, after: Task | undefined): void {
    const task = after ?? before;
    if (task === undefined || task.slot === 0) return;
    const isNews = isComing(before) !== isComing(after);
    if (isNews || (this.#changing.size > 0 && this.#changing.has(slotName(task)))) this.#touched.push(task);
  }

  /** @param turn - called for each task that begins or ceases to yield. */
  settle(state: ClusterState, turn: (task: Task, yields: boolean) => void): void {
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    for (const task of touched) {
      const inSlot = state.slot(task.serviceId, task.slot);
      const newest = inSlot.findLastIndex(isComing);
      if (newest === -1) this.#changing.delete(slotName(task));
      else this.#changing.add(slotName(task));
      for (const [at, one] of inSlot.entries()) {
        const yields = at < newest && holdsPlace(one) && isMeantToRun(one.desiredState);
        if (yields === this.#ids.has(one.id)) continue;
        if (yields) this.#ids.add(one.id);
        else this.#ids.delete(one.id);
        turn(one, yields);
      }
    }
  }
}

/** It takes the place of another, and does not run yet. */
function isComing(task: Task | undefined): boolean {
  if (task?.replaces === undefined || !isMeantToRun(task.desiredState)) return false;
  return taskStateRank(task.status.state) < taskStateRank('running');
}

function slotName({ serviceId, slot }: Task): string {
  return `${serviceId}/${slot}`;
}
