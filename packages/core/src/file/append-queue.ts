/** Appends that wait for the disk, and how they become batches and bytes. Knows nothing of files or epochs. */

import type { Append, AppendOutcome, Position, RejectionReason } from '../log/event-log.ts';
import { rejected } from '../log/outcomes.ts';
import { BATCH_HEADER_BYTES, ENTRY_OVERHEAD, encodeBatch } from './entry-batch.ts';

/** An append whose outcome is awaited. */
export interface WaitingAppend {
  readonly append: Append;
  readonly resolve: (outcome: AppendOutcome) => void;
}

/** Limits of an {@link AppendQueue}. */
export interface AppendQueueLimits {
  readonly maxBatchEntries: number;
  readonly maxBatchBytes: number;
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
}

/** Appends in the order in which they came. */
export class AppendQueue {
  readonly #limits: AppendQueueLimits;
  #waiting: WaitingAppend[] = [];
  #bytes = 0;
  #encoded = Buffer.alloc(0);

  constructor(limits: AppendQueueLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Why no more may wait, if so. */
  get overflow(): string | undefined {
    const { maxInFlight, maxInFlightBytes } = this.#limits;
    if (this.#waiting.length < maxInFlight && this.#bytes < maxInFlightBytes) return undefined;
    return `${this.#waiting.length} appends of ${this.#bytes} bytes are waiting already`;
  }

  /** Adds an append at the end. */
  push(append: Append): Promise<AppendOutcome> {
    this.#bytes += append.payload.length;
    return new Promise((resolve) => {
      this.#waiting.push({ append, resolve });
    });
  }

  /** Takes as many from the front as may be synced together. */
  takeBatch(): WaitingAppend[] {
    const { maxBatchEntries, maxBatchBytes } = this.#limits;
    let count = 0;
    let bytes = 0;
    for (const { append } of this.#waiting) {
      if (count === maxBatchEntries || (count > 0 && bytes + append.payload.length > maxBatchBytes)) break;
      count += 1;
      bytes += append.payload.length;
    }
    this.#bytes -= bytes;
    if (count < this.#waiting.length) return this.#waiting.splice(0, count);
    const whole = this.#waiting;
    this.#waiting = [];
    return whole;
  }

  /** Lays out a batch for the disk. The bytes are valid until the next call. */
  encode(batch: readonly WaitingAppend[], firstPosition: Position): Uint8Array {
    const payloads = batch.reduce((sum, { append }) => sum + append.payload.length, 0);
    const length = BATCH_HEADER_BYTES + batch.length * ENTRY_OVERHEAD + payloads;
    if (this.#encoded.length < length) this.#encoded = Buffer.allocUnsafe(length * 2);
    encodeBatch(batch, firstPosition, this.#encoded);
    return this.#encoded.subarray(0, length);
  }

  /** Refuses all that wait. */
  refuseAll(reason: RejectionReason, message: string): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const { resolve } of waiting) resolve(rejected(reason, message));
  }
}
