/** Tasks that wait for their service's dependencies, by service; found once, then folded from changes. */

import type { ServiceId, TaskId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import type { ChangeOf } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';

/** The waiting tasks of a cluster. */
export class WaitingTasks {
  readonly #tasks = new Map<ServiceId, Set<TaskId>>();
  /** Services to look for them in, each with the slot to go on from. */
  readonly #searches = new Map<ServiceId, number>();

  clear(): void {
    this.#tasks.clear();
    this.#searches.clear();
  }

  get isSearching(): boolean {
    return this.#searches.size > 0;
  }

  /** Looks through a service that may have waiting tasks from before this leadership. */
  search(id: ServiceId): void {
    this.#searches.set(id, 0);
  }

  /** Takes in a change of a task. @returns whether it came to wait. */
  fold({ before, after }: ChangeOf<'task'>): boolean {
    const was = before !== undefined && isWaiting(before);
    const is = after !== undefined && isWaiting(after);
    if (is && !was) this.#of(after.serviceId).add(after.id);
    else if (was && !is) this.#remove(before);
    return is && !was;
  }

  /** Goes on with looking, over so many slots at most. @returns services in which tasks were found. */
  goOn(state: ClusterState, most: number): ServiceId[] {
    const found: ServiceId[] = [];
    let left = most;
    for (const [id, from] of this.#searches) {
      let next: number | undefined;
      for (const [key, tasks] of state.slots(id, from)) {
        if (left-- <= 0) {
          next = key;
          break;
        }
        for (const task of tasks) if (isWaiting(task)) this.#of(id).add(task.id);
      }
      if (next !== undefined) {
        this.#searches.set(id, next);
        break;
      }
      this.#searches.delete(id);
      if (this.#tasks.has(id)) found.push(id);
    }
    return found;
  }

  /** The waiting tasks of a service that are known. */
  of(id: ServiceId): ReadonlySet<TaskId> {
    return this.#tasks.get(id) ?? new Set();
  }

  #of(id: ServiceId): Set<TaskId> {
    let tasks = this.#tasks.get(id);
    if (!tasks) {
      tasks = new Set();
      this.#tasks.set(id, tasks);
    }
    return tasks;
  }

  #remove(task: Task): void {
    const tasks = this.#tasks.get(task.serviceId);
    tasks?.delete(task.id);
    if (tasks?.size === 0) this.#tasks.delete(task.serviceId);
  }
}

/** It waits for its service's dependencies, and is to live. */
function isWaiting({ awaitsDependencies, desiredState, status }: Task): boolean {
  return awaitsDependencies === true && isMeantToRun(desiredState) && !isTerminal(status.state);
}
