/**
 * What becomes of a schedule's due times. Pure: a service and the time in, an event out. Up to when it has been decided
 * is in the state, so whoever leads next neither begins a run twice nor forgets one.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import { dueBetween, nextDue } from '../../../model/cron-line.ts';
import type { MissedRuns, Service } from '../../../model/objects.ts';
import type { Schedule } from '../../../model/service-spec.ts';

/** A run that begins so long after its time is on time still: to change leaders takes less. Milliseconds. */
export const ON_TIME_MS = 60_000;

/** When the service's next run is due that has not been decided about; undefined where it has no schedule. */
export function nextRunAt({ spec: { schedule }, jobStatus }: Service): number | undefined {
  const from = jobStatus?.decidedUntil;
  return schedule === undefined || from === undefined ? undefined : nextDue(schedule, from);
}

/** What is to happen because runs are due by now; nothing, if none is. Several due at once come to one at most. */
export function dueRun(service: Service, at: number): readonly ClusterEvent[] {
  const { schedule } = service.spec;
  const { jobStatus } = service;
  if (schedule === undefined || jobStatus?.decidedUntil === undefined) return [];
  const due = dueBetween(schedule, jobStatus.decidedUntil, at);
  if (due === undefined) return [];
  const { newest: dueAt, count } = due;
  const missed = (reason: MissedRuns['reason'], runs: number): ClusterEvent => ({
    type: 'service.run-missed',
    id: service.id,
    missed: { dueAt, count: runs, reason },
  });
  if (isTooLate(schedule, at - dueAt)) return [missed('late', count)];
  const isGoingOn = jobStatus.active.length > 0;
  if (isGoingOn && schedule.overlap === 'forbid') return [missed('overlap', count)];
  const stops = schedule.overlap === 'allow' ? [] : jobStatus.active.map(({ iteration }) => iteration);
  const started: ClusterEvent = {
    type: 'service.run-started',
    id: service.id,
    iteration: jobStatus.iteration + 1,
    dueAt,
    stops,
  };
  // The due times whose place the run takes are told of, too.
  return count === 1 ? [started] : [missed('late', count - 1), started];
}

function isTooLate({ missed, deadlineMs }: Schedule, lateMs: number): boolean {
  if (missed === 'skip') return lateMs > ON_TIME_MS;
  return deadlineMs !== undefined && lateMs > deadlineMs;
}
