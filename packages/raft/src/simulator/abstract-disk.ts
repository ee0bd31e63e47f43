/**
 * A disk with a durable image and writes that are still under way. Writes become durable in order; a crash loses those
 * that are not, or keeps a part of them, as power failures do.
 */

import type { PersistBatch } from '../core/ready.ts';
import type { Entry, HardState, LogIndex, SnapshotDescription, StoredState } from '../core/types.ts';

/** One member's disk. */
export class AbstractDisk {
  #hardState: HardState;
  #snapshot: SnapshotDescription | undefined;
  #entries: Entry[];
  #underWay: PersistBatch[] = [];

  constructor(stored: StoredState = { hardState: { term: 0, commit: 0 }, entries: [] }) {
    this.#hardState = stored.hardState;
    this.#snapshot = stored.snapshot;
    this.#entries = stored.entries.slice();
  }

  /** What a member would find here now. */
  get stored(): StoredState {
    return {
      hardState: this.#hardState,
      ...(this.#snapshot === undefined ? {} : { snapshot: this.#snapshot }),
      entries: this.#entries.slice(),
    };
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get snapshotIndex(): LogIndex {
    return this.#snapshot?.index ?? 0;
  }

  get lastIndex(): LogIndex {
    return Math.max(this.snapshotIndex, this.#entries[this.#entries.length - 1]?.index ?? 0);
  }

  get writesUnderWay(): number {
    return this.#underWay.length;
  }

  /** The durable entry at `index`; 'snapshot' if only the snapshot holds it. */
  entryAt(index: LogIndex): Entry | 'snapshot' | undefined {
    const first = this.#entries[0]?.index ?? 0;
    return this.#entries[index - first] ?? (index <= this.snapshotIndex ? 'snapshot' : undefined);
  }

  write(batch: PersistBatch): void {
    this.#underWay.push(batch);
  }

  /** The oldest write has become durable. */
  finishWrite(): PersistBatch | undefined {
    const batch = this.#underWay.shift();
    if (batch !== undefined) this.#store(batch);
    return batch;
  }

  /** A snapshot of the member's own state was stored, and entries before `first` were dropped. */
  storeSnapshot(snapshot: SnapshotDescription, first: LogIndex): void {
    if (snapshot.index > this.snapshotIndex) this.#snapshot = snapshot;
    this.#entries = this.#entries.filter((entry) => entry.index >= first);
  }

  /**
   * Power is lost. Of the writes under way the first `whole` have made it, and `part` of the entries of the next one:
   * its promises come first in the file.
   */
  crash(whole = 0, part = 0): void {
    for (const batch of this.#underWay.slice(0, whole)) this.#store(batch);
    const torn = this.#underWay[whole];
    if (torn !== undefined && part > 0 && torn.snapshot === undefined) {
      this.#store({ ...torn, entries: torn.entries.slice(0, part - 1) });
    }
    this.#underWay = [];
  }

  #store(batch: PersistBatch): void {
    if (batch.hardState !== undefined) this.#hardState = batch.hardState;
    if (batch.snapshot !== undefined) {
      this.#snapshot = batch.snapshot;
      this.#entries = [];
    }
    const first = batch.entries[0];
    if (first === undefined) return;
    this.#entries = this.#entries.filter((entry) => entry.index < first.index);
    this.#entries.push(...batch.entries);
  }
}
