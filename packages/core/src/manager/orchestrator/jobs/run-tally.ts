/**
 * Where the slots of a job stand in one run, as sets that are folded from the same changes as the state: going on with
 * a job of a million tasks costs what changed, not the job.
 */

import { SlotSet } from '../slot-set.ts';
import type { JobStanding } from './job-slot.ts';

/** Counts of one run. */
export class RunTally {
  readonly iteration: number;
  readonly complete = new SlotSet();
  readonly inFlight = new SlotSet();
  readonly failed = new SlotSet();
  /** Of a global job: nodes that are to have a task and can't be given one yet. */
  readonly awaited = new SlotSet();
  /** What failed last, in words. */
  failure: string | undefined;
  /** Tasks may be made for it: those of stopped runs are gone, or were waited for long enough. */
  begun = false;
  /** Its end is told already, though not yet in the state. */
  ended = false;
  /** No slot below is free. */
  #from = 1;

  constructor(iteration: number) {
    this.iteration = iteration;
  }

  /** Slots that are done with, however they ended. */
  get done(): number {
    return this.complete.size + this.failed.size;
  }

  /** Notes where one slot stands now. */
  note(key: number, standing: JobStanding | 'awaited'): void {
    for (const is of ['complete', 'inFlight', 'failed', 'awaited'] as const) {
      if (is === standing) this[is].add(key);
      else this[is].delete(key);
    }
    if (standing === 'free' && key < this.#from) this.#from = Math.max(1, key);
  }

  /** The lowest free slot of a replicated job. */
  firstFree(): number {
    while (this.complete.has(this.#from) || this.inFlight.has(this.#from) || this.failed.has(this.#from)) {
      this.#from += 1;
    }
    return this.#from;
  }
}
