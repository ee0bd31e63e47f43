/**
 * What a log in memory keeps: committed entries for its readers, up to a bound, and with a storage that is shared
 * also a snapshot for the log that is opened next. It knows nothing of epochs, outcomes or state machines.
 */

import { type Entry, LogError, type Position, type ReadOptions, type StateCapture } from './event-log.ts';

/** Memory that outlives a `MemoryEventLog`: opening another on the same storage is a restart without a disk. */
export class MemoryLogStorage {
  /** Committed entries behind the snapshot, in order. Owned by the log that is open on this storage. */
  entries: Entry[] = [];
  /** The state at one position, as its machine wrote it. */
  snapshot: { readonly position: Position; readonly chunks: readonly Uint8Array[] } | undefined;
  /** The last epoch that began on this storage. */
  epoch = 0;
}

/** The entries of a storage as one log sees them: how many bytes they are, and up to where they are forgotten. */
export class KeptEntries {
  readonly #storage: MemoryLogStorage;
  #bytes = 0;
  #forgotten: Position = 0;

  constructor(storage: MemoryLogStorage) {
    this.#storage = storage;
  }

  /** Bytes of payloads that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The last position that is not kept any more, 0 when all are. */
  get forgotten(): Position {
    return this.#forgotten;
  }

  /** Counts what an earlier log has left on the storage. */
  adopt(): void {
    this.#bytes = bytesOf(this.#storage.entries);
    this.#forgotten = this.#storage.snapshot?.position ?? 0;
  }

  push(entry: Entry): void {
    this.#storage.entries.push(entry);
    this.#bytes += entry.payload.length;
  }

  /** Puts a snapshot on the storage. Releases the capture, whatever happens. */
  async save(position: Position, capture: StateCapture): Promise<void> {
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of capture.chunks()) chunks.push(chunk);
      this.#storage.snapshot = { position, chunks };
    } finally {
      capture.release();
    }
  }

  /** Forgets entries up to and including `position`. */
  forget(position: Position): void {
    const { entries } = this.#storage;
    const kept = entries.slice(indexAfter(entries, position));
    // A new array, so that readers amid the old one notice.
    this.#storage.entries = kept;
    this.#bytes = bytesOf(kept);
    this.#forgotten = position;
  }

  /** Forgets the oldest entries until no more than `bytes` are kept. */
  shrinkTo(bytes: number): void {
    let excess = this.#bytes - bytes;
    for (const { position, payload } of this.#storage.entries) {
      excess -= payload.length;
      if (excess > 0) continue;
      this.forget(position);
      return;
    }
  }

  /**
   * Reads entries behind a position.
   *
   * @param next - resolves when the entry behind a position is there; asked by live readers at the end.
   * @throws LogError `compacted` when they are forgotten.
   */
  async *read(
    options: ReadOptions,
    next: (after: Position, signal: AbortSignal | undefined) => Promise<void>,
  ): AsyncGenerator<Entry, void, undefined> {
    const { signal } = options;
    let after = options.after;
    for (;;) {
      signal?.throwIfAborted();
      if (after < this.#forgotten) {
        const message = `entries up to position ${this.#forgotten} are forgotten, ${after + 1} was asked for`;
        throw new LogError('compacted', message, { oldest: this.#forgotten });
      }
      const { entries } = this.#storage;
      for (let index = indexAfter(entries, after); index < entries.length; index++) {
        const entry = entries[index];
        if (entry === undefined || this.#storage.entries !== entries) break;
        after = entry.position;
        yield entry;
        signal?.throwIfAborted();
      }
      if (this.#storage.entries !== entries) continue;
      if (!options.live) return;
      await next(after, signal);
    }
  }
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { payload }) => sum + payload.length, 0);
}

/** The index of the first entry behind `position`, by bisection. */
function indexAfter(entries: readonly Entry[], position: Position): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
