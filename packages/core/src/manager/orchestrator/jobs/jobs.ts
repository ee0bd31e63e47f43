/**
 * Takes jobs through their runs: makes tasks as far as the spec wants them at once, replaces those that failed as far as
 * the restart policy allows, stops those of runs whose place another took, and tells how a run ended. It stands between
 * what begins runs (users, and the cron loop) and the allocator and scheduler, which it never calls.
 *
 * The rules are Swarm's, with differences that `docs/jobs.md` tells of: a run comes to an end also when it failed; it
 * begins once the tasks of the one that it replaces have stopped; a node that joins gets its task of a global job.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { ServiceId, TaskId } from '../../../model/ids.ts';
import type { Node, Service, Task } from '../../../model/objects.ts';
import { jobSize } from '../../../model/service-spec.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import type { ChangeOf, ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import type { ControlLoop, DecideContext, Decision } from '../../control-loop.ts';
import { decision } from '../decision.ts';
import { DisruptionBudgets } from '../drain/disruption-budgets.ts';
import { differsForLeaving } from '../drain/must-leave.ts';
import { Marks } from '../marks.ts';
import { isGoneNode, isInvalidNode, mayBeAtWork } from '../node-validity.ts';
import { type ChangeListener, tellChanges } from '../tell-changes.ts';
import { WakeQueue } from '../wake-queue.ts';
import { type Deciding, Wishes } from '../wishes.ts';
import { tendGlobalSlot } from './global-job.ts';
import { activeRun, isJob, waitsForPredecessorsUntil } from './job-runs.ts';
import { JobTasks } from './job-tasks.ts';
import { fillRun, tendReplicatedSlot } from './replicated-job.ts';
import type { RunTally } from './run-tally.ts';

/** Name of the loop, and the actor of its transactions. */
const JOBS_ORCHESTRATOR = 'orchestrator/jobs';

/** Brings the loop back to a job without a slot to look at. */
const NO_SLOT = -1;

/** After so many slots of whole services, others get their turn. */
const SLOTS_PER_TURN = 5_000;

/**
 * The control loop of replicated and global jobs.
 *
 * @param slotsPerTurn Most slots that one decision looks at because whole services are to be looked at.
 */
export function createJobsOrchestrator(slotsPerTurn = SLOTS_PER_TURN): ControlLoop {
  return new JobsOrchestrator(slotsPerTurn);
}

class JobsOrchestrator implements ControlLoop {
  readonly name = JOBS_ORCHESTRATOR;
  readonly #jobs = new Map<ServiceId, JobTasks>();
  readonly #globalJobs = new Set<ServiceId>();
  readonly #marks = new Marks();
  readonly #taskWakes = new WakeQueue<TaskId>();
  readonly #serviceWakes = new WakeQueue<ServiceId>();
  /** Slots to look at in the next turn. */
  readonly #again: (readonly [ServiceId, number])[] = [];
  readonly #slotsPerTurn: number;
  readonly #budgets = new DisruptionBudgets();
  /** Slots looked at in this turn because whole services were. */
  #looked = 0;

  constructor(slotsPerTurn: number) {
    this.#slotsPerTurn = slotsPerTurn;
  }

