/**
 * The log of one member, in memory from the last compaction on, with the cursors that the algorithm turns on. It knows
 * nothing of roles or messages. What is committed never changes here: an attempt to do so is a broken invariant.
 */

import { ConfigurationHistory } from './configuration-history.ts';
import { RaftError } from './errors.ts';
import type { Configuration, Entry, LogIndex, SnapshotDescription, StoredState, Term } from './types.ts';
import { entryBytes } from './types.ts';

/** A place in a log. */
export interface LogPlace {
  readonly index: LogIndex;
  readonly term: Term;
}

/** Invariant: snapshot.index ≤ applied ≤ committed ≤ lastIndex, and base ≤ snapshot.index. */
export class ReplicatedLog {
  #base: LogPlace;
  #entries: Entry[];
  #committed: LogIndex;
  #applied: LogIndex;
  #snapshot: SnapshotDescription | undefined;
  readonly #configurations: ConfigurationHistory;

  /** @throws RaftError `invalid-stored-state` if the entries have a gap or don't reach the snapshot. */
  constructor(stored: StoredState) {
    const { snapshot, hardState } = stored;
    const first = stored.entries[0];
    const covered = snapshot?.index ?? 0;
    checkSequence(stored.entries, covered);
    // Where the entries begin before the snapshot ends, what they attach to is known by index alone.
    const isReserve = first !== undefined && first.index <= covered;
    this.#base = isReserve
      ? { index: first.index, term: first.term }
      : { index: covered, term: snapshot?.term ?? 0 };
    this.#entries = isReserve ? stored.entries.slice(1) : stored.entries.slice();
    this.#snapshot = snapshot;
    this.#applied = covered;
    this.#committed = Math.min(Math.max(covered, hardState.commit), this.lastIndex);
    this.#configurations = new ConfigurationHistory(covered, snapshot?.configuration);
    for (const entry of this.#entries) if (entry.index > covered) this.#configurations.appended(entry);
  }

  /** The first entry that is still in memory, or would be. */
  get firstIndex(): LogIndex {
    return this.#base.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries[this.#entries.length - 1]?.term ?? this.#base.term;
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  /** What the driver has reported as applied. */
  get applied(): LogIndex {
    return this.#applied;
  }

  get snapshot(): SnapshotDescription | undefined {
    return this.#snapshot;
  }

  /** The newest configuration in the log, committed or not: the one in force. */
  get configuration(): Configuration {
    return this.#configurations.latest.configuration;
  }

  /** Where that configuration stands. */
  get configurationIndex(): LogIndex {
    return this.#configurations.latest.index;
  }

  /** The configuration in force at `index`. */
  configurationAt(index: LogIndex): Configuration {
    return this.#configurations.at(index).configuration;
  }

  /** The term of the entry at `index`; undefined if it was compacted away or does not exist yet. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term;
  }

  /** The entry at `index`, if it is in memory. */
  entryAt(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#base.index - 1];
  }

  /** Entries from `first` to `last`, both included, as many as the limits allow, at least one if there is any. */
  slice(first: LogIndex, last: LogIndex, bytesMax: number, entriesMax: number): Entry[] {
    const start = first - this.#base.index - 1;
    const end = Math.min(last - this.#base.index, this.#entries.length, start + entriesMax);
    let bytes = 0;
    let next = start;
    while (next < end) {
      const entry = this.#entries[next];
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (bytes > bytesMax && next > start) break;
      next++;
    }
    return this.#entries.slice(start, next);
  }

  /** Is a log that ends at `place` at least as complete as this one? Terms are compared first, then lengths (§5.4.1). */
  isUpToDate(place: LogPlace): boolean {
    return place.term > this.lastTerm || (place.term === this.lastTerm && place.index >= this.lastIndex);
  }

  /**
   * The last place at or before `index` where this log may agree with one whose entry at `index` has `term`: whole
   * terms are skipped, so that two logs find each other in as many questions as they differ in terms.
   */
  agreementBefore(index: LogIndex, term: Term): LogPlace {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#base.index) {
      const own = this.termAt(at) ?? 0;
      if (own <= term) return { index: at, term: own };
      at--;
    }
    return { index: at, term: this.termAt(at) ?? 0 };
  }

  /** Appends what a leader has decided. */
  append(entry: Entry): void {
    if (entry.index !== this.lastIndex + 1) {
      throw new RaftError('invariant-violated', `entry ${entry.index} does not follow ${this.lastIndex}`);
    }
    this.#entries.push(entry);
    this.#configurations.appended(entry);
  }

  /**
   * Takes a leader's entries that attach behind `prevIndex`, already known to match. Entries that are here stay; only
   * from the first that differs is the log cut and rewritten, so that a delayed message can't undo a newer one.
   *
   * @returns the index from which the log was rewritten, if it was.
   */
  merge(entries: readonly Entry[]): LogIndex | undefined {
    const different = entries.findIndex((entry) => this.termAt(entry.index) !== entry.term);
    const first = entries[different];
    if (first === undefined) return undefined;
    const cut = first.index <= this.lastIndex ? first.index : undefined;
    if (cut !== undefined) this.#truncate(cut);
    for (let at = different; at < entries.length; at++) {
      const entry = entries[at];
      if (entry !== undefined) this.append(entry);
    }
    return cut;
  }

  /** Moves the commit index forward; it never goes back. */
  commitTo(index: LogIndex): void {
    if (index > this.lastIndex) {
      throw new RaftError(
        'invariant-violated',
        `commit ${index} lies behind the last entry ${this.lastIndex}`,
      );
    }
    this.#committed = Math.max(this.#committed, index);
  }

  /** The state machine holds everything up to `index`. */
  appliedTo(index: LogIndex): void {
    this.#applied = Math.max(this.#applied, index);
  }

  /** Replaces everything by a snapshot from the leader. */
  restore(snapshot: SnapshotDescription): void {
    this.#base = { index: snapshot.index, term: snapshot.term };
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#committed = snapshot.index;
    this.#configurations.reset(snapshot.index, snapshot.configuration);
  }

  /** Notes a snapshot of this member's own state and forgets entries up to `keepAfter`, none behind the snapshot. */
  compact(snapshot: SnapshotDescription, keepAfter: LogIndex): void {
    if (this.#snapshot === undefined || snapshot.index > this.#snapshot.index) this.#snapshot = snapshot;
    const index = Math.min(keepAfter, snapshot.index);
    const term = this.termAt(index);
    if (index <= this.#base.index || term === undefined) return;
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
    this.#configurations.compacted(index);
  }

  #truncate(index: LogIndex): void {
    if (index <= this.#committed) {
      throw new RaftError(
        'invariant-violated',
        `entry ${index} would be overwritten, and ${this.#committed} is committed`,
      );
    }
    this.#entries.length = index - this.#base.index - 1;
    this.#configurations.truncated(index);
  }
}

function checkSequence(entries: readonly Entry[], covered: LogIndex): void {
  const first = entries[0];
  if (first !== undefined && (first.index < 1 || first.index > covered + 1)) {
    throw new RaftError(
      'invalid-stored-state',
      `entries begin at ${first.index}, the snapshot ends at ${covered}`,
    );
  }
  let previous: Entry | undefined;
  for (const entry of entries) {
    if (previous !== undefined && (entry.index !== previous.index + 1 || entry.term < previous.term)) {
      throw new RaftError(
        'invalid-stored-state',
        `entry ${entry.index} of term ${entry.term} can't follow ${previous.index} of term ${previous.term}`,
      );
    }
    previous = entry;
  }
  if (previous !== undefined && previous.index < covered) {
    throw new RaftError(
      'invalid-stored-state',
      `entries end at ${previous.index}, before the snapshot's end ${covered}`,
    );
  }
}
