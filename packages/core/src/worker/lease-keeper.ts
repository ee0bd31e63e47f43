/**
 * Watches over the leases of a node's tasks: says which of them have to be stopped, since the managers could not be heard
 * for so long that they may soon give the slot to another. Counts on the monotonic clock from when the last heartbeat
 * that was answered had been sent.
 */

import type { TaskId } from '../model/ids.ts';
import { leaseStopMs } from '../model/lease.ts';
import type { Task } from '../model/objects.ts';
import type { CancelTimer, Clock } from '../runtime/clock.ts';

/** The leases of one node. */
export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #onEnd: (id: TaskId) => void;
  /** How long after a renewal each is to be stopped; milliseconds. */
  readonly #stopAfter = new Map<TaskId, number>();
  #renewedAt = Number.NEGATIVE_INFINITY;
  #cancel: CancelTimer = () => {};

  /** @param onEnd - the task is to be stopped now. Called once for each. */
  constructor(clock: Clock, onEnd: (id: TaskId) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** The managers have heard from this node what it sent at this time of the monotonic clock. */
  renew(sentAt: number): void {
    this.#renewedAt = Math.max(this.#renewedAt, sentAt);
    this.#arm();
  }

  /** Watches over a task, if it has a lease. */
  watch({ id, leaseMs, spec }: Pick<Task, 'id' | 'leaseMs' | 'spec'>): void {
    if (leaseMs === undefined || this.#stopAfter.has(id)) return;
    this.#stopAfter.set(id, leaseStopMs(leaseMs, spec.stopGraceMs));
    this.#arm();
  }

  /** Tasks with a lease. */
  get watched(): readonly TaskId[] {
    return [...this.#stopAfter.keys()];
  }

  /** The task is gone. */
  forget(id: TaskId): void {
    this.#stopAfter.delete(id);
  }

  /** Ends the watch. */
  close(): void {
    this.#cancel();
    this.#stopAfter.clear();
  }

  #arm(): void {
    this.#cancel();
    if (this.#stopAfter.size === 0) return;
    const next = this.#renewedAt + Math.min(...this.#stopAfter.values());
    const delayMs = Math.max(0, next - this.#clock.monotonic());
    this.#cancel = this.#clock.setTimer(delayMs, () => this.#end());
  }

  #end(): void {
    const now = this.#clock.monotonic();
    for (const [id, stopAfter] of [...this.#stopAfter]) {
      if (this.#renewedAt + stopAfter > now) continue;
      this.#stopAfter.delete(id);
      this.#onEnd(id);
    }
    this.#arm();
  }
}