  readonly #listener: ChangeListener = {
    service: ({ before, after }) => this.#observeService(before, after),
    task: (change, state) => this.#observeTask(change, state),
    node: (change, state) => this.#observeNode(change, state),
  };

  begin(state: ClusterState): void {
    this.#jobs.clear();
    this.#globalJobs.clear();
    this.#marks.clear();
    this.#taskWakes.clear();
    this.#serviceWakes.clear();
    this.#budgets.clear();
    for (const service of state.services()) this.#observeService(undefined, service);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    tellChanges(changes, state, this.#listener);
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    for (const id of this.#taskWakes.takeDue(context.at)) {
      const task = state.task(id);
      if (task) this.#marks.slot(task.serviceId, state.slotKey(task));
    }
    for (const id of this.#serviceWakes.takeDue(context.at)) this.#comeBackTo(id);
    const wishes = new Wishes();
    this.#budgets.beginTurn();
    const deciding: Deciding = { state, context, wishes, budgets: this.#budgets };
    const ends: ClusterEvent[] = [];
    this.#looked = 0;
    const hasRoom = () => !wishes.full && this.#looked < this.#slotsPerTurn;
    for (let id = this.#marks.first(); id !== undefined && hasRoom(); id = this.#marks.first()) {
      const service = state.service(id);
      if (service && isJob(service)) {
        this.#attend(service, deciding, ends);
      } else {
        this.#marks.take(id);
        this.#jobs.delete(id);
        this.#serviceWakes.delete(id);
      }
    }
    for (const [id, key] of this.#again.splice(0)) this.#marks.slot(id, key);
    const events = [...wishes.events(state, context.at), ...ends];
    return decision(events, this.#marks.size > 0, this.#taskWakes.next(), this.#serviceWakes.next());
  }

  #observeService(before: Service | undefined, after: Service | undefined): void {
    const service = after ?? before;
    if (!service || !isJob(service)) return;
    const { id, spec } = service;
    for (const key of this.#budgets.observeService(id)) this.#marks.slot(id, key);
    if (after && spec.mode === 'global-job') this.#globalJobs.add(id);
    else this.#globalJobs.delete(id);
    const sameRuns = before?.jobStatus?.active === after?.jobStatus?.active;
    if (before?.spec === after?.spec && sameRuns) return;
    // A global job looks at every node for each run; a replicated one knows that a new run has no tasks.
    if (before?.spec !== after?.spec || (spec.mode === 'global-job' && !sameRuns)) this.#jobs.delete(id);
    this.#comeBackTo(id);
  }

  #observeTask({ before, after }: ChangeOf<'task'>, state: ClusterState): void {
    const task = after ?? before;
    if (task?.jobIteration === undefined) return;
    for (const key of this.#budgets.observe(before, after)) this.#marks.slot(task.serviceId, key);
    if (!isWorthALook(before, after)) return;
    this.#marks.slot(task.serviceId, state.slotKey(task));
  }

  #observeNode({ before, after }: ChangeOf<'node'>, state: ClusterState): void {
    this.#budgets.observeNode(before, after, this.#marks);
    if (after && (!before || differsForGlobalJobs(before, after))) {
      const row = state.roots.nodes.ids.get(after.id);
      if (row !== undefined) for (const id of this.#globalJobs) this.#marks.slot(id, row);
    }
    if (!before) return;
    if (!after) {
      // Its tasks can't be found by it any more. Where it was not down or drained before, they were not yet seen to.
      for (const id of this.#globalJobs) this.#lookAgain(id);
      if (!isInvalidNode(before)) for (const id of this.#jobs.keys()) this.#lookAgain(id);
      return;
    }
    const isSame = isInvalidNode(before) === isInvalidNode(after) && isGoneNode(before) === isGoneNode(after);
    if (isSame && !differsForLeaving(before, after)) return;
    for (const task of state.tasksOfNode(after.id)) {
      if (task.jobIteration === undefined || isTerminal(task.status.state)) continue;
      this.#marks.slot(task.serviceId, state.slotKey(task));
    }
  }

  #lookAgain(id: ServiceId): void {
    this.#jobs.delete(id);
    this.#comeBackTo(id);
  }

  /** Does what is marked of a job, as far as the transaction has room; the rest stays marked. */
  #attend(service: Service, deciding: Deciding, ends: ClusterEvent[]): void {
    const { id } = service;
    const { wishes } = deciding;
    const mark = this.#marks.take(id);
    const job = this.#jobs.get(id) ?? new JobTasks();
    this.#jobs.set(id, job);
    const slots = new Set([...job.follow(service), ...mark.slots]);
    const { next: lookedFrom } = job;
    this.#look(service, job, deciding);
    // What is wished for a slot is in the state in the next turn only: none is seen to twice in one.
    for (const key of slots) if (lookedFrom !== undefined && key >= lookedFrom) slots.delete(key);
    for (const key of slots) {
      if (wishes.full) break;
      slots.delete(key);
      if (key !== NO_SLOT) this.#tend(service, job, key, deciding);
    }
    if (slots.size > 0) this.#marks.putBack(id, { whole: false, slots });
    if (job.next !== undefined || wishes.full) {
      this.#comeBackTo(id);
      return;
    }
    for (const run of job.runs) this.#goOn(service, job, run, deciding, ends);
  }

  /** Goes on with the look at every slot, if there is one to go on with. */
  #look(service: Service, job: JobTasks, deciding: Deciding): void {
    if (job.next === undefined) return;
    const { state, wishes } = deciding;
    const keys =
      service.spec.mode === 'global-job'
        ? state.roots.nodes.rows.entries(job.next)
        : state.slots(service.id, job.next);
    for (const [key] of keys) {
      if (wishes.full || this.#looked >= this.#slotsPerTurn) return;
      this.#tend(service, job, key, deciding);
      job.next = key + 1;
      this.#looked += 1;
    }
    job.next = undefined;
  }

  #tend(service: Service, job: JobTasks, key: number, deciding: Deciding): void {
    const { state, wishes } = deciding;
    const all = state.slot(service.id, key);
    let isLeft = true;
    for (const task of all) {
      if (job.isOpen(task.jobIteration)) continue;
      if (isMeantToRun(task.desiredState) && !isTerminal(task.status.state)) wishes.remove(task.id);
      if (mayBeAtWork(task, state)) isLeft = false;
    }
    if (isLeft) job.leaving.delete(key);
    else job.leaving.add(key);
    const tend = service.spec.mode === 'global-job' ? tendGlobalSlot : tendReplicatedSlot;
    for (const run of job.runs) {
      const { live, lookAgainAt } = tend(service, run, { key, all }, deciding);
      if (live) this.#taskWakes.set(live.id, lookAgainAt);
    }
  }

  /** Goes on with a run whose slots are all known: with more tasks, or with its end. */
  #goOn(service: Service, job: JobTasks, run: RunTally, deciding: Deciding, ends: ClusterEvent[]): void {
    const { id, spec } = service;
    if (!run.begun) {
      if (!this.#mayBegin(service, job, run, deciding)) return;
      run.begun = true;
      for (const key of run.awaited) this.#again.push([id, key]);
    }
    if (spec.mode === 'replicated-job' && !fillRun(service, run, deciding)) {
      this.#comeBackTo(id);
      return;
    }
    const isActive = activeRun(service, run.iteration) !== undefined;
    if (!isActive || run.ended || !hasEnded(spec, run)) return;
    run.ended = true;
    const { iteration, failure } = run;
    const outcome = run.failed.size === 0 ? 'completed' : 'failed';
    const told = outcome === 'completed' || failure === undefined ? {} : { message: failure };
    ends.push({ type: 'service.run-ended', id, iteration, outcome, ...told });
  }

  /** A run makes its first tasks when those of stopped runs are gone, or that took too long. */
  #mayBegin(service: Service, job: JobTasks, run: RunTally, { context }: Deciding): boolean {
    const active = activeRun(service, run.iteration);
    if (!active || job.leaving.size === 0) return true;
    const until = waitsForPredecessorsUntil(active);
    if (until <= context.at) return true;
    this.#serviceWakes.set(service.id, until);
    return false;
  }

  #comeBackTo(id: ServiceId): void {
    this.#marks.slot(id, NO_SLOT);
  }
}

/** All that the run wants is done with. */
function hasEnded(spec: Service['spec'], run: RunTally): boolean {
  if (run.inFlight.size > 0) return false;
  if (spec.mode === 'replicated-job') return run.done >= jobSize(spec).completions;
  // Where no node may have a task, the run waits for one: it has done nothing yet.
  return run.awaited.size === 0 && run.done > 0;
}

/** It came or is gone, ended, is wanted otherwise, or may start now. */
function isWorthALook(before: Task | undefined, after: Task | undefined): boolean {
  if (!before || !after) return true;
  return (
    before.desiredState !== after.desiredState ||
    before.evicted !== after.evicted ||
    before.awaitsDependencies !== after.awaitsDependencies ||
    isTerminal(before.status.state) !== isTerminal(after.status.state)
  );
}

/** Something changed that decides whether the node is to have a task, or can be given one. */
function differsForGlobalJobs(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address ||
    before.status.state !== after.status.state ||
    before.status.tasksKept !== after.status.tasksKept
  );
}
