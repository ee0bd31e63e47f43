/**
 * Carries a rebalance out: evicts its tasks a few at a time, each once the one before has moved, and keeps those where
 * they are whose successors find no place. Where the cluster's settings ask for it, it also begins one by itself, some
 * time after a node has come or come back. All that it goes by is in the state.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { TaskId } from '../../../model/ids.ts';
import type { Rebalance, Task } from '../../../model/objects.ts';
import { type ClusterSpec, REBALANCE_DEFAULTS } from '../../../model/other-specs.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import type { ChangeSet } from '../../../state/change.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { type ControlLoop, type DecideContext, type Decision, NOTHING } from '../../control-loop.ts';
import { IndexLoader } from '../../scheduler/index-loader.ts';
import { takesTasks } from '../../scheduler/node-table.ts';
import { decision } from '../decision.ts';
import { isMovable, mayRebalance, type PlannedMoves, planMoves } from './plan-moves.ts';

/** Name of the loop, and the actor of its transactions. */
const REBALANCER = 'orchestrator/rebalancer';

/** How long the move of one task is waited for before it stays where it is; milliseconds. */
const PATIENCE_MS = 300_000;
/** Steps of a plan in one turn. */
const STEPS_PER_TURN = 16;

/** The control loop that rebalances. */
export function createRebalancer(): ControlLoop {
  return new Rebalancer();
}

class Rebalancer implements ControlLoop {
  readonly name = REBALANCER;
  #marked = true;
  /** When to see by itself whether there is something to even out. */
  #dueAt: number | undefined;
  #planning: Generator<undefined, PlannedMoves, undefined> | undefined;
  /** Tasks of the rebalance that is going on. */
  #tasks: ReadonlySet<TaskId> = new Set();

  begin(state: ClusterState): void {
    this.#marked = true;
    this.#dueAt = undefined;
    this.#planning = undefined;
    this.#tasks = new Set(state.cluster?.rebalance?.tasks);
    for (const node of state.nodes()) if (takesTasks(node)) this.#noteArrival(node.status.since, state);
  }

