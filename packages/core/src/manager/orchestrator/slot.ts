/**
 * What an orchestrator sees in one slot, and what the slot needs. A slot is a number in a replicated service and a
 * node in a global one; the rules are the same. Pure.
 */

import type { Service, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import { isRollback, isUnderWay } from '../../state/update-standing.ts';
import type { DecideContext } from '../control-loop.ts';
import { isPreempted, leaveCause, leaveDeadline, mayStartFirst, serves } from './drain/must-leave.ts';
import { spareTask } from './drain/spare-task.ts';
import {
  isAsPrepared,
  isFailedMove,
  predecessorOf,
  tendLeaving,
  tendPreempted,
} from './drain/tend-leaving.ts';
import { evictsAt, isOnInvalidNode, mayBeAtWork, type NodeLookup } from './node-validity.ts';
import {
  mayRestart,
  nodeOf,
  OLD_TASK_TIMEOUT_MS,
  pullRetryAt,
  restartOf,
  restartsAt,
  startsAt,
} from './restart.ts';
import type { Slot } from './slot-tasks.ts';
import { CHANGED, QUIET, type Tended, withId } from './tended.ts';
import { isOutdated, placeTaken, specFor, startsFirst, takesPlaces } from './updater/handover.ts';
import { isOfUpdate, isUpdateFailure, policyInForce } from './updater/update-failure.ts';
import { earliest } from './wake-queue.ts';
import type { Deciding } from './wishes.ts';

/**
 * The slot counts as filled: a task is meant to run there, or the last one ended and its restart policy wants no
 * other. Otherwise its number is free.
 */
export function isOccupied(slot: Slot): boolean {
  return slot.live !== undefined || (slot.newest !== undefined && !mayRestart(slot.newest));
}

/**
 * How a slot stands towards an update of its service: `outdated` must be replaced; `inFlux` was replaced, and the next
 * one has to wait for its new task; `settled` is neither.
 */
export type UpdateStanding = 'outdated' | 'inFlux' | 'settled';

/** Where the slot stands towards its service's spec, at this time: that of {@link timeOfDelays}. */
export function updateStanding(service: Service, slot: Slot, nodes: NodeLookup, at: number): UpdateStanding {
  const task = slot.live ?? (isOccupied(slot) ? slot.newest : undefined);
  if (task === undefined) return 'settled';
  if (isOutdated(service, task, nodes)) return isGivenUp(service, slot) ? 'settled' : 'outdated';
  if (!isOfUpdate(service, task)) return 'settled';
  const { state } = task.status;
  if (isTerminal(state)) return slot.live === undefined ? 'settled' : 'inFlux';
  if (taskStateRank(state) < taskStateRank('running')) return 'inFlux';
  // The next new one may go where this old one still stops.
  const leavesAPlace = startsFirst(service) && takesPlaces(service.spec);
  if (leavesAPlace && slot.tasks.some((older) => older !== task && mayBeAtWork(older, nodes)))
    return 'inFlux';
  const delayed = delayedUntil(service, task);
  return delayed !== undefined && at < delayed ? 'inFlux' : 'settled';
}

/** The time that an update's delays are looked at by: in a rehearsal they are over. */
export function timeOfDelays({ at, waits }: DecideContext): number {
  return waits === 'over' ? Number.POSITIVE_INFINITY : at;
}

/** Until when the next slot of an update waits because of this task; undefined: not at all. */
function delayedUntil(service: Service, task: Task): number | undefined {
  const { updateStatus } = service;
  if (task.runningSince === undefined || !isUnderWay(updateStatus) || !isOfUpdate(service, task))
    return undefined;
  const { delayMs } = policyInForce(service);
  return delayMs > 0 ? task.runningSince + delayMs : undefined;
}

/** The same, if that is still to come. */
export function delayAfter(service: Service, task: Task, at: number): number | undefined {
  const until = delayedUntil(service, task);
  return until !== undefined && until > at ? until : undefined;
}

/** When the new task of an update came to run in this slot; 0: none has. */
export function runningSinceOf(service: Service, { live }: Slot): number {
  return live && isOfUpdate(service, live) ? (live.runningSince ?? 0) : 0;
}

/** The new task ended, and its restart policy wants no other: the old one, which serves on, is left alone. */
function isGivenUp(service: Service, slot: Slot): boolean {
  return (
    slot.live !== undefined &&
    slot.newest?.specVersion === service.specVersion &&
    isFailedMove(slot, slot.live)
  );
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
  // The predecessor runs until the live one does: nothing waits for its end.
  const others = predecessor ? slot.tasks.filter((task) => task !== predecessor) : slot.tasks;
  const isMove = predecessor !== undefined && !isOutdated(service, predecessor, state);
  // Until it goes, a new task that must not run beside it is only prepared.
  const isPreparedFirst = predecessor && !(isMove ? mayStartFirst(service) : startsFirst(service));
  for (const task of slot.tasks) {
    if (task === live || task === predecessor || !isMeantToRun(task.desiredState)) continue;
    if (serves(task)) {
      deciding.budgets.stopped(service.id);
      tellStopsFirst(service, task, live, deciding);
    }
    wishes.shutdown(task.id);
    changed = true;
  }
  if (isPreempted(live) && !isTerminal(live.status.state) && !isOnInvalidNode(live, state)) {
    return tendPreempted(service, slot, live, deciding);
  }
  if (serves(live) && leaveCause(live, state) !== undefined) {
    const tended = tendLeaving(service, slot, live, deciding);
    return changed ? { ...tended, changed } : tended;
  }
  if (isTerminal(live.status.state) || isOnInvalidNode(live, state)) {
    const spared = live.jobIteration === undefined ? undefined : spareTask(service, live, deciding);
    if (spared?.now === false) return waiting(changed, spared.lookAgainAt);
    const later = restartsAt(live, at) ?? pullsAgainAt(live, at) ?? waitsForNode(live, service, state, at);
    if (later !== undefined) return waiting(changed, later, deadline);
    if (isUpdateFailure(service, live)) wishes.updateFailed(service.id, live.id);
    wishes.shutdown(live.id);
    const row = options.mayReplace ? restartOf(live, others, service, state, at) : undefined;
    const waits = isPreparedFirst ? { startAfter: at } : {};
    if (row) wishes.create(service.id, withId({ ...waits, ...row }, context), specFor(service, live));
    // The one before has to leave its node still.
    else if (predecessor && leaveCause(predecessor, state) !== undefined)
      return {
        ...tendLeaving(service, { ...slot, live: predecessor }, predecessor, deciding),
        changed: true,
      };
    // Nor does the one before take its place for good, where it is of an older spec.
    else if (predecessor) return { changed: true, again: true };
    return CHANGED;
  }
  if (live.desiredState === 'ready' && !live.awaitsDependencies) {
    if (isPreparedFirst) {
      const isPrepared = isAsPrepared(live) && live.startAfter <= at;
      if (isMove && isPrepared && deciding.budgets.take(service, state.slotKey(live), state)) {
        wishes.shutdown(predecessor.id);
        return waiting(true, at + OLD_TASK_TIMEOUT_MS);
      }
      return waiting(changed, live.startAfter > at ? live.startAfter : undefined, deadline);
    }
    const later = startsAt(live, others, state, at);
    if (later !== undefined) return waiting(changed, later, deadline);
    wishes.start(live);
    return CHANGED;
  }
  return changed ? CHANGED : waiting(false, deadline);
}

/** A start-first that can't be kept is told. */
function tellStopsFirst(service: Service, older: Task, live: Task, { wishes }: Deciding): void {
  const taken = placeTaken(service, older, live);
  const { updateStatus } = service;
  if (taken === undefined || !isUnderWay(updateStatus)) return;
  const what = isRollback(updateStatus) ? 'rollback' : 'update';
  const message = `${what} in progress, stop-first: ${taken}`;
  if (message !== updateStatus.message) wishes.updateStatus(service.id, { ...updateStatus, message });
}

/** Look again at the first of these times. */
function waiting(changed: boolean, ...times: readonly (number | undefined)[]): Tended {
  const first = earliest(...times);
  return first === undefined ? { changed } : { changed, lookAgainAt: first };
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
  // So may one that waits to be started, for this one to be prepared, or to find no place beside the old one.
  const waits = after.desiredState === 'ready';
  const isExplained = after.explanation !== before.explanation;
  if (waits && (after.status.state !== before.status.state || isExplained)) return true;
  return (
    updating &&
    (before.desiredState !== after.desiredState || before.status.state !== after.status.state || isExplained)
  );
}

/** Traffic was switched between old and new tasks, or is no more kept from some: every slot is to be looked at. */
export function isSwitched(before: Service, after: Service): boolean {
  const [was, is] = [before.updateStatus, after.updateStatus];
  return (
    was?.servesOnly !== is?.servesOnly || was?.holdsBack !== is?.holdsBack || was?.heldUntil !== is?.heldUntil
  );
}
