/**
 * Goes on with the update of a service, as its policy allows: which slots are replaced next, when it waits for somebody,
 * and when it is done. Used by the orchestrators after they have tended what changed. All that it goes by lies in the
 * state, so a new leader goes on where the old one was.
 *
 * Semantics are Swarm's (`update_config`), with these additions: a new task is prepared before the old one is stopped
 * (`handover.ts`), an update may stop after a few canaries, and may start all new tasks beside the old ones.
 */

import type { Service, UpdateStatus } from '../../../model/objects.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import { startFirstIsImpossible, type UpdatePolicy } from '../../../model/update-policy.ts';
import { isGreenHeldBack, isPaused, isRollback, isUnderWay } from '../../../state/update-standing.ts';
import type { Marks } from '../marks.ts';
import { isGoneNode } from '../node-validity.ts';
import { nodeOf, replacementOf } from '../restart.ts';
import { slotOf } from '../slot-tasks.ts';
import { withId } from '../tended.ts';
import type { Deciding } from '../wishes.ts';
import { newestServing, startsFirst } from './handover.ts';
import { policyInForce } from './update-failure.ts';
import type { UpdateProgress } from './update-progress.ts';

/**
 * Goes on with the service's update, if there is one. What the transaction has no room for stays marked.
 *
 * @returns when to look again though nothing may have changed; milliseconds since 1970.
 */
export function goOnUpdating(
  service: Service,
  updates: UpdateProgress,
  marks: Marks,
  deciding: Deciding,
): number | undefined {
  const { wishes, context } = deciding;
  const { id } = service;
  // What failed is concluded first; the status that comes of it brings the loop back.
  if (!updates.isUpdating(id) || wishes.hasUpdateFailures(id)) return undefined;
  if (isPaused(service.updateStatus)) return undefined;
  if (!isUnderWay(service.updateStatus) || service.updateStatus.uncounted) {
    const isToBegin = updates.outdated(id) > 0 || service.updateStatus?.uncounted;
    if (isToBegin) wishes.updateStatus(id, begun(service, updates, context.at));
    else if (!updates.isChanging(id)) updates.drop(id);
    return undefined;
  }
  const status = service.updateStatus;
  if (status.state === 'waiting') return waitForPromotion(service, status, deciding);
  const policy = policyInForce(service);
  if (replaceSlots(service, status, policy, updates, marks, deciding) || updates.underWay(id) > 0)
    return undefined;
  if (updates.outdated(id) > 0 || isGreenHeldBack(service)) {
    wishes.updateStatus(id, atRest(service, status, updates, context.at));
    return undefined;
  }
  const until = updates.lastRunningAt(id) + policy.monitorMs;
  if (until > context.at && context.waits !== 'over' && updates.lastRunningAt(id) > 0) return until;
  wishes.updateStatus(id, completed(status, context.at));
  return undefined;
}

function begun(service: Service, updates: UpdateProgress, at: number): UpdateStatus {
  const { blueGreen, order } = policyInForce(service);
  const { uncounted, holdsBack, heldUntil } = service.updateStatus ?? {};
  const heldOver =
    uncounted && holdsBack !== undefined
      ? { holdsBack, ...(heldUntil === undefined ? {} : { heldUntil }) }
      : {};
  const impossible = order === 'start-first' ? startFirstIsImpossible(service.spec) : undefined;
  return {
    state: 'updating',
    startedAt: at,
    message:
      impossible === undefined ? 'update in progress' : `update in progress, stop-first: ${impossible}`,
    slots: updates.outdated(service.id) + updates.underWay(service.id),
    failures: 0,
    ...(blueGreen ? { holdsBack: service.specVersion } : {}),
    ...heldOver,
  };
}

