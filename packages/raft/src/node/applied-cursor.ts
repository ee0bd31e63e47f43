/** How far the state machine has come, and who waits for it to come further. */

import type { LogIndex } from '../core/types.ts';

interface Waiter {
  readonly index: LogIndex;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** An index that only grows, and that can be awaited. */
export class AppliedCursor {
  readonly #waiters = new Set<Waiter>();
  #index: LogIndex = 0;
  #nearest = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;

  get index(): LogIndex {
    return this.#index;
  }

  /** Moves to `index` and wakes those who waited for it. */
  advance(index: LogIndex): void {
    this.#index = index;
    if (index < this.#nearest) return;
    this.#nearest = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      if (waiter.index <= index) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      } else this.#nearest = Math.min(this.#nearest, waiter.index);
    }
  }

  /** Resolves once `index` is applied. Rejects with the signal's reason, or when the node failed or closed. */
  wait(index: LogIndex, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (index <= this.#index) return resolve();
      if (this.#failure !== undefined) return reject(this.#failure);
      const abort = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const ended = () => signal?.removeEventListener('abort', abort);
      const waiter: Waiter = {
        index,
        resolve: () => {
          ended();
          resolve();
        },
        reject: (reason) => {
          ended();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
      this.#nearest = Math.min(this.#nearest, index);
    });
  }

  /** Ends every wait, now and later, for what will never be applied. */
  fail(error: Error): void {
    this.#failure ??= error;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.reject(this.#failure);
  }
}
