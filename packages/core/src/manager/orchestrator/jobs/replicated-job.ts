/**
 * Replicated jobs: so many tasks must complete, so many run at once. Slots are numbered from 1, and each completes once;
 * one that failed for good stays taken.
 */

import type { Service, Task } from '../../../model/objects.ts';
import { jobSize } from '../../../model/service-spec.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import { replacementOf } from '../restart.ts';
import { tendSlot } from '../slot.ts';
import { withId } from '../tended.ts';
import type { Deciding } from '../wishes.ts';
import { failureOf, jobStanding, slotOfRun } from './job-slot.ts';
import type { RunTally } from './run-tally.ts';

/** A slot to be tended. */
export interface SlotToTend {
  readonly key: number;
  /** All of its tasks, of all runs, oldest first. */
  readonly all: readonly Task[];
}

/** What tending came to. */
export interface TendedSlot {
  /** Its live task, if it has one. */
  readonly live: Task | undefined;
  /** When to look at it again, though nothing may have changed by then. */
  readonly lookAgainAt: number | undefined;
}

/** Sees to one slot of a run, and notes where it stands. */
export function tendReplicatedSlot(
  service: Service,
  run: RunTally,
  { key, all }: SlotToTend,
  deciding: Deciding,
): TendedSlot {
  const slot = slotOfRun(all, run.iteration);
  const standing = jobStanding(slot);
  if (standing === 'complete') {
    stopOthers(slot.tasks, deciding);
  } else if (slot.live) {
    const { lookAgainAt } = tendSlot(service, slot, deciding);
    // Also where it is replaced or given up: it counts otherwise when that is in the state.
    run.note(key, 'inFlight');
    return { live: slot.live, lookAgainAt };
  } else if (standing === 'failed') {
    run.failure = failureOf(slot);
  }
  run.note(key, standing);
  return { live: undefined, lookAgainAt: undefined };
}

/** One that was replaced may complete after all: then the other has nothing left to do. */
export function stopOthers(tasks: readonly Task[], { wishes }: Deciding): void {
  for (const task of tasks) {
    if (isMeantToRun(task.desiredState) && !isTerminal(task.status.state)) wishes.shutdown(task.id);
  }
}

/**
 * Makes as many tasks as the run may have at once, and still needs.
 *
 * @returns whether the transaction had room for all of them.
 */
export function fillRun(service: Service, run: RunTally, { state, context, wishes }: Deciding): boolean {
  const { completions, concurrency } = jobSize(service.spec);
  const { iteration } = run;
  while (run.inFlight.size < concurrency && run.done + run.inFlight.size < completions) {
    if (wishes.full) return false;
    const slot = run.firstFree();
    const { tasks, newest } = slotOfRun(state.slot(service.id, slot), iteration);
    const row = newest ? replacementOf(newest, tasks, state, context.at) : { slot, jobIteration: iteration };
    wishes.create(service.id, withId(row, context));
    run.note(slot, 'inFlight');
  }
  return true;
}
