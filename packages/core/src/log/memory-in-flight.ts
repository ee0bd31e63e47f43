/**
 * Appends to a log in memory between their call and their end, and the rehearsed troubles that await them there: a
 * disk that is slow, an outcome that is refused or stays unknown. It says when appends are due and never decides
 * what becomes of them.
 */

import type { AppendOutcome, Entry } from './event-log.ts';

/**
 * A rehearsed ending of one append, for `MemoryEventLog.failNext`. An unknown one that is not committed ends the epoch
 * and begins the next, since nothing may be committed behind it.
 */
export type MemoryLogFault =
  | Extract<AppendOutcome, { kind: 'rejected' }>
  | (Extract<AppendOutcome, { kind: 'unknown' }> & {
      /** Whether the entry is in the log all the same. */
      readonly committed: boolean;
    });

/** An append that waits for its end. */
export interface InFlight {
  readonly entry: Entry;
  readonly fault: MemoryLogFault | undefined;
  readonly resolve: (outcome: AppendOutcome) => void;
}

/** Appends in flight, in the order in which they came. */
export class AppendsInFlight {
  readonly #onDue: () => void;
  readonly #faults: MemoryLogFault[] = [];
  #waiting: InFlight[] = [];
  #scheduled = false;
  #held = false;

  /** @param onDue - told, in a later turn, that those in flight are to be committed. */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Adds a fault behind those that are rehearsed already. */
  rehearse(fault: MemoryLogFault): void {
    this.#faults.push(fault);
  }

  /** The fault of the next append, taken off the list. */
  takeFault(): MemoryLogFault | undefined {
    return this.#faults.shift();
  }

  push(entry: Entry, fault: MemoryLogFault | undefined): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push({ entry, fault, resolve });
      this.#schedule();
    });
  }

  /** Takes all there are; the caller ends them. */
  takeAll(): readonly InFlight[] {
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  /** Ends all there are in the same way. */
  endAll(outcome: AppendOutcome): void {
    for (const { resolve } of this.takeAll()) resolve(outcome);
  }

  /** Nothing is due until the returned function is called. */
  hold(): () => void {
    this.#held = true;
    return () => {
      this.#held = false;
      this.#schedule();
    };
  }

  #schedule(): void {
    if (this.#scheduled || this.#held) return;
    this.#scheduled = true;
    // A turn later, so that a leader pipelines here as it would on a disk.
    void Promise.resolve().then(() => {
      this.#scheduled = false;
      if (!this.#held) this.#onDue();
    });
  }
}
