/**
 * Disks of the simulation of nodes where there are no files, as in a browser's tab: each keeps whole batches, so that
 * nothing of it tears or rots. For those faults, and for what is sealed, the file storage has disks of its own.
 */

import type { PersistBatch } from '../../core/ready.ts';
import type { LogIndex, SnapshotDescription } from '../../core/types.ts';
import { MemoryDisk, MemoryDiskFullError, type MemoryStorage } from '../../storage/memory-storage.ts';
import type { RaftStorage, RecoveredState, SnapshotWriter } from '../../storage/storage.ts';
import type { DiskPace, MemberDisk, MemberDisks, StreamOf } from './member-disk.ts';

/** Disks in memory. Made for one simulation. */
export class SimulatedMemoryDisks implements MemberDisks {
  /** Nothing is sealed, so no rule of sealing can be broken. */
  readonly brokenRule = undefined;

  make(_streamOf: StreamOf, pace: DiskPace): MemberDisk {
    return new SimulatedMemoryDisk(pace);
  }
}

class SimulatedMemoryDisk implements MemberDisk {
  readonly #disk = new MemoryDisk();
  readonly #pace: DiskPace;
  #room = Number.POSITIVE_INFINITY;
  #fails: 'sync' | 'write' | 'room' | undefined;

  constructor(pace: DiskPace) {
    this.#pace = pace;
  }

  boot(): RaftStorage {
    return new PacedStorage(this.#disk.open(), this.#pace, (bytes) => this.#take(bytes));
  }

  crash(): void {
    this.#disk.crash();
  }

  failNext(what: 'sync' | 'write' | 'room'): void {
    this.#fails = what;
  }

  leaveRoom(bytes: number | undefined): void {
    this.#room = bytes ?? Number.POSITIVE_INFINITY;
  }

  rot(): undefined {
    return undefined;
  }

  /** @throws MemoryDiskFullError where there is no room for so much; Error where this write is to fail */
  #take(bytes: number): void {
    const fails = this.#fails;
    this.#fails = undefined;
    if (fails === 'room' || bytes > this.#room) throw new MemoryDiskFullError();
    if (fails !== undefined) {
      const error = Object.assign(new Error(`input/output error (${fails})`), { code: 'EIO' });
      this.#disk.failWrites(error);
      throw error;
    }
    this.#room -= bytes;
  }
}

/** A storage whose calls take their time, one after the other. */
class PacedStorage implements RaftStorage {
  readonly #storage: MemoryStorage;
  readonly #pace: DiskPace;
  readonly #take: (bytes: number) => void;
  #last: Promise<unknown> = Promise.resolve();
  /** How many batches were handed over, and up to which of them all are refused. */
  #asked = 0;
  #refused = 0;

  constructor(storage: MemoryStorage, pace: DiskPace, take: (bytes: number) => void) {
    this.#storage = storage;
    this.#pace = pace;
    this.#take = take;
  }

  async open(): Promise<RecoveredState> {
    await this.#pace('read');
    return this.#storage.open();
  }

  persist(batch: PersistBatch): Promise<void> {
    this.#asked += 1;
    const number = this.#asked;
    return this.#inTurn(async () => {
      // Those that were handed over behind one that found no room come again behind it.
      if (number <= this.#refused) throw new MemoryDiskFullError();
      await this.#pace('write');
      try {
        this.#take(bytesOf(batch));
      } catch (error) {
        this.#refused = this.#asked;
        throw error;
      }
      await this.#pace('sync');
      await this.#storage.persist(batch);
    });
  }

  writeSnapshot(snapshot: SnapshotDescription): SnapshotWriter {
    const writer = this.#storage.writeSnapshot(snapshot);
    return {
      write: async (chunk) => {
        await this.#pace('write');
        this.#take(chunk.length);
        await writer.write(chunk);
      },
      complete: async () => {
        await this.#pace('sync');
        await writer.complete();
      },
      discard: () => writer.discard(),
    };
  }

  async *readSnapshot(snapshot: SnapshotDescription): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#pace('read');
    yield* this.#storage.readSnapshot(snapshot);
  }

  compact(snapshot: SnapshotDescription, keepFrom: LogIndex): Promise<void> {
    return this.#inTurn(async () => {
      await this.#pace('names');
      await this.#storage.compact(snapshot, keepFrom);
    });
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** About what the entries take, and their heads. */
function bytesOf({ entries }: PersistBatch): number {
  let bytes = 32;
  for (const entry of entries) bytes += 32 + (entry.kind === 'command' ? entry.payload.length : 0);
  return bytes;
}
