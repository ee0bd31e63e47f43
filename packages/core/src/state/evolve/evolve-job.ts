/** What becomes of a job's runs: the part of a service's row that tells of them. Pure. */

import type { ClusterEvent } from '../../events/event.ts';
import {
  type EndedJobRun,
  JOB_RUNS_KEPT,
  type JobRun,
  type JobStatus,
  type Service,
} from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import type { Stamp } from './stamp.ts';

type EventOf<Type extends ClusterEvent['type']> = Extract<ClusterEvent, { readonly type: Type }>;

const NO_RUNS: JobStatus = { iteration: 0, active: [], ended: [] };

/** The runs of a new service: the first one begins with it, unless a schedule says when. Undefined: it is no job. */
export function firstJobStatus(spec: ServiceSpec, stamp: Stamp): JobStatus | undefined {
  if (spec.mode !== 'replicated-job' && spec.mode !== 'global-job') return undefined;
  return spec.schedule === undefined
    ? begun(NO_RUNS, { startedAt: stamp.at }, stamp)
    : { ...NO_RUNS, decidedUntil: stamp.at };
}

/** The runs of a service that was changed. A new schedule has no past. */
export function updatedJobStatus(
  before: Service,
  event: EventOf<'service.updated'>,
  stamp: Stamp,
): JobStatus | undefined {
  if (!before.jobStatus) return undefined;
  const { schedule } = event.spec;
  let status = before.jobStatus;
  if (!plainEqual(before.spec.schedule ?? null, schedule ?? null)) {
    const { decidedUntil: _decidedUntil, ...others } = status;
    status = schedule === undefined ? others : { ...others, decidedUntil: stamp.at };
  }
  return event.beginsRun ? begun(status, { startedAt: stamp.at }, stamp) : status;
}

/** A run began by the schedule. */
export function startedRun(
  status: JobStatus = NO_RUNS,
  { iteration, dueAt, stops }: EventOf<'service.run-started'>,
  stamp: Stamp,
): JobStatus {
  const run: JobRun = { iteration, startedAt: stamp.at, dueAt };
  return {
    ...stopped(status, (each) => stops.includes(each.iteration), stamp),
    iteration,
    lastExecution: stamp.at,
    active: [...status.active.filter((each) => !stops.includes(each.iteration)), run],
    decidedUntil: dueAt,
  };
}

/** A run ended. */
export function endedRun(
  status: JobStatus = NO_RUNS,
  { iteration, outcome, message }: EventOf<'service.run-ended'>,
  stamp: Stamp,
): JobStatus {
  const run = status.active.find((each) => each.iteration === iteration);
  if (!run) return status;
  const ended: EndedJobRun = {
    ...run,
    endedAt: stamp.at,
    outcome,
    ...(message === undefined ? {} : { message }),
  };
  return {
    ...status,
    active: status.active.filter((each) => each !== run),
    ended: [...status.ended, ended].slice(-JOB_RUNS_KEPT),
  };
}

/** Due times passed without a run. */
export function missedRun(status: JobStatus = NO_RUNS, { missed }: EventOf<'service.run-missed'>): JobStatus {
  return { ...status, decidedUntil: missed.dueAt, missed };
}

/** The next run takes the place of all. */
function begun(status: JobStatus, run: Omit<JobRun, 'iteration'>, stamp: Stamp): JobStatus {
  const iteration = status.iteration + 1;
  return {
    ...stopped(status, () => true, stamp),
    iteration,
    lastExecution: run.startedAt,
    active: [{ ...run, iteration }],
  };
}

function stopped(status: JobStatus, isStopped: (run: JobRun) => boolean, stamp: Stamp): JobStatus {
  const runs = status.active
    .filter(isStopped)
    .map((run): EndedJobRun => ({ ...run, endedAt: stamp.at, outcome: 'stopped' }));
  return { ...status, ended: [...status.ended, ...runs].slice(-JOB_RUNS_KEPT) };
}