  observe({ at, changes }: ChangeSet, state: ClusterState): void {
    for (const change of changes) {
      if (change.kind === 'cluster') {
        this.#marked = true;
        this.#tasks = new Set(state.cluster?.rebalance?.tasks);
      } else if (change.kind === 'node') {
        const { before, after } = change;
        if (after && takesTasks(after) && !(before && takesTasks(before))) this.#noteArrival(at, state);
      } else if (change.kind === 'task' && this.#tasks.size > 0) {
        const { id, replaces } = change.after ?? change.before ?? {};
        const concerns = (each: TaskId | undefined) => each !== undefined && this.#tasks.has(each);
        if (concerns(id) || concerns(replaces)) this.#marked = true;
      }
    }
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    const { rebalance } = state.cluster ?? {};
    if (rebalance) {
      this.#planning = undefined;
      this.#dueAt = undefined;
      return this.#goOn(rebalance, state, context);
    }
    if (!automatic(state)) return NOTHING;
    if (this.#planning) return this.#plan(state, context);
    if (this.#dueAt === undefined) return NOTHING;
    if (this.#dueAt > context.at) return { ...NOTHING, wakeAt: this.#dueAt };
    this.#dueAt = undefined;
    this.#planning = planOn(state, settingsOf(state).movesMax);
    return { events: [], more: true };
  }

  /** A node may take tasks from now on. */
  #noteArrival(since: number, state: ClusterState): void {
    if (!automatic(state)) return;
    this.#dueAt = Math.max(this.#dueAt ?? 0, since + settingsOf(state).settleMs);
  }

  #plan(state: ClusterState, { at }: DecideContext): Decision {
    for (let steps = 0; steps < STEPS_PER_TURN; steps++) {
      const step = this.#planning?.next();
      if (!step?.done) continue;
      this.#planning = undefined;
      const tasks = step.value.moves.map(({ task }) => task);
      if (tasks.length === 0) return NOTHING;
      const { movesAtOnce } = settingsOf(state);
      const rebalance: Rebalance = { since: at, automatic: true, movesAtOnce, tasks, kept: 0 };
      return { events: [{ type: 'cluster.rebalancing', rebalance }], more: true };
    }
    return { events: [], more: true };
  }

  #goOn(rebalance: Rebalance, state: ClusterState, { at }: DecideContext): Decision {
    if (!this.#marked) return NOTHING;
    this.#marked = false;
    const { movesAtOnce } = rebalance;
    const standing = standingOf(rebalance, state, at);
    const events: ClusterEvent[] = [];
    if (standing.stuck.length > 0) {
      const stuck = new Set(standing.stuck);
      const tasks = rebalance.tasks.filter((id) => !stuck.has(id));
      const next = { ...rebalance, tasks, kept: rebalance.kept + stuck.size };
      events.push(
        { type: 'task.kept', ids: standing.stuck },
        { type: 'cluster.rebalancing', rebalance: next },
      );
      return { events, more: true };
    }
    const ids = standing.ready.slice(0, Math.max(0, movesAtOnce - standing.moving));
    if (ids.length > 0) events.push({ type: 'task.evicted', cause: 'rebalance', ids });
    else if (standing.moving === 0) events.push({ type: 'cluster.rebalanced', ...standing.outcome });
    const wakeAt = standing.patientUntil;
    if (wakeAt !== undefined) this.#marked = true;
    return decision(events, events.length > 0, wakeAt);
  }
}

/** Where the tasks of a rebalance stand. */
interface Standing {
  /** Tasks on the move. */
  readonly moving: number;
  /** Tasks on the move that do not get on. */
  readonly stuck: readonly TaskId[];
  /** Tasks that can be moved next. */
  readonly ready: readonly TaskId[];
  /** When the first of those on the move is given up. */
  readonly patientUntil: number | undefined;
  /** What came of it, once nothing is moving or can be moved. */
  readonly outcome: { readonly moved: number; readonly kept: number };
}

/** Where the tasks stand, at this time. Pure. */
export function standingOf(rebalance: Rebalance, state: ClusterState, at: number): Standing {
  const ready: TaskId[] = [];
  const stuck: TaskId[] = [];
  let moving = 0;
  let moved = 0;
  let kept = rebalance.kept;
  let patientUntil: number | undefined;
  for (const id of rebalance.tasks) {
    const task = state.task(id);
    if (!task || !isMeantToRun(task.desiredState)) moved += 1;
    else if (task.evicted) {
      const until = task.evicted.since + PATIENCE_MS;
      if (until <= at || isWithoutPlace(task, state)) stuck.push(id);
      else {
        moving += 1;
        patientUntil = Math.min(patientUntil ?? until, until);
      }
    } else if (isReady(task, state)) ready.push(id);
    else kept += 1;
  }
  return { moving, stuck, ready, patientUntil, outcome: { moved, kept } };
}

function isReady(task: Task, state: ClusterState): boolean {
  const service = state.service(task.serviceId);
  return service !== undefined && mayRebalance(service) && isMovable(task, service);
}

/** The scheduler has found no node for its successor. */
function isWithoutPlace(task: Task, state: ClusterState): boolean {
  return state
    .slot(task.serviceId, state.slotKey(task))
    .some(
      (other) => other.id !== task.id && isMeantToRun(other.desiredState) && other.explanation !== undefined,
    );
}

/** The plan of a state as it is: an index is made of it, in slices, and then the moves. */
export function* planOn(
  state: ClusterState,
  movesMax: number,
): Generator<undefined, PlannedMoves, undefined> {
  const loader = new IndexLoader(state);
  while (loader.goOn() === 'more') yield;
  return yield* planMoves(state, loader.index, movesMax);
}

/** The cluster's settings of rebalancing, with their defaults. */
export function settingsOf(state: ClusterState): NonNullable<ClusterSpec['rebalance']> {
  return state.cluster?.spec.rebalance ?? REBALANCE_DEFAULTS;
}

function automatic(state: ClusterState): boolean {
  return settingsOf(state).automatic;
}
