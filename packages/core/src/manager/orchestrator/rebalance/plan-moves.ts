/**
 * Which tasks to move so that the cluster is spread better, and why. Each move takes a task from a node to the one that
 * the scheduler would give it now, and makes the spread of its service more even, or that of all tasks where its
 * service's stays as even as it is; so no two moves undo each other, plan after plan there is less to move, and a cluster
 * that is even has none.
 *
 * A generator over an index that must not change meanwhile, so that whoever drives it may let others in.
 */

import type { NodeId, ServiceId, TaskId } from '../../../model/ids.ts';
import type { Service, Task } from '../../../model/objects.ts';
import { mountsPinned } from '../../../model/pinned-volumes.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { namesFor } from '../../scheduler/names-for.ts';
import type { PlacementIndex } from '../../scheduler/placement-index.ts';
import { PlacementOverlay } from '../../scheduler/placement-overlay.ts';
import { isScored } from '../../scheduler/requirements.ts';
import { serves } from '../drain/must-leave.ts';
import { SpreadOfService } from './spread-of-service.ts';

/** A task that is to go to another node. */
export interface Move {
  readonly task: TaskId;
  readonly service: ServiceId;
  readonly slot: number;
  readonly from: NodeId;
  /** Where the scheduler would put it now. */
  readonly to: NodeId;
  readonly reason: string;
}

/** The moves that are worth it, the most needed first. */
export interface PlannedMoves {
  readonly moves: readonly Move[];
  /** There are no more. False: as many were found as were asked for. */
  readonly complete: boolean;
}

/** True when tasks of the service may be moved for the sake of the spread: it rests, and has nothing against it. */
export function mayRebalance({ spec }: Service): boolean {
  return spec.mode === 'replicated' && spec.disruption?.rebalance !== false;
}

/** True for a task that could be moved now: it serves, is up to date, and may stay where it is. */
export function isMovable(task: Task, service: Service): boolean {
  return serves(task) && task.specVersion === service.specVersion && task.evicted === undefined;
}

/** Tasks or nodes looked at between two chances to let others in. */
const LOOKS_PER_STEP = 1_000;

/** Plans at most so many moves. @yields after each piece of work */
export function* planMoves(
  state: ClusterState,
  index: PlacementIndex,
  movesMax: number,
): Generator<undefined, PlannedMoves, undefined> {
  const planner = new MovePlanner(state, index, movesMax);
  yield* planner.begin();
  for (let before = -1; before < planner.moves.length && planner.moves.length < movesMax; ) {
    before = planner.moves.length;
    yield* planner.evenServices();
    yield* planner.evenNodes();
  }
  return { moves: planner.moves, complete: planner.moves.length < movesMax };
}

interface Movable {
  readonly service: Service;
  readonly spread: SpreadOfService;
  /** Tasks that could be moved, by slot of their node, newest last. */
  readonly tasks: Map<number, Task[]>;
}

class MovePlanner {
  readonly moves: Move[] = [];
  readonly #state: ClusterState;
  readonly #index: PlacementIndex;
  readonly #movesMax: number;
  readonly #overlay = new PlacementOverlay();
  readonly #active: Int32Array;
  readonly #services: Movable[] = [];

  constructor(state: ClusterState, index: PlacementIndex, movesMax: number) {
    this.#state = state;
    this.#index = index;
    this.#movesMax = movesMax;
    this.#overlay.reset(index.nodes);
    this.#active = index.nodes.active.slice();
  }

