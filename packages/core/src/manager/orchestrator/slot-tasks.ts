/** The tasks of one slot, sorted out. Pure. */

import type { Task } from '../../model/objects.ts';
import { isMeantToRun } from '../../model/task-state.ts';

/** The tasks of one slot, sorted out. Tasks that are to be removed are no part of it. */
export interface Slot {
  /** Those that are not to be removed, oldest first. */
  readonly tasks: readonly Task[];
  /** The newest that is meant to run. */
  readonly live: Task | undefined;
  /** The newest of all. */
  readonly newest: Task | undefined;
}

/** Sorts out the tasks of a slot, given oldest first. */
export function slotOf(all: readonly Task[]): Slot {
  const tasks = all.every(isToStay) ? all : all.filter(isToStay);
  return { tasks, live: tasks.findLast(isLive), newest: tasks.at(-1) };
}

function isToStay(task: Task): boolean {
  return task.desiredState !== 'remove';
}

function isLive(task: Task): boolean {
  return isMeantToRun(task.desiredState);
}
