/**
 * A disk in memory: it outlives the node on it and forgets what was under way when power is lost, as a disk does. For
 * tests, and for browsers, where nothing else may be at hand.
 */

import type { PersistBatch } from '../core/ready.ts';
import type { Entry, HardState, LogIndex, SnapshotDescription } from '../core/types.ts';
import type { RaftStorage, RecoveredState, SnapshotWriter } from './storage.ts';

interface StoredSnapshot {
  readonly description: SnapshotDescription;
  readonly bytes: readonly Uint8Array[];
}

interface WriteUnderWay {
  readonly batch: PersistBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What a write is refused with while a {@link MemoryDisk} is full. It may be handed over again, in order. */
export class MemoryDiskFullError extends Error {
  override readonly name = 'MemoryDiskFullError';
  readonly code = 'disk-full';

  constructor() {
    super('there is no room');
  }
}

/** What outlives a node. {@link MemoryDisk.open} gives each life of the node a storage of its own. */
export class MemoryDisk {
  #hardState: HardState = { term: 0, commit: 0 };
  #snapshot: StoredSnapshot | undefined;
  #entries: Entry[] = [];
  #underWay: WriteUnderWay[] = [];
  #life = 0;
  #isHeld = false;
  #isFull = false;
  #isScheduled = false;
  #failure: Error | undefined;
  readonly #received = new Map<LogIndex, StoredSnapshot>();

  /** A storage for the next life of the node. The one before it refuses everything from now on. */
  open(): MemoryStorage {
    this.crash();
    this.#failure = undefined;
    return new MemoryStorage(this, this.#life);
  }

  /** Power is lost: writes under way never happened, and the node's storage is dead. */
  crash(): void {
    this.#life += 1;
    const lost = this.#underWay;
    this.#underWay = [];
    this.#received.clear();
    for (const { reject } of lost) reject(new Error('power was lost'));
  }

  /** Writes wait, as on a disk that hangs, until the returned function is called. */
  hold(): () => void {
    this.#isHeld = true;
    return () => {
      this.#isHeld = false;
      this.#schedule();
    };
  }

  /** There is no room for writes until the returned function is called. */
  fill(): () => void {
    this.#isFull = true;
    return () => {
      this.#isFull = false;
    };
  }

  /** All writes from now on fail. */
  failWrites(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#underWay.splice(0)) reject(error);
  }

  /** @throws Error to a life that has ended, or when writes fail. */
  assertAlive(life: number): void {
    if (life !== this.#life) throw new Error('this storage belongs to an earlier life of the node');
    if (this.#failure !== undefined) throw this.#failure;
  }

  recover(): RecoveredState {
    const { description } = this.#snapshot ?? {};
    return {
      stored: {
        hardState: this.#hardState,
        entries: this.#entries.slice(),
        ...(description === undefined ? {} : { snapshot: description }),
      },
      tornBytes: 0,
    };
  }

  write(batch: PersistBatch): Promise<void> {
    if (this.#isFull) return Promise.reject(new MemoryDiskFullError());
    return new Promise((resolve, reject) => {
      this.#underWay.push({ batch, resolve, reject });
      this.#schedule();
    });
  }

  keepReceived(description: SnapshotDescription, bytes: readonly Uint8Array[]): void {
    this.#received.set(description.index, { description, bytes });
  }

  forgetReceived(description: SnapshotDescription): void {
    this.#received.delete(description.index);
  }

  bytesOf(description: SnapshotDescription): readonly Uint8Array[] {
    const { index, term } = description;
    const newest = this.#snapshot;
    if (newest?.description.index !== index || newest.description.term !== term) {
      throw new Error(`the snapshot at ${index} is not the newest`);
    }
    return newest.bytes;
  }

  compact(description: SnapshotDescription, keepFrom: LogIndex): void {
    if (description.index !== this.#snapshot?.description.index) this.#adopt(description);
    this.#entries = this.#entries.filter(({ index }) => index >= keepFrom);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isHeld) return;
    this.#isScheduled = true;
    void Promise.resolve().then(() => {
      this.#isScheduled = false;
      if (this.#isHeld) return;
      for (const { batch, resolve } of this.#underWay.splice(0)) {
        this.#store(batch);
        resolve();
      }
    });
  }

  #store({ hardState, snapshot, entries }: PersistBatch): void {
    if (hardState !== undefined) this.#hardState = hardState;
    if (snapshot !== undefined) {
      this.#adopt(snapshot);
      this.#entries = [];
    }
    const [first] = entries;
    if (first === undefined) return;
    const last = this.#entries.at(-1);
    if (last !== undefined && last.index >= first.index) {
      this.#entries = this.#entries.filter(({ index }) => index < first.index);
    }
    for (const entry of entries) this.#entries.push(entry);
  }

  #adopt(description: SnapshotDescription): void {
    const received = this.#received.get(description.index);
    if (received === undefined) throw new Error(`the snapshot at ${description.index} was never completed`);
    // One that is newer may have arrived meanwhile, and waits for its own batch.
    for (const index of this.#received.keys()) if (index <= description.index) this.#received.delete(index);
    this.#snapshot = received;
  }
}

/** One life's view of a {@link MemoryDisk}. */
export class MemoryStorage implements RaftStorage {
  readonly #disk: MemoryDisk;
  readonly #life: number;

  /** @param disk - what outlives this storage. Use {@link MemoryDisk.open} rather than this. */
  constructor(disk: MemoryDisk, life: number) {
    this.#disk = disk;
    this.#life = life;
  }

  async open(): Promise<RecoveredState> {
    this.#disk.assertAlive(this.#life);
    return this.#disk.recover();
  }

  async persist(batch: PersistBatch): Promise<void> {
    this.#disk.assertAlive(this.#life);
    await this.#disk.write(batch);
  }

  writeSnapshot(snapshot: SnapshotDescription): SnapshotWriter {
    const bytes: Uint8Array[] = [];
    const assertAlive = () => this.#disk.assertAlive(this.#life);
    return {
      write: async (chunk) => {
        assertAlive();
        bytes.push(chunk.slice());
      },
      complete: async () => {
        assertAlive();
        this.#disk.keepReceived(snapshot, bytes);
      },
      discard: async () => this.#disk.forgetReceived(snapshot),
    };
  }

  async *readSnapshot(snapshot: SnapshotDescription): AsyncGenerator<Uint8Array, void, undefined> {
    this.#disk.assertAlive(this.#life);
    yield* this.#disk.bytesOf(snapshot);
  }

  async compact(snapshot: SnapshotDescription, keepFrom: LogIndex): Promise<void> {
    this.#disk.assertAlive(this.#life);
    this.#disk.compact(snapshot, keepFrom);
  }

  async close(): Promise<void> {}
}
