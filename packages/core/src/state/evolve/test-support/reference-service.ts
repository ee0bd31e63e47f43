/** What events do to a job's runs and to a service's autoscaling, said a second time for the tests. */

import type { Draft } from 'immer';
import type { EndedJobRun, JobStatus, Service } from '../../../model/objects.ts';

/** Another number of tasks begins a cooldown; of another metric nothing is known. */
export function noteReplicas(row: Draft<Service>, spec: Service['spec'], at: number): void {
  const { autoscaleStatus: status } = row;
  delete row.autoscaleStatus;
  if (!spec.autoscale) return;
  const { lost, ...rest } = status ?? {};
  const next: Draft<NonNullable<Service['autoscaleStatus']>> = { ...rest };
  if (lost && JSON.stringify(row.spec.autoscale?.metric) === JSON.stringify(spec.autoscale.metric))
    next.lost = lost;
  if (row.spec.replicas !== spec.replicas) next.scaledAt = at;
  if (Object.keys(next).length > 0) row.autoscaleStatus = next;
}

/** Another run begins; those before it end. */
export function beginRun(runs: Draft<JobStatus>, at: number): void {
  for (const { iteration } of [...runs.active]) endRun(runs, iteration, { endedAt: at, outcome: 'stopped' });
  runs.iteration += 1;
  runs.lastExecution = at;
  runs.active.push({ iteration: runs.iteration, startedAt: at });
}

/** A run ends, if it goes on. */
export function endRun(
  runs: Draft<JobStatus>,
  iteration: number,
  end: Pick<EndedJobRun, 'endedAt' | 'outcome' | 'message'>,
): void {
  const index = runs.active.findIndex((run) => run.iteration === iteration);
  const [run] = index < 0 ? [] : runs.active.splice(index, 1);
  if (run) runs.ended = [...runs.ended, { ...run, ...end }].slice(-10);
}
