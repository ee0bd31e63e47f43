/**
 * Snapshots of a node: taken of its own state beside the work, shipped to followers that need one, received from a
 * leader, and restored. The core decides which; the storage keeps them; here are the bytes on their way.
 */

import type { InstallSnapshot } from '../core/message.ts';
import type { RaftCore } from '../core/raft.ts';
import type { LogIndex, MemberId, SnapshotDescription } from '../core/types.ts';
import type { RaftStorage, SnapshotWriter } from '../storage/storage.ts';
import { TransportError } from '../transport/errors.ts';
import type { RaftTransport, SnapshotArrival } from '../transport/transport.ts';
import { RaftNodeError } from './errors.ts';
import type { RaftLogger, RaftMetrics } from './ports.ts';
import type { ProposalSessions } from './proposal-sessions.ts';
import { readLayout, writeLayout } from './snapshot-layout.ts';
import type { RaftStateMachine } from './state-machine.ts';

/** What the snapshots sit between. */
export interface SnapshotsParts {
  readonly core: RaftCore;
  readonly storage: RaftStorage;
  readonly transport: RaftTransport;
  readonly machine: RaftStateMachine;
  readonly sessions: ProposalSessions;
  readonly logger: RaftLogger;
  readonly metrics: RaftMetrics;
  readonly isStopped: () => boolean;
  /** The storage failed for good. Nobody else may ask it for anything soon, and notice. */
  readonly onStorageFailure: (error: unknown) => void;
  /** Something was given to the core: see what it wants done. */
  readonly onInput: () => void;
}

/** A snapshot that is arriving, until a newer one does. */
interface Receiving {
  readonly message: InstallSnapshot;
  isSuperseded: boolean;
}

