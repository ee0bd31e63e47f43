/** How far a job has come with its newest run, and why it is not further. */

import { nextRunAt } from '../manager/orchestrator/cron/due-run.ts';
import { mayHaveTask } from '../manager/orchestrator/jobs/global-job.ts';
import { activeRun, waitsForPredecessorsUntil } from '../manager/orchestrator/jobs/job-runs.ts';
import { failureOf, jobStanding, slotOfRun } from '../manager/orchestrator/jobs/job-slot.ts';
import { mayBeAtWork } from '../manager/orchestrator/node-validity.ts';
import type { EndedJobRun, JobStatus, MissedRuns, Service, Task } from '../model/objects.ts';
import { jobSize } from '../model/service-spec.ts';
import { isMeantToRun } from '../model/task-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** A job's newest run. */
export interface JobProgress {
  /** Its number; 0: there was none yet. */
  readonly iteration: number;
  /** Tasks that completed. */
  readonly completed: number;
  /** Tasks that are to complete: of a global job, one on each node that may have one. */
  readonly total: number;
  /** Slots that failed, and whose restart policy allows no more. */
  readonly failed: number;
  /** How it ended; absent: it goes on, or there was none yet. */
  readonly outcome?: EndedJobRun['outcome'];
  /** By a schedule: when the next run is due; milliseconds since 1970. */
  readonly nextRunAt?: number;
  /** By a schedule: when runs were missed last, and why. */
  readonly missed?: MissedRuns;
}

/** What is found out about the newest run. */
export interface JobFindings {
  readonly progress: JobProgress;
  /** Tasks that should be at work now, and those that are. */
  readonly desired: number;
  readonly running: number;
  /** Tasks that are to run and do not yet. */
  readonly waiting: readonly Task[];
  /** Tasks of runs that are over and have not stopped. */
  readonly leaving: number;
  /** What else stands in the way, in words. */
  readonly reasons: readonly string[];
}

/** Looks at all tasks of a job, and at all nodes for a global one. */
export function jobFindings(state: ClusterState, service: Service, jobStatus: JobStatus): JobFindings {
  const { iteration } = jobStatus;
  const counts = { complete: 0, failed: 0, inFlight: 0, free: 0 };
  const waiting: Task[] = [];
  const failures = new Set<string>();
  let running = 0;
  let leaving = 0;
  const seen = new Set<number>();
  for (const [key, all] of state.slots(service.id)) {
    const slot = slotOfRun(all, iteration);
    const standing = jobStanding(slot);
    if (standing !== 'free') seen.add(key);
    counts[standing] += 1;
    if (standing === 'failed') failures.add(failureOf(slot));
    if (standing === 'inFlight' && slot.live) {
      if (slot.live.status.state === 'running') running += 1;
      else waiting.push(slot.live);
    }
    for (const task of all) if (!isMeantToRun(task.desiredState) && mayBeAtWork(task, state)) leaving += 1;
  }
  const known = counts.complete + counts.failed + counts.inFlight;
  const total = iteration === 0 ? 0 : totalOf(state, service, seen, known);
  const isActive = activeRun(service, iteration) !== undefined;
  const next = nextRunAt(service);
  const outcome = jobStatus.ended.find((run) => run.iteration === iteration)?.outcome;
  return {
    progress: {
      iteration,
      completed: counts.complete,
      total,
      failed: counts.failed,
      ...(outcome === undefined ? {} : { outcome }),
      ...(next === undefined ? {} : { nextRunAt: next }),
      ...(jobStatus.missed === undefined ? {} : { missed: jobStatus.missed }),
    },
    desired: isActive ? atOnce(service, total - counts.complete - counts.failed) : counts.inFlight,
    running,
    waiting,
    leaving,
    reasons: [...failures, ...runReasons(service, jobStatus, leaving, total)],
  };
}

function totalOf(state: ClusterState, service: Service, seen: ReadonlySet<number>, known: number): number {
  if (service.spec.mode === 'replicated-job') return jobSize(service.spec).completions;
  let total = known;
  for (const [row, node] of state.roots.nodes.rows.entries()) {
    if (!seen.has(row) && node.spec.availability === 'active' && mayHaveTask(node, service)) total += 1;
  }
  return total;
}

function atOnce({ spec }: Service, left: number): number {
  return spec.mode === 'replicated-job' ? Math.min(jobSize(spec).concurrency, left) : left;
}

function runReasons(service: Service, { iteration }: JobStatus, leaving: number, total: number): string[] {
  const run = activeRun(service, iteration);
  if (!run) return [];
  if (service.spec.mode === 'global-job' && total === 0) return ['no node may have a task of it'];
  const until = new Date(waitsForPredecessorsUntil(run)).toISOString();
  return leaving > 0 && iteration > 1
    ? [`run ${iteration} waits for tasks of the run before it to stop, until ${until} at most`]
    : [];
}
