/**
 * The change feed: the newest change sets of a member, in a ring. Readers go along it at their own pace, each with a
 * cursor; nothing is queued for anyone, so a slow reader costs nothing and never holds up the log. One that falls
 * out of the ring is told so, and starts again from the present.
 */

import type { ChangeSet } from './change.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Replica } from './replica.ts';

/** Changes kept for readers by default: about 10 s of a million-task cluster at full speed. */
const FEED_CHANGES_MAX = 200_000;

/** A change set with the state that it led to. */
export interface FeedEntry {
  readonly changes: ChangeSet;
  readonly state: ClusterState;
}

/** Hears of each advance; without an entry when the whole state was replaced, or the feed closed. */
export type AdvanceListener = (entry: FeedEntry | undefined) => void;

/** The newest change sets of one member. */
export class ChangeFeed {
  readonly #replica: Replica;
  readonly #most: number;
  readonly #listeners = new Set<AdvanceListener>();
  readonly #stop: readonly (() => void)[];
  /**
   * The sets one after the other, of which those before `#first` are gone. Not a map: one whose oldest keys are deleted
   * keeps their places for a while, and walks over all of them to find the oldest that is left.
   */
  #sets: (FeedEntry | undefined)[] = [];
  #first = 0;
  #held = 0;

  constructor(replica: Replica, most = FEED_CHANGES_MAX) {
    this.#replica = replica;
    this.#most = most;
    this.#stop = [
      replica.onCommit((changes, state) => this.#add({ changes, state })),
      replica.onRestore(() => this.#reset()),
    ];
  }

  /** The committed state, which is where the feed has got to. */
  get state(): ClusterState {
    return this.#replica.state;
  }

  /** The change set of this index, if the ring still has it. */
  at(index: number): FeedEntry | undefined {
    const oldest = this.#sets[this.#first];
    if (!oldest || index < oldest.changes.index) return undefined;
    // Indexes are dense: each is one more than that of the state before.
    return this.#sets[this.#first + index - oldest.changes.index];
  }

  /** Calls back after each commit. Returns the way to stop. */
  onAdvance(listener: AdvanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of the replica. */
  close(): void {
    for (const stop of this.#stop) stop();
    this.#reset();
    this.#listeners.clear();
  }

  #add(entry: FeedEntry): void {
    this.#sets.push(entry);
    this.#held += weight(entry);
    while (this.#held > this.#most && this.#first < this.#sets.length - 1) this.#dropOldest();
    this.#tell(entry);
  }

  #dropOldest(): void {
    const oldest = this.#sets[this.#first];
    if (oldest) this.#held -= weight(oldest);
    this.#sets[this.#first] = undefined;
    this.#first += 1;
    // Once half of the places are empty, the others move up: each is moved once for one that went.
    if (this.#first * 2 < this.#sets.length) return;
    this.#sets.splice(0, this.#first);
    this.#first = 0;
  }

  #reset(): void {
    this.#sets = [];
    this.#first = 0;
    this.#held = 0;
    this.#tell();
  }

  #tell(entry?: FeedEntry): void {
    for (const listener of this.#listeners) listener(entry);
  }
}

/** An empty change set takes room too. */
function weight(entry: FeedEntry): number {
  return entry.changes.changes.length + 1;
}
