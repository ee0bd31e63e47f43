/**
 * How far the tasks of services have come that others wait for, counted, and folded from the same changes as the state.
 * A service is counted once, in slices, when somebody begins to wait for it.
 */

import type { ServiceId } from '../../../model/ids.ts';
import type { Task } from '../../../model/objects.ts';
import type { ChangeOf } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { isHealthy, isStarted, type Standing } from './conditions.ts';

interface Count {
  started: number;
  healthy: number;
  /** The slot to go on from with counting; `undefined` when all are counted. */
  next: number | undefined;
}

/** Counts by service. */
export class Standings {
  readonly #counts = new Map<ServiceId, Count>();
  /** Those that are not counted to the end. */
  readonly #open = new Set<ServiceId>();

  clear(): void {
    this.#counts.clear();
    this.#open.clear();
  }

  /** Some service is not counted to the end. */
  get isCounting(): boolean {
    return this.#open.size > 0;
  }

  /** Begins to count a service, if it is not yet. */
  track(id: ServiceId): void {
    if (this.#counts.has(id)) return;
    this.#counts.set(id, { started: 0, healthy: 0, next: 0 });
    this.#open.add(id);
  }

  drop(id: ServiceId): void {
    this.#counts.delete(id);
    this.#open.delete(id);
  }

  /** Where the service stands; undefined as long as it is not counted to the end. */
  of(id: ServiceId): Standing | undefined {
    const count = this.#counts.get(id);
    if (!count || count.next !== undefined) return undefined;
    return { started: count.started > 0, healthy: count.healthy > 0 };
  }

  /** Takes in a change of a task. @returns whether a condition may hold now that did not, or no more. */
  fold({ before, after }: ChangeOf<'task'>, state: ClusterState): boolean {
    const task = after ?? before;
    const count = task && this.#counts.get(task.serviceId);
    if (!task || !count) return false;
    if (count.next !== undefined && isUnknownSlot(task, state)) {
      // It can't be told whether it was counted: the node that is its slot is gone.
      Object.assign(count, { started: 0, healthy: 0, next: 0 });
      return false;
    }
    if (count.next !== undefined && state.slotKey(task) >= count.next) return false;
    const was = { started: count.started > 0, healthy: count.healthy > 0 };
    count.started += difference(isStarted, before, after);
    count.healthy += difference(isHealthy, before, after);
    return was.started !== count.started > 0 || was.healthy !== count.healthy > 0;
  }

  /** Goes on with counting, over so many slots at most. @returns the services that are counted to the end now. */
  goOn(state: ClusterState, most: number): ServiceId[] {
    const counted: ServiceId[] = [];
    let left = most;
    for (const id of this.#open) {
      const count = this.#counts.get(id);
      if (!count) continue;
      for (const [key, tasks] of state.slots(id, count.next)) {
        if (left-- === 0) return counted;
        for (const task of tasks) {
          count.started += Number(isStarted(task));
          count.healthy += Number(isHealthy(task));
        }
        count.next = key + 1;
      }
      count.next = undefined;
      this.#open.delete(id);
      counted.push(id);
    }
    return counted;
  }
}

function isUnknownSlot(task: Task, state: ClusterState): boolean {
  return task.slot === 0 && task.nodeId !== undefined && !state.roots.nodes.ids.has(task.nodeId);
}

function difference(
  counts: (task: Task) => boolean,
  before: Task | undefined,
  after: Task | undefined,
): number {
  return Number(after !== undefined && counts(after)) - Number(before !== undefined && counts(before));
}
