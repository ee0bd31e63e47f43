/**
 * What is known of one job while it is attended to: a tally of each of its runs, the slots that are still being left by
 * runs that were stopped, and how far a look at all of its slots has come. Nothing but what the state says.
 */

import type { Service } from '../../../model/objects.ts';
import { SlotSet } from '../slot-set.ts';
import { openIterations } from './job-runs.ts';
import { RunTally } from './run-tally.ts';

/** One job. */
export class JobTasks {
  /** The runs that are tended, oldest first. */
  runs: readonly RunTally[] = [];
  /** Slots in which a task of a stopped run may still be at work. */
  readonly leaving = new SlotSet();
  /** The slot to go on from with the look at all of them; `undefined` when it is done. */
  next: number | undefined = 0;

  /**
   * Takes over which runs are open now.
   *
   * @returns slots that hold tasks of runs that are so no more.
   */
  follow(service: Service): readonly number[] {
    const open = openIterations(service);
    const known = new Map(this.runs.map((run) => [run.iteration, run]));
    if (open.length === this.runs.length && open.every((iteration) => known.has(iteration))) return [];
    this.runs = open.map((iteration) => known.get(iteration) ?? new RunTally(iteration));
    return [...known.values()]
      .filter(({ iteration }) => !open.includes(iteration))
      .flatMap(({ inFlight }) => [...inFlight]);
  }

  isOpen(iteration: number | undefined): boolean {
    return this.runs.some((run) => run.iteration === iteration);
  }
}
