/**
 * What an orchestrator sees in one slot, and what the slot needs. A slot is a number in a replicated service and a
 * node in a global one; the rules are the same. Pure.
 */

import { newId, type TaskId } from '../../model/ids.ts';
import type { Service, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import type { DecideContext } from '../control-loop.ts';
import { evictsAt, isOnInvalidNode, type NodeLookup } from './node-validity.ts';
import { mayRestart, nodeOf, type Replacement, restartOf, restartsAt, startsAt } from './restart.ts';
import { isTaskDirty } from './task-dirty.ts';
import type { Deciding } from './wishes.ts';

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

/**
 * The slot counts as filled: a task is meant to run there, or the last one ended and its restart policy wants no
 * other. Otherwise its number is free.
 */
export function isOccupied(slot: Slot): boolean {
  return slot.live !== undefined || (slot.newest !== undefined && !mayRestart(slot.newest));
}

/**
 * How a slot stands towards an update of its service: `outdated` must be replaced; `inFlux` was replaced, and its new
 * task has not come to run yet, or failed for good; `settled` is neither.
 */
export type UpdateStanding = 'outdated' | 'inFlux' | 'settled';

/** Where the slot stands towards its service's spec. */
export function updateStanding(service: Service, slot: Slot, nodes: NodeLookup): UpdateStanding {
  const task = slot.live ?? (isOccupied(slot) ? slot.newest : undefined);
  if (task === undefined) return 'settled';
  if (task.specVersion !== service.specVersion) {
    return isTaskDirty(service, task, nodeOf(task, nodes)) ? 'outdated' : 'settled';
  }
  if (task.replaces === undefined) return 'settled';
  const { state } = task.status;
  if (isTerminal(state)) return slot.live === undefined && state === 'complete' ? 'settled' : 'inFlux';
  return taskStateRank(state) < taskStateRank('running') ? 'inFlux' : 'settled';
}

/** What tending a slot came to. */
interface Tended {
  /** Something is wished for the slot: it stands as before until that is applied. */
  readonly changed: boolean;
  /** Look at it again then, though nothing may have changed. */
  readonly lookAgainAt?: number;
}

const QUIET: Tended = { changed: false };
const CHANGED: Tended = { changed: true };

/** A new task with an id. */
export function withId(row: Replacement, context: DecideContext): Replacement & { readonly id: TaskId } {
  return { id: newId<TaskId>(context.random), ...row };
}

/**
 * Does what a slot with a live task needs: one live task and not two, a new one where the live one ended or has to
 * leave its node, the start of one that has waited long enough.
 *
 * @param options.mayReplace False where no new task may come now, as on a paused node.
 */
export function tendSlot(
  service: Service,
  slot: Slot,
  { state, context, wishes }: Deciding,
  options: { readonly mayReplace: boolean } = { mayReplace: true },
): Tended {
  const { live } = slot;
  if (live === undefined) return QUIET;
  const { at } = context;
  let changed = false;
  for (const task of slot.tasks) {
    if (task === live || !isMeantToRun(task.desiredState)) continue;
    wishes.shutdown(task.id);
    changed = true;
  }
  if (isTerminal(live.status.state) || isOnInvalidNode(live, state)) {
    const later = restartsAt(live, at) ?? waitsForNode(live, service, state, at);
    if (later !== undefined) return { changed, lookAgainAt: later };
    wishes.shutdown(live.id);
    const row = options.mayReplace ? restartOf(live, slot.tasks, service, state, at) : undefined;
    if (row) wishes.create(service.id, withId(row, context));
    return CHANGED;
  }
  if (live.desiredState === 'ready') {
    const later = startsAt(live, slot.tasks, state, at);
    if (later !== undefined) return { changed, lookAgainAt: later };
    wishes.run(live.id);
    return CHANGED;
  }
  return changed ? CHANGED : QUIET;
}

/** When a task that has not ended, and is on a node that is down, is given up. */
function waitsForNode(task: Task, service: Service, nodes: NodeLookup, at: number): number | undefined {
  return isTerminal(task.status.state) ? undefined : evictsAt(service, nodeOf(task, nodes), at);
}

/** The slot has something that {@link tendSlot} would do, now or later. Cheaper than sorting it out for nothing. */
export function needsTending(tasks: readonly Task[], nodes: NodeLookup): boolean {
  let live = 0;
  for (const task of tasks) {
    if (!isMeantToRun(task.desiredState)) continue;
    live++;
    if (live > 1 || task.desiredState === 'ready') return true;
    if (isTerminal(task.status.state) || isOnInvalidNode(task, nodes)) return true;
  }
  return false;
}

/**
 * Whether a change of a task is a reason to look at its slot: it ended or is gone, it has to be started later, or
 * something moved in a service that is being updated.
 */
export function isWorthALook(before: Task | undefined, after: Task | undefined, updating: boolean): boolean {
  if (after === undefined) return true;
  const hasEnded = isTerminal(after.status.state);
  if (before === undefined) return hasEnded || updating || after.desiredState === 'ready';
  if (hasEnded && !isTerminal(before.status.state)) return true;
  return (
    updating && (before.desiredState !== after.desiredState || before.status.state !== after.status.state)
  );
}
