/**
 * The replica: the committed state on one member, fed by the log. It is what every member has, leading or not.
 * Nothing decides here. It answers reads, tells its listeners of each change set, and gives snapshots in O(1).
 */

import { decodeTransaction } from '../events/codec.ts';
import type { Entry, Epoch, LogStateMachine, Position, StateCapture } from '../log/event-log.ts';
import type { ChangeSet } from './change.ts';
import { ClusterState } from './cluster-state.ts';
import { evolve, evolveDraft } from './evolve/evolve.ts';
import { restoreSnapshot, snapshotChunks } from './snapshot.ts';
import { StateDraft } from './state-draft.ts';

/** Most transactions that are gathered in one draft before it is sealed. */
const GATHERED_MAX = 1_000;

/** A transaction that this member decided itself and has applied to its head state already. */
export interface Prepared {
  readonly state: ClusterState;
  readonly changes: ChangeSet;
}

/** Hears of each committed change set, in order, right after it was applied, with the entry that it came of. */
type CommitListener = (changes: ChangeSet, state: ClusterState, entry: Entry) => void;

/** Transactions that were applied one after the other and have not been sealed into a state yet. */
interface Gathering {
  readonly draft: StateDraft;
  /** Position before the first of them. */
  readonly from: Position;
  count: number;
  index: number;
  at: number;
}

/** The committed state of one member. */
export class Replica implements LogStateMachine {
  #state = ClusterState.empty;
  #position: Position = 0;
  #last: { readonly epoch: Epoch; readonly sequence: number } = { epoch: 0, sequence: 0 };
  #prepared: ((entry: Entry) => Prepared | undefined) | undefined;
  #gathering: Gathering | undefined;
  /** Each with the index up to which it wants to hear nothing. */
  readonly #commitListeners = new Map<CommitListener, number>();
  /** Up to this index nobody hears of commits. */
  #quietUpTo = Number.POSITIVE_INFINITY;
  readonly #restoreListeners = new Set<() => void>();
  readonly #forgetListeners = new Set<() => void>();
  #beforeSnapshot: ((index: number) => Promise<void>) | undefined;

  /** The committed state. */
  get state(): ClusterState {
    this.#seal();
    return this.#state;
  }

  /** Position of the last entry that the state holds. */
  get position(): Position {
    return this.#position;
  }

  /** Number of the last entry of this epoch that the state holds; 0 when there is none. */
  sequenceIn(epoch: Epoch): number {
    return this.#last.epoch === epoch ? this.#last.sequence : 0;
  }

  /**
   * Lets the leader hand over what it has evolved already, so that it is not decoded and evolved a second time.
   * Returns the way to stop.
   */
  takePreparedFrom(source: (entry: Entry) => Prepared | undefined): () => void {
    this.#prepared = source;
    return () => {
      if (this.#prepared === source) this.#prepared = undefined;
    };
  }

  /**
   * Hears of each commit. Listeners must not throw: one that does breaks the log. Returns the way to stop.
   *
   * @param after - commits up to this index need not be told, which makes their replay quicker. Default 0.
   */
  onCommit(listener: CommitListener, after = 0): () => void {
    const own: CommitListener = (changes, state, entry) => listener(changes, state, entry);
    this.#commitListeners.set(own, after);
    this.#quietUpTo = Math.min(this.#quietUpTo, after);
    return () => {
      this.#commitListeners.delete(own);
      this.#quietUpTo = Math.min(Number.POSITIVE_INFINITY, ...this.#commitListeners.values());
    };
  }

  /** Hears of each commit that dropped secret values: what is durable must forget them too. Returns the way to stop. */
  onForget(listener: () => void): () => void {
    this.#forgetListeners.add(listener);
    return () => this.#forgetListeners.delete(listener);
  }

  /** Hears when the whole state was replaced by a snapshot: whatever was told before has a gap now. */
  onRestore(listener: () => void): () => void {
    this.#restoreListeners.add(listener);
    return () => this.#restoreListeners.delete(listener);
  }

  /**
   * Holds every snapshot back until this has resolved for the index of its state. What a snapshot covers may be gone
   * from the log after it, so whoever keeps more than the state sees to its own copy first. It must not reject.
   */
  holdSnapshots(until: (index: number) => Promise<void>): void {
    this.#beforeSnapshot = until;
  }

  apply(entry: Entry): void {
    const prepared = this.#prepared?.(entry);
    if (!prepared && (this.#gathering?.index ?? this.#state.index) < this.#quietUpTo) {
      this.#gather(entry);
      return;
    }
    const next = prepared ?? evolve(this.state, decodeTransaction(entry.payload));
    this.#gathering = undefined;
    this.#state = next.state;
    this.#position = entry.position;
    this.#last = entry;
    if (next.changes.forgets) for (const listener of this.#forgetListeners) listener();
    for (const listener of this.#commitListeners.keys()) listener(next.changes, next.state, entry);
  }

  capture(): StateCapture {
    const position = this.#position;
    let held: ClusterState | undefined = this.state;
    const ready = this.#beforeSnapshot?.(held.index);
    return {
      position,
      async *chunks() {
        await ready;
        if (held) yield* snapshotChunks(held);
      },
      release: () => {
        held = undefined;
      },
    };
  }

  async restore(position: Position, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const state = await restoreSnapshot(chunks);
    this.#gathering = undefined;
    this.#state = state;
    this.#position = position;
    for (const listener of this.#restoreListeners) listener();
  }

  /** A checksum (FNV-1a, 32 bits) over the whole state: equal for members that hold the same. */
  digest(): string {
    let hash = 0x811c9dc5;
    for (const chunk of snapshotChunks(this.state)) {
      for (const byte of chunk) hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return `${this.state.index}-${(hash >>> 0).toString(16).padStart(8, '0')}`;
  }

  /**
   * Applies an entry that nobody hears of, as in replay: no state is made for it until somebody looks, so that what
   * one transaction has copied the next may write to in place.
   */
  #gather(entry: Entry): void {
    const transaction = decodeTransaction(entry.payload);
    const { index, at } = transaction;
    this.#gathering ??= { draft: new StateDraft(this.#state), from: this.#position, count: 0, index, at };
    const gathering = this.#gathering;
    try {
      evolveDraft(gathering.draft, transaction);
    } catch (error) {
      // The draft is good for nothing now: what is left is the state before it.
      this.#gathering = undefined;
      this.#position = gathering.from;
      throw error;
    }
    gathering.count += 1;
    gathering.index = index;
    gathering.at = at;
    this.#position = entry.position;
    this.#last = entry;
    gathering.draft.changes.length = 0;
    if (gathering.draft.forgets) {
      gathering.draft.forgets = false;
      for (const listener of this.#forgetListeners) listener();
    }
    if (gathering.count >= GATHERED_MAX) this.#seal();
  }

  #seal(): void {
    if (!this.#gathering) return;
    const { draft, index, at } = this.#gathering;
    this.#gathering = undefined;
    this.#state = draft.seal(index, at);
  }
}
