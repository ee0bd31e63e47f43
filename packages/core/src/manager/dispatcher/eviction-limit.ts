/**
 * How quickly the tasks of lost nodes are replaced. One node's tasks go at once; when many nodes are lost together, it
 * is more likely that the network is, and moving everything would make it worse: then a bucket of tokens, one a task,
 * lets them go little by little. What Kubernetes calls the node eviction rate, counted in tasks.
 */

import type { NodeId } from '../../model/ids.ts';

/** Settings: see the cluster's `dispatcher.eviction`. */
export interface EvictionRate {
  readonly tasksAtOnce: number;
  readonly tasksPerSecond: number;
}

/** The default rate. */
export const EVICTION_RATE: EvictionRate = { tasksAtOnce: 1_000, tasksPerSecond: 100 };

/** Lets lost nodes go, oldest first. Times by a monotonic clock, milliseconds. */
export class EvictionLimit {
  readonly #waiting = new Set<NodeId>();
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt = 0;

  /** A node is lost, and waits for its turn. */
  add(id: NodeId): void {
    this.#waiting.add(id);
  }

  /** A node is back, or gone for good. */
  delete(id: NodeId): void {
    this.#waiting.delete(id);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** The nodes whose turn it is now. @param tasksOn - how many tasks would have to be replaced. */
  take(rate: EvictionRate, now: number, tasksOn: (id: NodeId) => number): NodeId[] {
    const gained = ((now - this.#filledAt) / 1_000) * rate.tasksPerSecond;
    this.#tokens = Math.min(rate.tasksAtOnce, this.#tokens + gained);
    this.#filledAt = now;
    const going: NodeId[] = [];
    for (const id of this.#waiting) {
      // The last that fits is not divided: it is paid for by those that come after.
      if (this.#tokens <= 0) break;
      this.#tokens -= tasksOn(id);
      this.#waiting.delete(id);
      going.push(id);
    }
    return going;
  }

  /** In how many milliseconds the next node has its turn; undefined when none waits. */
  nextIn(rate: EvictionRate): number | undefined {
    if (this.#waiting.size === 0) return undefined;
    return Math.max(1, Math.ceil(((1 - this.#tokens) / rate.tasksPerSecond) * 1_000));
  }
}
