/**
 * A member's disk in a directory: the {@link RaftStorage} that keeps what it acknowledged. It ties the log, the
 * snapshots and the queue together, and answers for their errors; how each works is written where it is done.
 *
 * In the directory: `wal/`, segments of sealed frames; `snapshots/`; the lock; and `begun`, once there was a log.
 */

import * as path from 'node:path';
import type { PersistBatch } from '../../core/ready.ts';
import type { LogIndex, SnapshotDescription } from '../../core/types.ts';
import type { RaftStorage, RecoveredState, ResumableSnapshotWriter } from '../../storage/storage.ts';
import { hasBegun, noteBegun } from './begun.ts';
import { CommitQueue } from './commit-queue.ts';
import type { DiskLock } from './disk.ts';
import { asStorageError, corrupt, FileStorageError } from './errors.ts';
import { DataKeys } from './keys.ts';
import {
  acceptBatch,
  acceptCompaction,
  type LogPlace,
  NOTHING,
  type SnapshotReference,
} from './log-place.ts';
import { type FileStorageOptions, type FileStorageSettings, resolveSettings } from './options.ts';
import { estimateBytes } from './records.ts';
import { recover } from './recovery.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { Wal } from './wal.ts';

/** The most that one batch may hold, in bytes. Far over what a core hands over: a log of entries not yet durable. */
const BATCH_BYTES_MAX = 256 * 1024 * 1024;

/** How a storage stands. */
export interface FileStorageStatus {
  readonly segments: number;
  /** Bytes of log in them. */
  readonly bytes: number;
  /** The first entry that is kept, if there is any. */
  readonly firstIndex: LogIndex;
  /** The last durable entry; the snapshot's index if there is none. */
  readonly lastIndex: LogIndex;
  readonly snapshotIndex: LogIndex;
  /** Syncs of the log since it was opened. Much fewer than batches under load. */
  readonly syncs: number;
  /** The batch that has to come next because the disk was full when it came first. */
  readonly retryFrom?: PersistBatch['sequence'];
  /** Why nothing is taken any more. */
  readonly failure?: FileStorageError;
  /** Ids of the key-encryption keys that files are sealed under. Once an old one is gone, its key can go too. */
  readonly keyIds: readonly string[];
}

/** The parts of an open storage. */
interface Opened {
  readonly wal: Wal;
  readonly queue: CommitQueue;
  readonly snapshots: SnapshotStore;
  readonly lock: DiskLock;
}

/**
 * A {@link RaftStorage} in a directory, sealed. Opened once; make another to open the directory again.
 *
 * Every method rejects with a {@link FileStorageError}. After `disk-full`, the batch that was refused first has to be
 * the next one; after `failed`, nothing is taken until the directory is opened anew.
 */
export class FileStorage implements RaftStorage {
  readonly #settings: FileStorageSettings;
  readonly #keys: DataKeys;
  #opened: Opened | undefined;
  #opening: Promise<RecoveredState> | undefined;
  #closing: Promise<void> | undefined;
  /** The log with everything that was handed over, durable or not. */
  #accepted: LogPlace = NOTHING;
  #lastSequence = Number.NEGATIVE_INFINITY;
  /** Batches that were handed over and are not durable yet. */
  #pending: number[] = [];
  #retryFrom: number | undefined;
  #tidying: Promise<void> = Promise.resolve();

  /** @throws FileStorageError `invalid-option`. */
  constructor(options: FileStorageOptions) {
    this.#settings = resolveSettings(options);
    this.#keys = new DataKeys(this.#settings.keys, this.#settings.randomBytes);
  }

