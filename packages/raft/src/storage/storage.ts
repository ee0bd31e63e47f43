/**
 * The port between a node and its disk: what a driver needs to keep the promises of a core. An adapter owns files,
 * checksums and encryption; it knows nothing of terms beyond writing them down.
 */

import type { PersistBatch } from '../core/ready.ts';
import type { LogIndex, SnapshotDescription, StoredState } from '../core/types.ts';

/** What was found and mended while opening. */
export interface RecoveredState {
  readonly stored: StoredState;
  /** Bytes of a torn, never acknowledged tail that were cut off. 0 when the log ended cleanly. */
  readonly tornBytes: number;
}

/** Receives the bytes of a snapshot that is not complete yet. Nothing of it is visible before `complete`. */
export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** All bytes are durable, under a name that no recovery takes for a valid snapshot before it is made the newest. */
  complete(): Promise<void>;
  discard(): Promise<void>;
}

/** A writer of a snapshot that can be left and taken up again. */
export interface ResumableSnapshotWriter extends SnapshotWriter {
  /** Bytes of the snapshot that are here already. The next chunk is the one that begins there. */
  readonly received: number;
  /** Leaves it as it is, to be taken up by `resumeSnapshot`, also after a restart. */
  suspend(): Promise<void>;
}

/** A member's disk. A write that fails is final: the storage refuses everything after it, and the member stops. */
export interface RaftStorage {
  open(): Promise<RecoveredState>;

  /**
   * Writes one batch; resolves when it, and all written before, is durable. Batches may be written while others are
   * under way, and become durable in order. Within a batch the hard state comes before the entries.
   */
  persist(batch: PersistBatch): Promise<void>;

  /** Begins to receive or take a snapshot. */
  writeSnapshot(snapshot: SnapshotDescription): SnapshotWriter;

  /**
   * Goes on with a snapshot that was suspended, or that a crash has interrupted, or begins it. A storage without this
   * receives each snapshot from its beginning.
   *
   * @param source - names the very bytes: two members' snapshots of one index may differ in theirs.
   */
  resumeSnapshot?(snapshot: SnapshotDescription, source: string): Promise<ResumableSnapshotWriter>;

  /** The bytes of the newest snapshot. */
  readSnapshot(snapshot: SnapshotDescription): AsyncIterable<Uint8Array>;

  /** Makes a completed snapshot of this member's own state the newest, and drops entries before `keepFrom`. */
  compact(snapshot: SnapshotDescription, keepFrom: LogIndex): Promise<void>;

  close(): Promise<void>;
}