  get #isFull(): boolean {
    return this.moves.length >= this.#movesMax;
  }

  /** Gathers what could be moved. */
  *begin(): Generator<undefined, undefined, undefined> {
    let looks = 0;
    for (const service of this.#state.services()) {
      const entry = this.#index.services.get(service.id);
      if (!entry || !mayRebalance(service) || mountsPinned(service.spec.task)) continue;
      const tasks = new Map<number, Task[]>();
      let isResting = true;
      let sample: Task | undefined;
      for (const task of this.#state.tasksOfService(service.id)) {
        if (++looks % LOOKS_PER_STEP === 0) yield;
        // One that is being changed or moved is left to that.
        if (serves(task) && !isMovable(task, service)) isResting = false;
        if (!isMovable(task, service) || task.nodeId === undefined) continue;
        const slot = this.#index.nodes.slotOf(task.nodeId);
        if (slot === -1 || this.#index.nodes.takesTasks[slot] !== 1) continue;
        const there = tasks.get(slot);
        if (there) there.push(task);
        else tasks.set(slot, [task]);
        sample = task;
      }
      if (!isResting || !sample) continue;
      const parts = { index: this.#index, overlay: this.#overlay, state: this.#state };
      const spread = new SpreadOfService(sample, entry, parts);
      // What is evenly spread is not what these ask for first.
      if (!isScored(spread.requirements)) this.#services.push({ service, tasks, spread });
      yield;
    }
  }

  /** Moves tasks of services that are spread unevenly. */
  *evenServices(): Generator<undefined, undefined, undefined> {
    for (const movable of this.#services) {
      while (!this.#isFull && this.#evenOnce(movable)) yield;
      yield;
    }
  }

  /** Moves tasks off nodes that have more to do than others, where it leaves services as even as they are. */
  *evenNodes(): Generator<undefined, undefined, undefined> {
    for (let found = true; found && !this.#isFull; ) {
      found = false;
      let best: { movable: Movable; donor: number; receiver: number; tasks: number } | undefined;
      for (const movable of this.#services) {
        const receiver = movable.spread.receiver(this.#active);
        if (receiver !== -1) {
          for (const donor of movable.tasks.keys()) {
            const tasks = (this.#active[donor] as number) - (this.#active[receiver] as number);
            const gain = movable.spread.gain(donor, receiver);
            if (tasks < 2 || gain.branches < 1 || gain.nodes < 1 || tasks <= (best?.tasks ?? 0)) continue;
            best = { movable, donor, receiver, tasks };
          }
        }
        yield;
      }
      if (best) {
        const { movable, donor, receiver } = best;
        const [from, to] = [donor, receiver].map((slot) => this.#active[slot] as number);
        this.#move(
          movable,
          donor,
          receiver,
          `${this.#name(donor)} has ${from} tasks, ${this.#name(receiver)} ${to}`,
        );
        found = true;
      }
    }
  }

  #evenOnce(movable: Movable): boolean {
    const { spread, tasks, service } = movable;
    const receiver = spread.receiver(this.#active);
    if (receiver === -1) return false;
    let best = -1;
    let most = 0;
    for (const donor of tasks.keys()) {
      const { branches, nodes } = spread.gain(donor, receiver);
      const isWorthIt = branches >= 2 || (branches >= 1 && nodes >= 2);
      const worth = branches * 1_000_000 + nodes;
      if (!isWorthIt || worth <= most) continue;
      best = donor;
      most = worth;
    }
    if (best === -1) return false;
    const { name } = service.spec;
    const [from, to] = [spread.count(best), spread.count(receiver)];
    this.#move(
      movable,
      best,
      receiver,
      `${this.#name(best)} has ${from} of ${name}, ${this.#name(receiver)} ${to}`,
    );
    return true;
  }

  #move({ service, spread, tasks }: Movable, donor: number, receiver: number, reason: string): void {
    const there = tasks.get(donor) ?? [];
    const task = there.pop();
    if (there.length === 0) tasks.delete(donor);
    const [from, to] = [donor, receiver].map((slot) => this.#index.nodes.nodes[slot]?.id);
    if (!task || from === undefined || to === undefined) return;
    const { requirements, entry } = spread;
    const hasNames = requirements.needs.generic.length > 0;
    const names = hasNames ? namesFor(requirements, this.#index, this.#overlay, receiver) : undefined;
    this.#overlay.take(receiver, entry, requirements.needs, requirements.hostPorts, names);
    spread.move(donor, receiver);
    this.#active[donor] = (this.#active[donor] as number) - 1;
    this.#active[receiver] = (this.#active[receiver] as number) + 1;
    this.moves.push({ task: task.id, service: service.id, slot: task.slot, from, to, reason });
  }

  #name(slot: number): string {
    return this.#index.nodes.nodes[slot]?.description.hostname ?? '';
  }
}
