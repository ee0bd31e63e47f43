/** What the runs of a job that go on wait for, and why its newest run failed. */

import type { Finding } from '../../model/finding.ts';
import type { Service } from '../../model/objects.ts';
import { jobSize } from '../../model/service-spec.ts';
import { mayHaveTask } from '../orchestrator/jobs/global-job.ts';
import { activeRun, openIterations, waitsForPredecessorsUntil } from '../orchestrator/jobs/job-runs.ts';
import { jobStanding, slotOfRun } from '../orchestrator/jobs/job-slot.ts';
import { mayBeAtWork } from '../orchestrator/node-validity.ts';
import { isReady, noEligibleNode } from './global-findings.ts';
import { creating } from './replicated-findings.ts';
import type { SlotLook } from './slot-look.ts';
import { givenUpFinding } from './task-finding.ts';

/** Where the slots of one run stand. */
interface RunCount {
  readonly iteration: number;
  done: number;
  inFlight: number;
  /** Of a global job: nodes that have no task of it and are to have one, those that can't be given one included. */
  free: number;
  silent: number;
}

/** Looks at every slot; of a global job, at every node. */
export function* jobFindings(look: SlotLook): Generator<undefined, readonly Finding[], undefined> {
  const { sight, service, note } = look;
  const { state } = sight;
  const open = openIterations(service);
  const runs = open.map((iteration): RunCount => ({ iteration, done: 0, inFlight: 0, free: 0, silent: 0 }));
  let leaving = 0;
  for (const [, tasks] of state.slots(service.id)) {
    for (const task of tasks) {
      const isOpen = open.includes(task.jobIteration ?? 0);
      look.task(task);
      if (!isOpen && mayBeAtWork(task, state)) leaving += 1;
    }
    for (const run of runs) {
      const slot = slotOfRun(tasks, run.iteration);
      const standing = jobStanding(slot);
      if (standing === 'inFlight') run.inFlight += 1;
      else if (standing !== 'free') run.done += 1;
      if (standing === 'failed' && slot.newest) note(slot.newest, givenUpFinding(slot.newest));
    }
    yield;
  }
  const isGlobal = service.spec.mode === 'global-job';
  const eligible = isGlobal ? yield* countNodes(look, runs) : 1;
  const none =
    eligible === 0 && open.length > 0 ? [noEligibleNode(service.spec.task.placement.constraints)] : [];
  return [
    ...failed(service),
    ...none,
    ...runs.flatMap((run) => runFindings(service, run, leaving, isGlobal)),
  ];
}

function failed({ jobStatus }: Service): Finding[] {
  const last = jobStatus?.ended.at(-1);
  if (last?.outcome !== 'failed' || last.iteration !== jobStatus?.iteration) return [];
  const message = `run ${last.iteration} failed${last.message === undefined ? '' : `: ${last.message}`}`;
  return [
    {
      code: 'job-failed',
      message,
      remedy: 'what made it fail is mended: update the job or force an update of it',
    },
  ];
}

function* countNodes({ sight, service }: SlotLook, runs: readonly RunCount[]) {
  const { state } = sight;
  let eligible = 0;
  for (const [key, node] of state.roots.nodes.rows.entries()) {
    yield;
    if (!mayHaveTask(node, service)) continue;
    eligible += 1;
    if (node.spec.availability !== 'active') continue;
    const tasks = state.slot(service.id, key);
    for (const run of runs) {
      if (jobStanding(slotOfRun(tasks, run.iteration)) !== 'free') continue;
      if (isReady(node)) run.free += 1;
      else run.silent += 1;
    }
  }
  return eligible;
}

function runFindings(service: Service, run: RunCount, leaving: number, isGlobal: boolean): Finding[] {
  const active = activeRun(service, run.iteration);
  const { completions, concurrency } = jobSize(service.spec);
  const left = isGlobal ? run.free : active ? Math.max(0, completions - run.done - run.inFlight) : 0;
  const findings: Finding[] = [];
  if (run.silent > 0) {
    const message = `${run.silent} nodes that are to have a task can't be heard just now`;
    findings.push({
      code: 'job-waits-for-node',
      message,
      remedy: 'they are heard from again, or given up as down',
    });
  }
  if (left === 0) return findings;
  if (active && leaving > 0 && run.iteration > 1 && run.done + run.inFlight === 0) {
    const until = waitsForPredecessorsUntil(active);
    const message = `run ${run.iteration} waits for tasks of the run before it to stop, until ${new Date(until).toISOString()} at most`;
    findings.push({ code: 'job-waits-for-stopped-run', message, remedy: 'they stop', retryAt: until });
  } else if (!isGlobal && run.inFlight >= concurrency) {
    const message = `${left} more tasks wait, since ${concurrency} run at a time`;
    findings.push({
      code: 'job-concurrency',
      message,
      remedy: 'one of those completes, or a higher job.concurrency',
    });
  } else {
    findings.push(creating(isGlobal ? left : Math.min(left, concurrency - run.inFlight)));
  }
  return findings;
}
