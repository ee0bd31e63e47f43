/** Tasks that wait for the allocator: new ones as they come, and those of whole services, found a few slots at a time. */

import type { ServiceId, TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { ROWS_PER_TRANSACTION } from '../control-loop.ts';

/** A search of a whole service, made in slices, for tasks that are `new`. Those made meanwhile are known already. */
interface Search {
  /** The slot to go on from. */
  next: number;
  /** The service was released once more: when this search is over, another begins. */
  again: boolean;
}

/** The tasks that are `new`. */
export class NewTasks {
  /** Services whose `new` tasks are to be looked for. */
  readonly #released = new Map<ServiceId, Search>();
  #fresh: TaskId[] = [];
  readonly #slotsPerTurn: number;

  /** @param slotsPerTurn Most slots that one {@link take} looks at because whole services are to be looked at. */
  constructor(slotsPerTurn: number) {
    this.#slotsPerTurn = slotsPerTurn;
  }

  /** Whether any is to be looked at. */
  get isMarked(): boolean {
    return this.#released.size > 0 || this.#fresh.length > 0;
  }

  clear(): void {
    this.#released.clear();
    this.#fresh = [];
  }

  add(id: TaskId): void {
    this.#fresh.push(id);
  }

  /** All `new` tasks of the service are to be looked at. */
  release(id: ServiceId): void {
    const search = this.#released.get(id);
    if (search) search.again = search.next > 0;
    else this.#released.set(id, { next: 0, again: false });
  }

  forget(id: ServiceId): void {
    this.#released.delete(id);
  }

  /** Tasks of services that are ready, as many as one transaction holds. The others come again when theirs is released. */
  take(state: ClusterState, isReady: (id: ServiceId) => boolean): readonly Task[] {
    const tasks = new Set<Task>();
    const fresh = this.#fresh;
    let taken = 0;
    for (; taken < fresh.length && tasks.size < ROWS_PER_TRANSACTION; taken++) {
      const id = fresh[taken];
      const task = id === undefined ? undefined : state.task(id);
      if (task && isToAllocate(task) && isReady(task.serviceId)) tasks.add(task);
    }
    this.#fresh = taken < fresh.length ? fresh.slice(taken) : [];
    let left = this.#slotsPerTurn;
    for (const [id, search] of this.#released) {
      if (tasks.size >= ROWS_PER_TRANSACTION || left <= 0) break;
      if (isReady(id)) left = this.#search(id, search, state, tasks, left);
      else this.#released.delete(id);
    }
    return [...tasks];
  }

  /** Goes on with a search for as many slots as are left, and returns how many are left then. */
  #search(id: ServiceId, search: Search, state: ClusterState, found: Set<Task>, most: number): number {
    let left = most;
    for (const [slot, tasks] of state.slots(id, search.next)) {
      if (left === 0 || found.size >= ROWS_PER_TRANSACTION) return left;
      for (const task of tasks) if (isToAllocate(task)) found.add(task);
      search.next = slot + 1;
      left--;
    }
    this.#released.delete(id);
    if (search.again) this.release(id);
    return left;
  }
}

/** A task that the allocator has to move on. One that is not to run any more is left to the task reaper. */
export function isToAllocate(task: Task): boolean {
  return task.status.state === 'new' && isMeantToRun(task.desiredState);
}
