/**
 * Batches on their way to the disk: handed over at once, reported durable in order. When the disk is full, what was
 * refused is kept and handed over again, in order, until there is room; any other failure is final.
 */

import type { PersistBatch } from '../core/ready.ts';
import type { RaftStorage } from '../storage/storage.ts';
import type { CancelTimer, RaftClock } from './ports.ts';

/** What a writer sits between. */
export interface BatchWriterParts {
  readonly storage: RaftStorage;
  readonly clock: RaftClock;
  /** The batch, and all before it, are durable. `tookMs` is undefined if there was nothing to write. */
  readonly onDurable: (batch: PersistBatch, tookMs: number | undefined) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Waiting {
  readonly batch: PersistBatch;
  handedAt: number;
  state: 'kept' | 'handed' | 'durable';
}

/** How long a full disk is left alone before it is tried again. */
const RETRY_MS = 250;

/** One storage's batches. */
export class BatchWriter {
  readonly #parts: BatchWriterParts;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #isFull = false;
  #isStopped = false;
  #cancelRetry: CancelTimer = () => {};
  #settled: (() => void)[] = [];

  constructor(parts: BatchWriterParts) {
    this.#parts = parts;
  }

  /** The disk has refused a batch for want of room, and has not taken it since. */
  get isFull(): boolean {
    return this.#isFull;
  }

  write(batch: PersistBatch): void {
    const waiting: Waiting = { batch, handedAt: 0, state: 'kept' };
    this.#waiting.push(waiting);
    if (!this.#isFull) this.#hand(waiting);
    this.#report();
  }

  /** Reports nothing more, and hands nothing over again. What is under way goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry();
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  #hand(waiting: Waiting): void {
    const { batch } = waiting;
    if (!hasBytes(batch)) {
      waiting.state = 'durable';
      return;
    }
    const { storage, clock } = this.#parts;
    waiting.state = 'handed';
    waiting.handedAt = clock.monotonic();
    this.#underWay++;
    storage.persist(batch).then(
      () => {
        waiting.state = 'durable';
        this.#ended();
      },
      (error: unknown) => {
        waiting.state = 'kept';
        this.#refused(error);
        this.#ended();
      },
    );
  }

  #refused(error: unknown): void {
    if (this.#isStopped) return;
    if (!isDiskFull(error)) {
      this.#isStopped = true;
      this.#parts.onFailure(error);
      return;
    }
    this.#isFull = true;
    this.#cancelRetry();
    this.#cancelRetry = this.#parts.clock.setTimer(RETRY_MS, () => this.#retry());
  }

  #retry(): void {
    // All that were refused have come back by now, and go again in their order.
    if (this.#underWay > 0) {
      this.#cancelRetry = this.#parts.clock.setTimer(RETRY_MS, () => this.#retry());
      return;
    }
    this.#isFull = false;
    for (const waiting of this.#waiting) if (waiting.state === 'kept') this.#hand(waiting);
    this.#report();
  }

  #ended(): void {
    this.#underWay--;
    this.#report();
    if (this.#underWay > 0) return;
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #report(): void {
    const { clock, onDurable } = this.#parts;
    for (;;) {
      const [first] = this.#waiting;
      if (first?.state !== 'durable' || this.#isStopped) return;
      this.#waiting.shift();
      onDurable(first.batch, first.handedAt === 0 ? undefined : clock.monotonic() - first.handedAt);
    }
  }
}

function hasBytes({ hardState, snapshot, entries }: PersistBatch): boolean {
  return hardState !== undefined || snapshot !== undefined || entries.length > 0;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'disk-full';
}
