/**
 * A leader's store for tests: `evolve` behind the real interface, with commits that take as long as the test says and
 * can be held back or refused.
 */

import { UnavailableError } from '../../../errors.ts';
import type { Actor, ClusterEvent } from '../../../events/event.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { seededRandom } from '../../../runtime/random.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { evolve } from '../../../state/evolve/evolve.ts';
import type { DecideContext } from '../../control-loop.ts';
import type { ChangeListener, Decided, LeaderStore } from '../../leader-store.ts';

interface Pending {
  readonly state: ClusterState;
  readonly changes: ChangeSet | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A leader's store in memory. */
export class MemoryStore implements LeaderStore {
  head: ClusterState;
  committed: ClusterState;
  /** Transactions that had events, in order. */
  readonly transactions: { readonly actor: Actor; readonly events: readonly ClusterEvent[] }[] = [];
  /** How long a commit takes. */
  commitMs = 0;
  /** While true, nothing is committed. */
  held = false;
  readonly #clock: Clock;
  readonly #random = seededRandom(7);
  readonly #headListeners = new Set<ChangeListener>();
  readonly #listeners = new Set<ChangeListener>();
  readonly #pending: Pending[] = [];

  constructor(state: ClusterState, clock: Clock) {
    this.head = state;
    this.committed = state;
    this.#clock = clock;
  }

  transact<R>(actor: Actor, decide: (head: ClusterState, context: DecideContext) => Decided<R>): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const at = Math.max(this.#clock.now(), this.head.at);
      const { events, result } = decide(this.head, { at, random: this.#random });
      let changes: ChangeSet | undefined;
      if (events.length > 0) {
        const next = evolve(this.head, { index: this.head.index + 1, at, actor, events });
        this.head = next.state;
        changes = next.changes;
        this.transactions.push({ actor, events });
        for (const listener of this.#headListeners) listener(next.changes, next.state);
      }
      const pending = { state: this.head, changes, resolve: () => resolve(result), reject };
      this.#pending.push(pending);
      this.#clock.setTimer(this.commitMs, () => this.commit(this.#pending.indexOf(pending) + 1));
    });
  }

  /** Writes events as a manager's loop would. */
  write(...events: readonly ClusterEvent[]): Promise<void> {
    return this.transact({ kind: 'loop', name: 'test' }, () => ({ events, result: undefined }));
  }

  /** Commits the oldest so many that wait, all by default, unless held. */
  commit(count = this.#pending.length): void {
    if (this.held) return;
    for (const { state, changes, resolve } of this.#pending.splice(0, count)) {
      this.committed = state;
      if (changes) for (const listener of this.#listeners) listener(changes, state);
      resolve();
    }
  }

  /** Lets commits through again. */
  release(): void {
    this.held = false;
    this.commit();
  }

  /** Refuses all that waits. */
  refuse(): void {
    this.head = this.committed;
    for (const { reject } of this.#pending.splice(0)) {
      reject(new UnavailableError('disk-full', 'not carried out: the disk is full'));
    }
  }

  onHead(listener: ChangeListener): () => void {
    this.#headListeners.add(listener);
    return () => this.#headListeners.delete(listener);
  }

  onCommitted(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
