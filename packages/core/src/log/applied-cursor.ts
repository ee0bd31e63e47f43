/**
 * How far the local state machine has come, and who waits for it to come further. Every log needs one: between
 * the loop that applies entries and `waitApplied`, live readers and barriers. It never holds an entry.
 */

import type { LogError, Position } from './event-log.ts';

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** A position that only grows, and that can be awaited. */
export class AppliedCursor {
  readonly #waiters = new Set<Waiter>();
  #position: Position = 0;
  #nearest = Number.POSITIVE_INFINITY;
  #failure: LogError | undefined;

  /** The last applied position. */
  get position(): Position {
    return this.#position;
  }

  /** Moves to `position` and wakes those who waited for it. */
  advance(position: Position): void {
    this.#position = position;
    // The usual case is nobody waiting for anything this near, and must cost nothing per entry.
    if (position < this.#nearest) return;
    let nearest = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      if (waiter.position <= position) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      } else if (waiter.position < nearest) nearest = waiter.position;
    }
    this.#nearest = nearest;
  }

  /** Resolves once `position` is applied. Rejects with the signal's reason, or when the log failed or closed. */
  wait(position: Position, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (position <= this.#position) return resolve();
      if (this.#failure) return reject(this.#failure);
      const onAbort = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const settle = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        position,
        resolve: () => {
          settle();
          resolve();
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      if (position < this.#nearest) this.#nearest = position;
    });
  }

  /** Ends every wait, now and later, for positions that will never be applied. */
  fail(error: LogError): void {
    this.#failure ??= error;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    this.#nearest = Number.POSITIVE_INFINITY;
    for (const waiter of waiters) waiter.reject(this.#failure);
  }
}
