/** What the state of an update means. Pure; for whoever writes it, and whoever acts on it. */

import type { Service, UpdateStatus } from '../model/objects.ts';

/** The update stands still until somebody does something about it. */
export function isPaused(status: UpdateStatus | undefined): boolean {
  return status?.state === 'paused' || status?.state === 'rollback_paused';
}

/** Slots are being replaced, or those that were are watched. */
export function isUnderWay(status: UpdateStatus | undefined): status is UpdateStatus {
  return status?.state === 'updating' || status?.state === 'rollback_started' || status?.state === 'waiting';
}

/** An update that ends here was never rolled out to its end, and nobody should come back to its spec. */
export function isCutShort(status: UpdateStatus | undefined): boolean {
  return (isUnderWay(status) || isPaused(status)) && !isRollback(status);
}

/** It goes back to an earlier spec, or went. */
export function isRollback(status: UpdateStatus | undefined): boolean {
  return status?.state.startsWith('rollback') ?? false;
}

/**
 * Whether the present spec becomes the one to go back to. Not while an update is under way that changes no task: a
 * rollback must not go back to the middle of what it is to undo. Nor where another update cuts this one short.
 */
export function becomesPrevious(
  { updateStatus, previousSpec }: Pick<Service, 'updateStatus' | 'previousSpec'>,
  { tasksChanged }: { readonly tasksChanged: boolean },
): boolean {
  const isOpen = isUnderWay(updateStatus) || isPaused(updateStatus);
  // What was never rolled out to its end is nothing to go back to.
  if (tasksChanged) return !isOpen || isRollback(updateStatus) || previousSpec === undefined;
  return !isOpen;
}

/** Blue/green: the task gets no traffic for now. */
export function isHeldBack(service: Pick<Service, 'updateStatus'>, specVersion: number): boolean {
  const { holdsBack, heldUntil, servesOnly } = service.updateStatus ?? {};
  if (servesOnly !== undefined) return specVersion !== servesOnly;
  return holdsBack !== undefined && specVersion >= holdsBack && specVersion < (heldUntil ?? Infinity);
}

/** Blue/green: the new tasks stand beside the old ones, or come to, and get no traffic before they are promoted. */
export function isGreenHeldBack(service: Pick<Service, 'updateStatus' | 'specVersion'>): boolean {
  const { updateStatus, specVersion } = service;
  const isOpen = isUnderWay(updateStatus) || isPaused(updateStatus);
  return isOpen && updateStatus?.servesOnly === undefined && isHeldBack(service, specVersion);
}

/**
 * The update goes no further for now, so what takes the place of an old task, or comes new, is made from the spec
 * before: it must not become part of the update by having failed.
 */
export function keepsPrevious({
  spec,
  updateStatus,
  previousSpec,
  previousSpecVersion,
}: Pick<Service, 'spec' | 'updateStatus' | 'previousSpec' | 'previousSpecVersion'>): boolean {
  if (previousSpec === undefined || previousSpecVersion === undefined) return false;
  if (updateStatus?.state === 'paused') return true;
  const isForward = isUnderWay(updateStatus) && !isRollback(updateStatus);
  const { canary, blueGreen } = spec.update;
  return isForward && !updateStatus.promoted && (canary !== undefined || blueGreen !== undefined);
}

/** What a change of a service's tasks leaves of a green that was not promoted: its tasks must get no traffic still. */
export function overtaken(
  service: Pick<Service, 'updateStatus' | 'specVersion'>,
  next: { readonly isGreen: boolean; readonly specVersion: number; readonly at: number },
): UpdateStatus | undefined {
  if (!isGreenHeldBack(service)) return undefined;
  const { holdsBack } = service.updateStatus ?? {};
  return {
    state: 'updating',
    startedAt: next.at,
    message: 'update in progress',
    slots: 0,
    failures: 0,
    uncounted: true,
    ...(holdsBack === undefined ? {} : { holdsBack }),
    ...(next.isGreen ? {} : { heldUntil: next.specVersion }),
  };
}
