/** Those who proposed in a term that this member leads, and wait for their entry. One answer each, and a true one. */

import type { LogIndex, Term } from '../core/types.ts';

/** How an entry that was accepted in a term ended. */
export type TermOutcome =
  /** Applied here. */
  | { readonly kind: 'committed'; readonly index: LogIndex }
  /** Another entry has its place for good: it is not in the log and never will be. */
  | { readonly kind: 'superseded' }
  /** It may be in the log or not. */
  | { readonly kind: 'unknown'; readonly reason: 'leadership-lost' | 'timeout' | 'closed' };

interface Waiter {
  readonly term: Term;
  readonly deadline: number;
  readonly resolve: (outcome: TermOutcome) => void;
}

/** Waiters by the index of their entry. */
export class TermWaiters {
  #waiters = new Map<LogIndex, Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** @param deadline - no earlier than those of the waiters before. */
  wait(index: LogIndex, term: Term, deadline: number): Promise<TermOutcome> {
    return new Promise((resolve) => {
      this.#waiters.set(index, { term, deadline, resolve });
    });
  }

  /** The entry at `index` was applied. */
  applied(index: LogIndex, term: Term): void {
    const waiter = this.#waiters.get(index);
    if (waiter === undefined) return;
    this.#waiters.delete(index);
    waiter.resolve(waiter.term === term ? { kind: 'committed', index } : { kind: 'superseded' });
  }

  /** The term is over: what is not known to be committed up to `handedOut` may be lost. */
  lost(handedOut: LogIndex): void {
    for (const [index, { resolve }] of this.#waiters) {
      if (index <= handedOut) continue;
      this.#waiters.delete(index);
      resolve({ kind: 'unknown', reason: 'leadership-lost' });
    }
  }

  /** A snapshot took the place of everything up to `index`. */
  skipped(index: LogIndex): void {
    for (const [at, { resolve }] of this.#waiters) {
      if (at > index) continue;
      this.#waiters.delete(at);
      resolve({ kind: 'unknown', reason: 'leadership-lost' });
    }
  }

  /** Time has passed: the oldest end whose time is over. */
  expire(now: number): void {
    for (const [index, { deadline, resolve }] of this.#waiters) {
      if (now < deadline) return;
      this.#waiters.delete(index);
      resolve({ kind: 'unknown', reason: 'timeout' });
    }
  }

  closed(): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const { resolve } of waiters) resolve({ kind: 'unknown', reason: 'closed' });
  }
}
