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

/** It goes back to an earlier spec, or went. */
export function isRollback(status: UpdateStatus | undefined): boolean {
  return status?.state.startsWith('rollback') ?? false;
}

/**
 * Whether the present spec becomes the one to go back to. Not while an update is under way that changes no task: a
 * rollback must not go back to the middle of what it is to undo.
 */
export function becomesPrevious(
  { updateStatus }: Pick<Service, 'updateStatus'>,
  { tasksChanged }: { readonly tasksChanged: boolean },
): boolean {
  return tasksChanged || !(isUnderWay(updateStatus) || isPaused(updateStatus));
}

/** Blue/green: the task gets no traffic for now. */
export function isHeldBack(service: Pick<Service, 'updateStatus'>, specVersion: number): boolean {
  const { holdsBack, servesOnly } = service.updateStatus ?? {};
  return specVersion === holdsBack || (servesOnly !== undefined && specVersion !== servesOnly);
}
