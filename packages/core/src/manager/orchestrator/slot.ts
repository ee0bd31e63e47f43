/**
 * What an orchestrator sees in one slot, and what the slot needs. A slot is a number in a replicated service and a
 * node in a global one; the rules are the same. Pure.
 */

import type { Service, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import { leaveCause, leaveDeadline, serves } from './drain/must-leave.ts';
import { predecessorOf, tendLeaving } from './drain/tend-leaving.ts';
import { evictsAt, isOnInvalidNode, type NodeLookup } from './node-validity.ts';
import { mayRestart, nodeOf, pullRetryAt, restartOf, restartsAt, startsAt } from './restart.ts';
import type { Slot } from './slot-tasks.ts';
import { isTaskDirty } from './task-dirty.ts';
import { CHANGED, QUIET, type Tended, withId } from './tended.ts';
import type { Deciding } from './wishes.ts';

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

/**
 * Does what a slot with a live task needs: one live task and not two, save while the new one of a move is not there
 * yet; a new one where the live one ended or has to leave its node; the start of one that has waited long enough.
 *
 * @param options.mayReplace False where no new task may come now, as on a paused node.
 */
export function tendSlot(
  service: Service,
  slot: Slot,
  deciding: Deciding,
  options: { readonly mayReplace: boolean } = { mayReplace: true },
): Tended {
  const { live } = slot;
  if (live === undefined) return QUIET;
  const { state, context, wishes } = deciding;
  const { at } = context;
  let changed = false;
  const predecessor = predecessorOf(service, slot, state, at);
  if (predecessor === 'not-needed') {
    wishes.shutdown(live.id);
    return CHANGED;
  }
  const deadline = predecessor && leaveDeadline(predecessor, state);
  for (const task of slot.tasks) {
    if (task === live || task === predecessor || !isMeantToRun(task.desiredState)) continue;
    wishes.shutdown(task.id);
    changed = true;
  }
  if (serves(live) && leaveCause(live, state) !== undefined) {
    const tended = tendLeaving(service, slot, live, deciding);
    return changed ? { ...tended, changed } : tended;
  }
  if (isTerminal(live.status.state) || isOnInvalidNode(live, state)) {
    const later = restartsAt(live, at) ?? pullsAgainAt(live, at) ?? waitsForNode(live, service, state, at);
    if (later !== undefined) return waiting(changed, later, deadline);
    wishes.shutdown(live.id);
    const others = predecessor ? slot.tasks.filter((task) => task !== predecessor) : slot.tasks;
    const row = options.mayReplace ? restartOf(live, others, service, state, at) : undefined;
    if (row) wishes.create(service.id, withId(row, context));
    return CHANGED;
  }
  if (live.desiredState === 'ready' && !live.awaitsDependencies) {
    const later = startsAt(live, slot.tasks, state, at);
    if (later !== undefined) return waiting(changed, later, deadline);
    wishes.start(live);
    return CHANGED;
  }
  return changed ? CHANGED : waiting(false, deadline);
}

/** Look again at the first of these times. */
function waiting(changed: boolean, ...times: readonly (number | undefined)[]): Tended {
  const first = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
  return first === Number.POSITIVE_INFINITY ? { changed } : { changed, lookAgainAt: first };
}

/** When the image of a task is to be fetched again, as long as that is to come. */
function pullsAgainAt(task: Task, at: number): number | undefined {
  const retry = pullRetryAt(task);
  return retry && retry.at > at ? retry.at : undefined;
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
    if (isTerminal(task.status.state) || task.evicted || isOnInvalidNode(task, nodes)) return true;
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
  if (before?.awaitsDependencies && !after.awaitsDependencies) return true;
  if (before === undefined) return hasEnded || updating || after.desiredState === 'ready';
  if (hasEnded && !isTerminal(before.status.state)) return true;
  if (after.evicted !== before.evicted) return true;
  // The one that it takes the place of may have waited for that.
  if (after.replaces !== undefined && serves(after) && !serves(before)) return true;
  return (
    updating && (before.desiredState !== after.desiredState || before.status.state !== after.status.state)
  );
}
