/** `cluster.rebalance`: which tasks could be moved to spread the cluster better, and moving them. */

import { InvalidSpecError } from '../errors.ts';
import { REBALANCE_MOVES_MAX, startRebalance, stopRebalance } from '../manager/api/rebalance-commands.ts';
import { planOn, settingsOf, standingOf } from '../manager/orchestrator/rebalance/rebalancer.ts';
import type { Named } from '../manager/planner/plan.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { RebalanceOutcome } from '../model/objects.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import { inSlices } from '../runtime/slices.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { type CommandOptions, type Control, commandsOn } from './control.ts';

/** A task that would be moved. */
export interface PlannedMove {
  readonly task: TaskId;
  /** Name of the service. */
  readonly service: string;
  readonly slot: number;
  readonly from: Named<NodeId>;
  /** Where the scheduler would put it now. */
  readonly to: Named<NodeId>;
  /** Why, in words. */
  readonly reason: string;
}

/** What a rebalance would do. */
export interface RebalancePlan {
  /** Index of the state that it was made from. Give it to `start` as `ifIndex`, to move only what was planned. */
  readonly index: number;
  /** The tasks to move, in their order. */
  readonly moves: readonly PlannedMove[];
  /** So many are on the move at once. */
  readonly movesAtOnce: number;
  /** After these moves all is as even as moves can make it. False: as many were planned as may be at once. */
  readonly complete: boolean;
}

/** Options of {@link Rebalancing.plan}. */
export interface RebalancePlanOptions extends WaitOptions {
  /** Most moves. Default: as the cluster's settings say, 100. */
  readonly movesMax?: number;
}

/** Options of {@link Rebalancing.start}. */
export interface RebalanceOptions extends CommandOptions {
  /** So many tasks are on the move at once. Default: as the cluster's settings say, 2. */
  readonly movesAtOnce?: number;
}

/** How far a rebalance has come. */
export interface RebalanceProgress {
  /** Since when; milliseconds since 1970. */
  readonly since: number;
  /** It began by itself. */
  readonly automatic: boolean;
  readonly moved: number;
  readonly moving: number;
  /** Tasks that are still to be moved. */
  readonly left: number;
  /** Tasks that stay where they are: they can't be moved any more, or there was no place for them. */
  readonly kept: number;
}

const CLUSTER = commandsOn('cluster');

/** Moving tasks for the sake of the spread. Nothing is moved unless it is asked for, here or in the settings. */
export class Rebalancing {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /**
   * Which tasks to move, where to and why. Nothing happens by it. Services with `disruption.rebalance: false` are left
   * alone, and so are those that are being updated.
   *
   * @throws InvalidSpecError, TimeoutError, AbortedError, ClosedError
   */
  async plan(options: RebalancePlanOptions = {}): Promise<RebalancePlan> {
    const { state, clock, lifetime } = this.#control;
    const { movesMax = settingsOf(state).movesMax, ...waiting } = options;
    if (!Number.isSafeInteger(movesMax) || movesMax < 1 || movesMax > REBALANCE_MOVES_MAX) {
      const rule = `must be a whole number from 1 to ${REBALANCE_MOVES_MAX}`;
      throw new InvalidSpecError([{ field: 'movesMax', rule }]);
    }
    const run = (signal: AbortSignal) => inSlices(clock, planOn(state, movesMax), signal);
    const { moves, complete } = await withDeadline(clock, waiting, 'the plan to rebalance', run, {
      lifetime,
    });
    return {
      index: state.index,
      movesAtOnce: settingsOf(state).movesAtOnce,
      complete,
      moves: moves.map(({ task, service, slot, from, to, reason }) => ({
        ...{ task, slot, reason, from: named(state, from), to: named(state, to) },
        service: state.service(service)?.spec.name ?? service,
      })),
    };
  }

  /**
   * Moves the tasks of a plan, a few at a time: each is stopped once its successor serves, never below the budget of its
   * service. One that can't be moved any more, or finds no place, stays.
   *
   * @throws PreconditionError when a rebalance is going on; InvalidSpecError; IndexConflictError; UnavailableError,
   *   OutcomeUnknownError
   */
  start(plan: Pick<RebalancePlan, 'moves'>, options: RebalanceOptions = {}): Promise<void> {
    const moves: unknown = plan?.moves;
    if (!Array.isArray(moves) || !moves.every((move) => typeof move?.task === 'string')) {
      const issue = { field: 'plan', rule: 'must be a plan of cluster.rebalance.plan()' };
      return Promise.reject(new InvalidSpecError([issue]));
    }
    const tasks = plan.moves.map(({ task }) => task);
    return this.#control.command(
      'start rebalance',
      options,
      (head, context) => startRebalance(head, tasks, context, options.movesAtOnce),
      CLUSTER.update,
      () => undefined,
    );
  }

  /** Moves no further task. Those on the move stay where they are. @throws UnavailableError, OutcomeUnknownError */
  stop(options: CommandOptions = {}): Promise<void> {
    return this.#control.command(
      'stop rebalance',
      options,
      (head) => stopRebalance(head),
      CLUSTER.update,
      () => undefined,
    );
  }

  /** How far it has come; undefined while none is going on. */
  progress(): RebalanceProgress | undefined {
    const { state } = this.#control;
    const rebalance = state.cluster?.rebalance;
    if (!rebalance) return undefined;
    const { since, automatic, tasks } = rebalance;
    const { moving, stuck, outcome } = standingOf(rebalance, state, state.at);
    const { moved, kept } = outcome;
    const left = tasks.length + rebalance.kept - moved - kept - moving - stuck.length;
    return { since, automatic, moved, moving: moving + stuck.length, left, kept };
  }

  /** Waits until none is going on, and gives what came of the last one. @throws TimeoutError, AbortedError, ClosedError */
  waitFor(goal: 'ended', options: WaitOptions = {}): Promise<RebalanceOutcome | undefined> {
    if (goal !== 'ended') {
      return Promise.reject(new InvalidSpecError([{ field: 'goal', rule: "must be 'ended'" }]));
    }
    const look = ({ cluster }: ClusterState) =>
      cluster && !cluster.rebalance ? { outcome: cluster.lastRebalance } : undefined;
    return this.#control.until('rebalance ended', options, look).then(({ outcome }) => outcome);
  }
}

function named(state: ClusterState, id: NodeId): Named<NodeId> {
  return { id, name: state.node(id)?.description.hostname ?? id };
}