/** One node's snapshots. */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  /** One is taken after the other. */
  #taking: Promise<unknown> = Promise.resolve();
  /** While set, the newest snapshot is being made so: nobody reads it before. */
  #adopting: Promise<unknown> = Promise.resolve();
  /** The newest snapshot, as long as the storage could not make it its own. */
  #unadopted: { readonly snapshot: SnapshotDescription; readonly keepFrom: LogIndex } | undefined;
  #receiving: Receiving | undefined;
  /** What is on its way to each member, the latest of them. */
  readonly #shipped = new Map<MemberId, InstallSnapshot>();
  #newest: SnapshotDescription | undefined;
  #newestBytes = 0;
  /** Entries up to here are gone from the storage. */
  #discarded: LogIndex = 0;

  constructor(parts: SnapshotsParts, newest: SnapshotDescription | undefined) {
    this.#parts = parts;
    this.#newest = newest;
  }

  /** Where the newest snapshot ends. */
  get index(): LogIndex {
    return this.#newest?.index ?? 0;
  }

  /** Bytes of the newest snapshot that was taken here; 0 while none was. */
  get newestBytes(): number {
    return this.#newestBytes;
  }

  /** Nobody may be shown entries up to here any more. */
  get discarded(): LogIndex {
    return this.#discarded;
  }

  /** Restores the state machine from the newest snapshot in the storage. */
  async restore(snapshot: SnapshotDescription): Promise<void> {
    const { storage, machine, sessions } = this.#parts;
    this.#newest = snapshot;
    // One at the beginning of a cluster's life holds its first members and no state.
    if (snapshot.index === 0) return;
    const { table, chunks } = await readLayout(storage.readSnapshot(snapshot));
    await machine.restore(snapshot.index, chunks);
    sessions.decode(table);
  }

  /** Takes a snapshot of what is applied now. See `RaftNode.snapshot`. */
  take(discard: boolean, signal?: AbortSignal): Promise<LogIndex> {
    const mine = this.#taking.then(() => this.#take(discard, signal));
    this.#taking = mine.catch(() => {});
    return mine;
  }

  /** Sends the newest snapshot to a member that needs it, and tells the core how that went. */
  async ship(message: InstallSnapshot): Promise<void> {
    const { core, storage, transport, logger, metrics, onInput, isStopped } = this.#parts;
    const { to, snapshot } = message;
    this.#shipped.set(to, message);
    let outcome: 'delivered' | 'failed' = 'failed';
    try {
      await this.#adopting;
      await this.#adoptAgain();
      await transport.sendSnapshot(message, storage.readSnapshot(snapshot));
      outcome = 'delivered';
    } catch (error) {
      logger.warn({ err: error, member: to, index: snapshot.index }, 'a snapshot could not be delivered');
    }
    metrics.count('raft_snapshots_sent_total', 1, { outcome });
    // One that another took the place of says nothing: its end would be taken for that of the other.
    if (isStopped() || this.#shipped.get(to) !== message) return;
    this.#shipped.delete(to);
    core.snapshotReport(to, outcome);
    onInput();
  }

  /** A leader sends one. Its message is given to the core once all bytes are stored. */
  async receive(message: InstallSnapshot, arrival: SnapshotArrival): Promise<void> {
    const { core, metrics, logger, onInput } = this.#parts;
    const { from, snapshot } = message;
    if (!core.takes(message)) {
      // Before its bytes are here: a stranger's would fill the disk.
      metrics.count('raft_messages_refused_total', 1, { reason: 'stranger' });
      throw new TransportError('stranger', `a snapshot from ${from} is not taken here`);
    }
    if (snapshot.index <= core.status.committed) {
      // It is further than that already, and says so.
      core.step(message);
      onInput();
      return;
    }
    const current = this.#receiving;
    if (current !== undefined) {
      const isNewer = message.term > current.message.term || snapshot.index > current.message.snapshot.index;
      if (!isNewer) throw new RaftNodeError('busy', 'another snapshot is arriving');
      current.isSuperseded = true;
    }
    const receiving = { message, isSuperseded: false };
    this.#receiving = receiving;
    let writer: SnapshotWriter;
    try {
      writer = await this.#keep(receiving, arrival);
    } finally {
      if (this.#receiving === receiving) this.#receiving = undefined;
    }
    const before = core.status.snapshotIndex;
    core.step(message);
    const isTaken = core.status.snapshotIndex === snapshot.index && before !== snapshot.index;
    if (isTaken) {
      logger.info({ from, index: snapshot.index }, 'a snapshot was received');
      metrics.count('raft_snapshots_received_total', 1);
    }
    onInput();
    if (!isTaken) await discardQuietly(writer);
  }

  /** Stores what arrives. What is here when it breaks off is kept for the next attempt, if the storage can do that. */
  async #keep(receiving: Receiving, arrival: SnapshotArrival): Promise<SnapshotWriter> {
    const { storage, metrics, logger, isStopped } = this.#parts;
    const { from, term, snapshot } = receiving.message;
    // A leader ships the same bytes for as long as its term lasts, and no longer: it may take another at that index.
    const source = `${from} in term ${term}`;
    const resumable = await this.#stored(Promise.resolve(storage.resumeSnapshot?.(snapshot, source)));
    const writer = resumable ?? storage.writeSnapshot(snapshot);
    const received = resumable?.received ?? 0;
    if (received > 0) {
      metrics.count('raft_snapshots_resumed_total', 1);
      logger.info({ from, index: snapshot.index, received }, 'a snapshot is gone on with');
    }
    try {
      for await (const chunk of arrival.from(received)) {
        if (isStopped()) throw new RaftNodeError('closed', 'the node is closed');
        if (receiving.isSuperseded) throw new RaftNodeError('unavailable', 'a newer snapshot is arriving');
        await this.#stored(writer.write(chunk));
      }
      await this.#stored(writer.complete());
      if (receiving.isSuperseded || isStopped()) {
        throw new RaftNodeError('unavailable', 'the snapshot is not wanted any more');
      }
      return writer;
    } catch (error) {
      if (resumable === undefined || receiving.isSuperseded) await discardQuietly(writer);
      else await resumable.suspend().catch(() => {});
      throw error;
    }
  }

  async #take(discard: boolean, signal: AbortSignal | undefined): Promise<LogIndex> {
    const { core, storage, machine, sessions, metrics, isStopped } = this.#parts;
    signal?.throwIfAborted();
    if (isStopped()) throw new RaftNodeError('closed', 'the node is closed');
    const snapshot = core.describeSnapshot();
    if (snapshot === undefined) {
      throw new RaftNodeError('unavailable', 'a snapshot from the leader is being restored');
    }
    if (snapshot.index === 0 || snapshot.index === this.index) {
      if (discard && snapshot.index > 0) await this.#adopt(snapshot, true);
      return this.index;
    }
    const table = sessions.encode();
    const capture = machine.capture();
    const writer = storage.writeSnapshot(snapshot);
    let bytes = 0;
    try {
      for await (const chunk of writeLayout(table, capture.chunks())) {
        signal?.throwIfAborted();
        bytes += chunk.length;
        await this.#stored(writer.write(chunk));
      }
      await this.#stored(writer.complete());
    } catch (error) {
      await discardQuietly(writer);
      throw error;
    } finally {
      capture.release();
    }
    if (isStopped()) throw new RaftNodeError('closed', 'the node was closed while it took a snapshot');
    if (core.status.snapshotIndex >= snapshot.index) {
      // The leader has sent a newer one meanwhile.
      await discardQuietly(writer);
      return this.index;
    }
    this.#newestBytes = bytes;
    await this.#adopt(snapshot, discard);
    metrics.count('raft_snapshots_taken_total', 1);
    metrics.gauge('raft_snapshot_index', snapshot.index);
    return snapshot.index;
  }

  /** Waits for the storage; a failure that is final for it is told at once. */
  async #stored<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (isFinal(error)) this.#parts.onStorageFailure(error);
      throw error;
    }
  }

  /** A storage that had no room to make the newest snapshot its own is asked once more: others wait for it. */
  async #adoptAgain(): Promise<void> {
    const again = this.#unadopted;
    if (again === undefined || again.snapshot.index !== this.#parts.core.status.snapshotIndex) return;
    await this.#stored(this.#parts.storage.compact(again.snapshot, again.keepFrom));
    if (this.#unadopted === again) this.#unadopted = undefined;
  }

  /** Makes a completed snapshot the newest, in the core and in the storage. */
  async #adopt(snapshot: SnapshotDescription, discard: boolean): Promise<void> {
    const { core, storage } = this.#parts;
    const kept = core.snapshotStored(snapshot);
    this.#newest = snapshot;
    const keepFrom = discard ? snapshot.index + 1 : kept;
    const adopting = storage.compact(snapshot, keepFrom);
    this.#adopting = adopting.catch(() => {});
    this.#unadopted = { snapshot, keepFrom };
    await this.#stored(adopting);
    this.#unadopted = undefined;
    this.#discarded = Math.max(this.#discarded, keepFrom - 1);
  }
}

async function discardQuietly(writer: SnapshotWriter): Promise<void> {
  try {
    await writer.discard();
  } catch {
    // What remains of it is no snapshot that any recovery would take; the storage removes it in time.
  }
}

/** Whether a storage that said so takes nothing any more. Lack of room, or of a key, passes. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return true;
  return error.code === 'failed';
}
