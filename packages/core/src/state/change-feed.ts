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
  /** Sets by index; a map keeps its order of insertion, so the oldest comes first. */
  readonly #sets = new Map<number, FeedEntry>();
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
    return this.#sets.get(index);
  }

  /** Calls back after each commit. Returns the way to stop. */
  onAdvance(listener: AdvanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of the replica. */
  close(): void {
    for (const stop of this.#stop) stop();
    this.#sets.clear();
    this.#tell();
    this.#listeners.clear();
  }

  #add(entry: FeedEntry): void {
    this.#sets.set(entry.changes.index, entry);
    this.#held += weight(entry);
    for (const [index, oldest] of this.#sets) {
      if (this.#held <= this.#most || this.#sets.size === 1) break;
      this.#sets.delete(index);
      this.#held -= weight(oldest);
    }
    this.#tell(entry);
  }

  #reset(): void {
    this.#sets.clear();
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
