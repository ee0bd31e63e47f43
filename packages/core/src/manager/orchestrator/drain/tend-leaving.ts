/**
 * A slot whose task has to leave its node although it serves: a successor is started first, elsewhere, and the task is
 * stopped once that one serves. Where two of a slot must not run at once it is stopped once the successor is prepared, as
 * far as the service's budget has room. Pure but for what it wishes.
 */

import { isHeldByLease } from '../../../model/lease.ts';
import type { Service, Task } from '../../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import { isGoneNode, type NodeLookup } from '../node-validity.ts';
import { endedByItself, mayRestart, nodeOf, replacementOf } from '../restart.ts';
import type { Slot } from '../slot-tasks.ts';
import { isTaskDirty } from '../task-dirty.ts';
import { CHANGED, type Tended, withId } from '../tended.ts';
import { isOutdated, newestServing, olderInUpdate, specFor } from '../updater/handover.ts';
import type { Deciding } from '../wishes.ts';
import {
  isPreempted,
  leaveCause,
  leaveDeadline,
  maxUnavailable,
  mayStartFirst,
  serves,
} from './must-leave.ts';

/**
 * The task that serves until the slot's live one does, or until its deadline, since it has to leave its node.
 *
 * @returns `not-needed` when that older task may stay after all, and the live one has not come to serve yet.
 */
export function predecessorOf(
  service: Service,
  { tasks, live }: Slot,
  nodes: NodeLookup,
  at: number,
): Task | 'not-needed' | undefined {
  if (tasks.length < 2 || live === undefined) return undefined;
  const others = tasks.filter((task) => task !== live && isMeantToRun(task.desiredState));
  const older = newestServing(service, others) ?? others.at(-1);
  if (!older || !serves(older) || isGoneNode(nodeOf(older, nodes))) return undefined;
  if (isPreempted(older)) return undefined;
  const mustLeave = leaveCause(older, nodes) !== undefined;
  const deadline = mustLeave ? leaveDeadline(older, nodes) : undefined;
  if (deadline !== undefined && deadline <= at) return undefined;
  if (isOutdated(service, older, nodes) || (!mustLeave && isOutdated(service, live, nodes))) {
    const becomes = olderInUpdate(service, older, live, nodes, at);
    return becomes === 'serves-on' ? older : becomes === 'stays' ? 'not-needed' : undefined;
  }
  if (serves(live)) return undefined;
  if (mustLeave) return older;
  const wasMoved = live.replaces !== undefined && !isTaskDirty(service, older, nodeOf(older, nodes));
  return wasMoved ? 'not-needed' : undefined;
}

/**
 * A task goes for one of a higher priority, and another takes its place wherever there is room. A service that says how
 * many of its tasks may be missing keeps the others, also where the scheduler saw more of them serve.
 */
export function tendPreempted(service: Service, slot: Slot, live: Task, deciding: Deciding): Tended {
  const { state, wishes, budgets } = deciding;
  const isBudgeted = live.slot !== 0 && service.spec.disruption !== undefined && serves(live);
  if (isBudgeted && !budgets.take(service, state.slotKey(live), state)) {
    wishes.keep(live.id);
    return CHANGED;
  }
  wishes.shutdown(live.id);
  makeSuccessor(service, slot.tasks, live, deciding);
  return CHANGED;
}

/**
 * Goes on with the move of a task that serves. Where two of a slot must not run at once the new one is only prepared
 * beside it, so that a task with no other place stays; with a lease it waits for a node, and there has to be one.
 */
export function tendLeaving(service: Service, slot: Slot, live: Task, deciding: Deciding): Tended {
  const { state, context, wishes, budgets } = deciding;
  const deadline = leaveDeadline(live, state);
  const isOverdue = deadline !== undefined && deadline <= context.at;
  const lookAgain = deadline === undefined || isOverdue ? {} : { lookAgainAt: deadline };
  const isOrdered = live.slot !== 0 && !isOverdue;
  const startsFirst = isOrdered && mayStartFirst(service);
  const waits = { changed: false, ...lookAgain };
  if (isOrdered && isFailedMove(slot, live)) return waits;
  // Where it is prepared first, the budget is asked once that is done; one that never has room need not be prepared for.
  const asksBudget = isOrdered && !startsFirst && maxUnavailable(service) === 0;
  if (asksBudget && !budgets.take(service, state.slotKey(live), state)) return waits;
  if (!isOrdered) wishes.shutdown(live.id);
  const others = isOrdered ? slot.tasks.filter((task) => task !== live) : slot.tasks;
  makeSuccessor(service, others, live, deciding, { isPrepared: isOrdered && !startsFirst });
  return { changed: true, ...lookAgain };
}

/**
 * @param others Tasks of the slot that are not to run on beside it.
 * @param options.isPrepared It is only prepared, until it is told to start.
 */
function makeSuccessor(
  service: Service,
  others: readonly Task[],
  live: Task,
  deciding: Deciding,
  options: { readonly isPrepared?: boolean } = {},
): void {
  const { state, context, wishes } = deciding;
  const startAfter = Math.max(context.at, live.startAfter);
  const prepared = options.isPrepared ? { startAfter } : {};
  const row = { ...prepared, ...replacementOf(live, others, state, context.at, startAfter) };
  const from = specFor(service, live);
  const { restarts } = from === 'previous' || live.specVersion === service.specVersion ? live : {};
  const made = { ...row, ...(restarts === undefined ? {} : { restarts }) };
  wishes.create(service.id, withId(made, context), from);
}

/** A successor was tried and ended, and its restart policy wants no other: trying on would never end. */
export function isFailedMove({ newest }: Slot, live: Task): boolean {
  if (newest === undefined || newest === live || !isTerminal(newest.status.state)) return false;
  return endedByItself(newest.status) && !mayRestart(newest);
}

/** All is done for it that can be while another of its slot runs: with a lease that is to know that a node would take it. */
export function isAsPrepared({ status, explanation }: Task): boolean {
  if (status.state === 'ready') return true;
  return status.state === 'pending' && explanation !== undefined && isHeldByLease(explanation);
}
