/** Which runs of a job tasks are made for, and when a run may begin with them. Pure. */

import type { JobRun, Service } from '../../../model/objects.ts';

/** True for a service whose tasks run to their end. */
export function isJob({ spec }: Pick<Service, 'spec'>): boolean {
  return spec.mode === 'replicated-job' || spec.mode === 'global-job';
}

/**
 * The iterations whose tasks are tended: those of runs that go on, and of a global job without a schedule the newest,
 * since a node that joins later gets its task too. Tasks of all others are stopped.
 */
export function openIterations({ spec, jobStatus }: Service): readonly number[] {
  if (!jobStatus) return [];
  const open = jobStatus.active.map(({ iteration }) => iteration);
  const staysOpen = spec.mode === 'global-job' && spec.schedule === undefined && jobStatus.iteration > 0;
  return staysOpen && !open.includes(jobStatus.iteration) ? [...open, jobStatus.iteration] : open;
}

/** The run of that number, if it goes on. */
export function activeRun({ jobStatus }: Service, iteration: number): JobRun | undefined {
  return jobStatus?.active.find((run) => run.iteration === iteration);
}

/** How long a run waits for the tasks of those whose place it takes, milliseconds; as a new task in a slot does. */
const PREDECESSORS_TIMEOUT_MS = 60_000;

/** Until when a run waits for tasks of stopped runs that may still be at work. */
export function waitsForPredecessorsUntil(run: JobRun): number {
  return run.startedAt + PREDECESSORS_TIMEOUT_MS;
}
