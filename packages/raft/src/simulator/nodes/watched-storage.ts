/**
 * Stands between a node and its storage, and keeps the storage to its word: what it called durable must come back after
 * any crash, in a state that was handed over, and nothing that never was.
 */

import type { PersistBatch } from '../../core/ready.ts';
import type { Entry, LogIndex, SnapshotDescription, StoredState } from '../../core/types.ts';
import type {
  RaftStorage,
  RecoveredState,
  ResumableSnapshotWriter,
  SnapshotWriter,
} from '../../storage/storage.ts';
import { AbstractDisk } from '../abstract-disk.ts';
import { entryText } from '../observed-member.ts';
import { hashText } from '../seeded-random.ts';
import { Violation } from '../violation.ts';

/** Something that was handed over and may be on the disk, or not. */
type Pending = (image: AbstractDisk) => void;

/** What is told to whoever watches. */
export interface StorageEvents {
  /** A batch is durable by the word of the storage; the image holds it. */
  readonly durable: (entries: readonly Entry[]) => void;
  /** A write was refused for lack of room. */
  readonly diskFull: () => void;
  /** A snapshot is gone on with that was begun in this life, or in an earlier one. */
  readonly resumed: (begun: 'in this life' | 'before a restart') => void;
}

/** What one member's storage has promised, over all processes. */
export class DurableImage {
  /** What is durable. */
  readonly disk = new AbstractDisk();
  readonly #pending = new Set<Pending>();

  handOver(change: Pending): void {
    this.#pending.add(change);
  }

  /** It is durable. Changes become so in the order in which they were handed over. */
  promise(change: Pending): void {
    this.#pending.delete(change);
    change(this.disk);
  }

  /** It is certainly not on the disk. */
  forget(change: Pending): void {
    this.#pending.delete(change);
  }

  /** Judges what was recovered, and takes it for what is durable now. @throws Violation */
  recovered(stored: StoredState): void {
    const found = stateText(stored);
    const pending = [...this.#pending];
    this.#pending.clear();
    const promised = stateText(this.disk.stored);
    for (let at = 0; ; at++) {
      if (stateText(this.disk.stored) === found) return;
      const next = pending[at];
      if (next === undefined) break;
      next(this.disk);
    }
    throw new Violation(`its disk holds ${found}, and was to hold ${promised} or what was handed over since`);
  }
}

/** One process's view of a storage, watched. */
export class WatchedStorage implements RaftStorage {
  readonly #storage: RaftStorage;
  readonly #image: DurableImage;
  readonly #events: StorageEvents;
  /** Snapshots that were received in this life, in part at least. */
  readonly #received = new Set<string>();
  readonly resumeSnapshot?: NonNullable<RaftStorage['resumeSnapshot']>;

  constructor(storage: RaftStorage, image: DurableImage, events: StorageEvents) {
    this.#storage = storage;
    this.#image = image;
    this.#events = events;
    const resume = storage.resumeSnapshot?.bind(storage);
    if (resume === undefined) return;
    this.resumeSnapshot = async (snapshot, source) =>
      this.#noted(snapshot, source, await resume(snapshot, source));
  }

  async open(): Promise<RecoveredState> {
    const recovered = await this.#storage.open();
    this.#image.recovered(recovered.stored);
    return recovered;
  }

  persist(batch: PersistBatch): Promise<void> {
    return this.#watch(
      (image) => {
        image.write(batch);
        image.finishWrite();
      },
      () => this.#storage.persist(batch),
      batch.entries,
    );
  }

  writeSnapshot(snapshot: SnapshotDescription): SnapshotWriter {
    return this.#storage.writeSnapshot(snapshot);
  }

  readSnapshot(snapshot: SnapshotDescription): AsyncIterable<Uint8Array> {
    return this.#storage.readSnapshot(snapshot);
  }

  compact(snapshot: SnapshotDescription, keepFrom: LogIndex): Promise<void> {
    return this.#watch(
      (image) => {
        if (snapshot.index >= image.snapshotIndex)
          image.storeSnapshot(snapshot, Math.min(keepFrom, snapshot.index + 1));
      },
      () => this.#storage.compact(snapshot, keepFrom),
      [],
    );
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  #noted(
    { index, term }: SnapshotDescription,
    source: string,
    writer: ResumableSnapshotWriter,
  ): ResumableSnapshotWriter {
    const name = `${index}/${term} of ${source}`;
    if (writer.received > 0) {
      this.#events.resumed(this.#received.has(name) ? 'in this life' : 'before a restart');
    }
    this.#received.add(name);
    return writer;
  }

  async #watch(change: Pending, work: () => Promise<void>, entries: readonly Entry[]): Promise<void> {
    this.#image.handOver(change);
    try {
      await work();
    } catch (error) {
      if (isDiskFull(error)) {
        this.#image.forget(change);
        this.#events.diskFull();
      }
      throw error;
    }
    this.#image.promise(change);
    this.#events.durable(entries);
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'disk-full';
}

/** A stored state in one line: equal states are equal here. */
function stateText({ hardState, snapshot, entries }: StoredState): string {
  const { term, vote = 'nobody', commit } = hardState;
  const first = entries[0]?.index ?? 0;
  let hash = 0;
  for (const entry of entries) hash = hashText(`${entry.index} ${entry.term} ${entryText(entry)}`, hash);
  const log = `${first}..${entries.at(-1)?.index ?? 0} #${hash.toString(16)}`;
  return `term ${term}, vote for ${vote}, commit ${commit}, snapshot ${snapshot?.index ?? 'none'}, entries ${log}`;
}