/** @returns whether any slot is being replaced now, or the rest has to wait for another transaction. */
function replaceSlots(
  service: Service,
  status: UpdateStatus,
  policy: UpdatePolicy,
  updates: UpdateProgress,
  marks: Marks,
  deciding: Deciding,
): boolean {
  const { wishes } = deciding;
  const { id } = service;
  let left = canariesLeft(status, policy, updates.outdated(id));
  const parallelism = isGreenHeldBack(service) ? 0 : policy.parallelism;
  let isAny = false;
  for (let key = updates.next(id, parallelism); key !== undefined; key = updates.next(id, parallelism)) {
    if (left === 0) return isAny;
    if (wishes.full) {
      marks.slot(id, key);
      return true;
    }
    const isReplaced = replaceSlot(service, key, deciding);
    updates.note(id, key, isReplaced ? 'changing' : 'settled');
    if (isReplaced) left -= 1;
    isAny ||= isReplaced;
  }
  return isAny;
}

/** How many more slots may be replaced before the update waits to be promoted. */
function canariesLeft({ promoted, slots }: UpdateStatus, { canary }: UpdatePolicy, outdated: number): number {
  if (!canary || promoted) return Number.POSITIVE_INFINITY;
  return Math.max(0, canary.tasks - Math.max(0, slots - outdated));
}

function replaceSlot(service: Service, key: number, { state, context, wishes }: Deciding): boolean {
  const { tasks, live, newest } = slotOf(state.slot(service.id, key));
  const old = live ?? newest;
  if (old === undefined) return false;
  const serving = newestServing(
    service,
    tasks.filter((task) => !isGoneNode(nodeOf(task, state))),
  );
  for (const task of tasks) {
    if (task !== serving && isMeantToRun(task.desiredState)) wishes.shutdown(task.id);
  }
  // While one serves, the new task waits for it, or runs beside it: `handover.ts` sees to the rest.
  const others = serving === undefined ? tasks : tasks.filter((task) => task !== serving);
  const row = replacementOf(old, others, state, context.at);
  const isPrepared = serving !== undefined && !startsFirst(service);
  const waits = isPrepared ? { startAfter: context.at } : {};
  wishes.create(service.id, withId({ ...waits, ...row }, context));
  return true;
}

/** What may be replaced without a word from anybody is replaced, and runs. */
function atRest(service: Service, status: UpdateStatus, updates: UpdateProgress, at: number): UpdateStatus {
  const { slots } = status;
  const done = slots - updates.outdated(service.id);
  const message =
    updates.outdated(service.id) > 0
      ? `${done} of ${slots} slots updated, waiting to be promoted or aborted`
      : 'all new tasks run beside the old ones, waiting to be promoted or aborted';
  return { ...status, state: 'waiting', message, waitingSince: at };
}

function waitForPromotion(
  service: Service,
  status: UpdateStatus,
  { context, wishes }: Deciding,
): number | undefined {
  const { canary, blueGreen } = policyInForce(service);
  const { promoteAfterMs } = (isGreenHeldBack(service) ? blueGreen : canary) ?? {};
  if (context.waits === 'over') wishes.updateStatus(service.id, promoted(service, status));
  else if (promoteAfterMs !== undefined) {
    const until = (status.waitingSince ?? 0) + promoteAfterMs;
    if (until > context.at) return until;
    wishes.updateStatus(service.id, promoted(service, status));
  }
  return undefined;
}

/** The status of an update that goes on beyond its canaries, or switches traffic to the new tasks. */
export function promoted(
  service: Pick<Service, 'specVersion' | 'updateStatus'>,
  status: UpdateStatus,
): UpdateStatus {
  const { waitingSince: _, holdsBack: __, heldUntil: ___, ...rest } = status;
  return {
    ...rest,
    state: 'updating',
    message: 'update promoted',
    promoted: true,
    ...(isGreenHeldBack(service) ? { servesOnly: service.specVersion } : {}),
  };
}

function completed(status: UpdateStatus, at: number): UpdateStatus {
  const { holdsBack: _, heldUntil: __, servesOnly: ___, waitingSince: ____, ...rest } = status;
  const what = isRollback(status) ? 'rollback' : 'update';
  const failed = status.failures > 0 ? `, with ${status.failures} failed tasks` : '';
  return {
    ...rest,
    state: what === 'rollback' ? 'rollback_completed' : 'completed',
    completedAt: at,
    message: `${what} completed${failed}`,
  };
}
