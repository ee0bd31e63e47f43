/**
 * Leases: how no two tasks of a slot ever run at once, though a node can't be heard. An agent stops such a task by itself
 * once it could not renew the lease for its whole time; the managers wait for longer than that before another one takes
 * the slot. Both count from the same heartbeat, the agent from when it was sent, the managers from later.
 *
 * C. Gray, D. Cheriton: Leases, SOSP 1989.
 */

import type { PlacementFinding } from './placement.ts';

/** Clocks may differ in speed by a part in ten, and a process takes a moment to be killed. */
const MARGIN_SHARE = 0.1;
const MARGIN_MIN_MS = 5_000;
/** Between the end of what the stop signal gives a task and the time of its lease, there must be room for heartbeats. */
export const LEASE_ROOM_MS = 5_000;

/** How long after a node was given up its tasks with such a lease can't run any more; milliseconds. */
export function leaseWaitMs(leaseMs: number): number {
  return leaseMs + Math.max(MARGIN_MIN_MS, Math.ceil(leaseMs * MARGIN_SHARE));
}

/** How long after the last heartbeat that was answered an agent begins to stop a task; milliseconds. */
export function leaseStopMs(leaseMs: number, stopGraceMs: number): number {
  return Math.max(0, leaseMs - stopGraceMs);
}

/** In place of a filter's name, where a task waits for another of its slot. */
export const LEASE_FILTER = 'lease';

/** Whether a task has no node since another of its slot may be at work still: without that, it would get one. */
export function isHeldByLease({ rejected }: Pick<PlacementFinding, 'rejected'>): boolean {
  return rejected[0]?.filter === LEASE_FILTER;
}