  /** How it stands; undefined before it is open. */
  get status(): FileStorageStatus | undefined {
    if (this.#opened === undefined) return undefined;
    const { wal, queue, snapshots } = this.#opened;
    const { first, next, snapshot } = wal.durable;
    const keyIds = new Set([...wal.keyIds, ...snapshots.keyIds]);
    return {
      segments: wal.segments.length,
      bytes: wal.segments.reduce((sum, { end }) => sum + end, 0),
      firstIndex: first,
      lastIndex: next - 1,
      snapshotIndex: snapshot?.description.index ?? 0,
      syncs: queue.groups,
      keyIds: [...keyIds],
      ...(this.#retryFrom === undefined ? {} : { retryFrom: this.#retryFrom }),
      ...(queue.failure === undefined ? {} : { failure: queue.failure }),
    };
  }

  /**
   * Takes the lock, recovers what is there, and begins a new segment.
   *
   * @throws FileStorageError `locked`, `corrupt` (with file and offset), `wrong-key`, `key-unavailable`,
   * `unsupported-version`, `disk-full`, `failed`.
   */
  open(): Promise<RecoveredState> {
    if (this.#opening !== undefined || this.#closing !== undefined) {
      return Promise.reject(new FileStorageError('closed', 'a storage is opened once; make another'));
    }
    this.#opening = this.#open();
    return this.#opening;
  }

  persist(batch: PersistBatch): Promise<void> {
    return this.#attempt(({ queue, snapshots }) => {
      const { sequence, snapshot, messages } = batch;
      this.#checkSequence(sequence);
      const accepted = acceptBatch(this.#accepted, batch, (description) => snapshots.find(description));
      const bytes = estimateBytes(accepted.records);
      if (bytes > BATCH_BYTES_MAX) {
        throw new FileStorageError('invalid-batch', `batch ${sequence} has ${bytes} bytes, over the limit`);
      }
      this.#accepted = accepted.after;
      this.#lastSequence = sequence;
      this.#pending.push(sequence);
      this.#retryFrom = undefined;
      const adopted = snapshot === undefined ? undefined : accepted.after.snapshot;
      return queue.push(accepted, {
        // A vote or an acknowledgement waits for it, on which others wait. A leader's own writes hold up nobody so soon.
        isUrgent: messages.length > 0,
        onDurable: () => {
          this.#pending.shift();
          if (adopted !== undefined) this.#adopt(adopted);
        },
      });
    });
  }

  /** @throws FileStorageError at once if the storage is not open or has failed. */
  writeSnapshot(snapshot: SnapshotDescription): ResumableSnapshotWriter {
    return this.#usable().snapshots.write(snapshot);
  }

  /**
   * Goes on with a snapshot that was suspended, or begins it. Snapshots from others that were suspended are removed.
   *
   * @param source - names the very bytes: two members' snapshots of one index may differ in theirs.
   */
  resumeSnapshot(snapshot: SnapshotDescription, source: string): Promise<ResumableSnapshotWriter> {
    return this.#attempt(({ snapshots }) => snapshots.resume(snapshot, source));
  }

  /**
   * The bytes of the newest snapshot. One that is being read stays readable when a newer one takes its place.
   *
   * @param options.from - how many bytes to leave out at the front.
   */
  async *readSnapshot(
    snapshot: SnapshotDescription,
    options: { readonly from?: number } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#usable().snapshots.read(snapshot, options.from ?? 0);
  }

  /** Also possible while the disk is full, as far as the space goes that is kept for it. */
  compact(snapshot: SnapshotDescription, keepFrom: LogIndex): Promise<void> {
    return this.#attempt(async ({ queue, snapshots }) => {
      const accepted = acceptCompaction(this.#accepted, snapshot, keepFrom, (each) => snapshots.find(each));
      if (accepted === undefined) {
        await queue.between(async () => {});
        return this.#tidy(snapshots.drop(snapshot));
      }
      this.#accepted = accepted.after;
      await queue.push(accepted, { frees: true, onDurable: () => this.#adopt(accepted.after.snapshot) });
    });
  }

  /**
   * Goes over to a new data key, wrapped under what is now the provider's present key-encryption key. The old one is
   * done with when it has left `status.keyIds`: once compactions have dropped the last file under it.
   */
  async rotateKey(): Promise<void> {
    await this.#attempt(() => this.#keys.renew());
    // Asked again: it may have been closed while the provider took its time.
    await this.#attempt(({ queue, wal }) => queue.between(() => wal.rotate()));
  }

  /** Sees through what was handed over, and closes. What comes from now on is refused. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(): Promise<RecoveredState> {
    const { disk, directory } = this.#settings;
    const walDirectory = path.join(directory, 'wal');
    const snapshotDirectory = path.join(directory, 'snapshots');
    let lock: DiskLock | undefined;
    try {
      for (const each of [directory, walDirectory, snapshotDirectory]) await disk.makeDirectory(each);
      for (const each of [path.dirname(directory), directory]) await disk.syncDirectory(each);
      lock = await disk.lock(directory);
      if (lock === undefined) throw new FileStorageError('locked', `${directory} is in use`);
      return await this.#recover(walDirectory, snapshotDirectory, lock);
    } catch (error) {
      await lock?.release();
      throw asStorageError(error, `${directory} can't be opened`);
    }
  }

  async #recover(walDirectory: string, snapshotDirectory: string, lock: DiskLock): Promise<RecoveredState> {
    const { directory, disk, segmentBytes, preallocateBytes, groupBytes, randomBytes, yieldTurn } =
      this.#settings;
    const keys = this.#keys;
    const snapshots = new SnapshotStore({
      disk,
      directory: snapshotDirectory,
      keys,
      randomBytes,
      check: () => this.#usable(),
      failed: (error, doing) => this.#failed(error, doing),
    });
    const recovery = await recover({ disk, directory: walDirectory, keys });
    const { place, entries, tornBytes } = recovery;
    const isAnew = !(await hasBegun(disk, directory));
    if (recovery.previous === undefined) {
      if (!isAnew) throw corrupt(walDirectory, 0, 'there was a log, and nothing of it is left');
      if ((await disk.list(snapshotDirectory)).some(isSnapshot)) {
        throw corrupt(walDirectory, 0, 'there are snapshots and no log');
      }
    }
    await snapshots.recover(place.snapshot);
    const wal = new Wal({ disk, directory: walDirectory, keys, segmentBytes, preallocateBytes }, recovery);
    await wal.rotate();
    if (isAnew) await noteBegun(disk, directory);
    await wal.dropCovered();
    this.#accepted = place;
    const queue = new CommitQueue({
      wal,
      groupBytes,
      yieldTurn,
      onRefused: () => this.#takeBack(wal.durable),
    });
    this.#opened = { wal, queue, snapshots, lock };
    const { hardState, snapshot } = place;
    const stored = {
      hardState,
      entries,
      ...(snapshot === undefined ? {} : { snapshot: snapshot.description }),
    };
    return { stored, tornBytes };
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => {});
    if (this.#opened === undefined) return;
    const { wal, queue, lock } = this.#opened;
    try {
      await queue.settled();
      await this.#tidying;
      await wal.close(queue.failure === undefined);
    } catch (error) {
      this.#tell(error, 'the log could not be closed in order; nothing acknowledged is lost');
    } finally {
      await lock.release();
    }
  }

  #usable(): Opened {
    const opened = this.#opened;
    if (opened === undefined || this.#closing !== undefined) {
      throw new FileStorageError('closed', 'the storage is not open');
    }
    if (opened.queue.failure !== undefined) throw opened.queue.failure;
    return opened;
  }

  /** Runs at once, so that things happen in the order in which they were asked for; whatever it throws is a rejection. */
  #attempt<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    try {
      return work(this.#usable());
    } catch (error) {
      return Promise.reject(asStorageError(error, 'the storage was misused'));
    }
  }

  #checkSequence(sequence: number): void {
    const retry = this.#retryFrom;
    if (retry !== undefined && sequence !== retry) {
      const message = `the disk was full when batch ${retry} came; it has to come before batch ${sequence}`;
      throw new FileStorageError('disk-full', message);
    }
    if (sequence <= this.#lastSequence && retry === undefined) {
      const message = `batch ${sequence} came behind batch ${this.#lastSequence}`;
      throw new FileStorageError('invalid-batch', message);
    }
  }

  #takeBack(durable: LogPlace): void {
    this.#accepted = durable;
    // A compaction that is refused has no number: what has to come again stays what it was.
    this.#retryFrom = this.#pending[0] ?? this.#retryFrom;
    this.#pending = [];
  }

  #adopt(newest: SnapshotReference | undefined): void {
    if (newest !== undefined && this.#opened !== undefined) this.#tidy(this.#opened.snapshots.adopt(newest));
  }

  /** Removes, beside everything else, what is not needed any more. What can't be removed now is at the next opening. */
  #tidy(obsolete: readonly string[]): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#tidying = this.#tidying
      .then(async () => {
        await opened.snapshots.removeFiles(obsolete);
        await opened.wal.dropCovered();
      })
      .catch((error: unknown) => this.#tell(error, 'files that are not needed could not be removed'));
  }

  #tell(error: unknown, doing: string): void {
    this.#settings.onTidyError(asStorageError(error, doing));
  }

  #failed(error: unknown, doing: string): FileStorageError {
    const failure = asStorageError(error, doing);
    if (failure.code === 'failed') this.#opened?.queue.fail(failure);
    return failure;
  }
}

function isSnapshot(name: string): boolean {
  return name.endsWith('.snapshot');
}
