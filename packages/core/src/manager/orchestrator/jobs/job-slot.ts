/** How far a job has come in one slot: of a replicated job a number, of a global one a node. Pure. */

import type { Task } from '../../../model/objects.ts';
import { mayRestart } from '../restart.ts';
import { type Slot, slotOf } from '../slot-tasks.ts';

/**
 * Where a slot stands in one run: `free` has no task; `inFlight` has one that is to complete; `complete` has one that
 * did; `failed` has none that did, and its restart policy allows no more.
 */
export type JobStanding = 'free' | 'inFlight' | 'complete' | 'failed';

/** The tasks of a slot that are of this run, given all of them, oldest first. */
export function slotOfRun(all: readonly Task[], iteration: number): Slot {
  return slotOf(all.filter((task) => task.jobIteration === iteration));
}

/** Where the slot stands. */
export function jobStanding({ tasks, live, newest }: Slot): JobStanding {
  if (tasks.some(({ status }) => status.state === 'complete')) return 'complete';
  if (live) return 'inFlight';
  return newest && !mayRestart(newest) ? 'failed' : 'free';
}

/** Why a slot failed, in words. */
export function failureOf({ newest }: Slot): string {
  if (!newest) return 'a task failed';
  const { state, error, message } = newest.status;
  return `task ${newest.id} ${state}: ${error ?? message}; its restart policy allows no more`;
}
