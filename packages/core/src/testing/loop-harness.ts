/**
 * Runs control loops on a built cluster under virtual time until they are quiet, without a log, a runner or agents:
 * for tests that say "given this state, the loop wants these events". What a scheduler and agents would do is done
 * by hand, with `place` and `work`, or by giving their loops too.
 *
 * Everything is bounded: a loop that never gets quiet fails the test instead of hanging it.
 */

import type { ClusterEvent } from '../events/event.ts';
import type { ControlLoop } from '../manager/control-loop.ts';
import { meetsConstraints } from '../model/constraint-match.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { Node, Task, TaskStatus } from '../model/objects.ts';
import { isMeantToRun, isTerminal, type TaskState, taskStateRank } from '../model/task-state.ts';
import { type Random, seededRandom } from '../runtime/random.ts';
import type { ChangeSet } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { StateBuilder } from './state-builder.ts';

/** What one decision of a loop led to. */
export interface LoopTransaction {
  readonly loop: string;
  readonly at: number;
  readonly events: readonly ClusterEvent[];
}

/** Options of {@link LoopHarness}. */
export interface LoopHarnessOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Decisions that loops may make before they count as never quiet. Default 10,000. */
  readonly decisionsMax?: number;
  /** Called after every transaction, the loops' and the test's own: where invariants are checked. */
  readonly onTransaction?: (changes: ChangeSet, state: ClusterState) => void;
}

/** Loops at work on one cluster. Change the cluster through its builder, then `run`. */
export class LoopHarness {
  readonly cluster: StateBuilder;
  /** All that the loops wanted, in order. */
  readonly transactions: LoopTransaction[] = [];
  readonly #loops: { readonly loop: ControlLoop; wakeAt: number | undefined }[];
  readonly #random: Random;
  readonly #decisionsMax: number;
  readonly #onTransaction: (changes: ChangeSet, state: ClusterState) => void;
  #seen: number;

  constructor(cluster: StateBuilder, loops: readonly ControlLoop[], options: LoopHarnessOptions = {}) {
    this.cluster = cluster;
    this.#loops = loops.map((loop) => ({ loop, wakeAt: undefined }));
    this.#random = seededRandom(options.seed ?? 1);
    this.#decisionsMax = options.decisionsMax ?? 10_000;
    this.#onTransaction = options.onTransaction ?? (() => {});
    this.#seen = cluster.changes.length;
    for (const loop of loops) loop.begin(cluster.state);
  }

  get state(): ClusterState {
    return this.cluster.state;
  }

  /** Another manager leads: every loop begins from the state alone, in a new instance. */
  changeLeader(loops: readonly ControlLoop[]): this {
    this.#catchUp();
    this.#loops.splice(0, this.#loops.length, ...loops.map((loop) => ({ loop, wakeAt: undefined })));
    for (const loop of loops) loop.begin(this.state);
    return this;
  }

  /** Lets the loops decide until none wants anything at this time. Returns what they wanted. */
  run(): ClusterEvent[] {
    const from = this.transactions.length;
    let decisions = 0;
    let quiet = 0;
    for (let turn = 0; quiet < this.#loops.length; turn++) {
      const entry = this.#loops[turn % this.#loops.length];
      if (entry === undefined) break;
      if (++decisions > this.#decisionsMax) {
        const last = this.transactions.slice(-3).map((each) => JSON.stringify(each));
        throw new Error(
          `the loops are not quiet after ${this.#decisionsMax} decisions; last: ${last.join('\n')}`,
        );
      }
      quiet = this.#turn(entry) ? 0 : quiet + 1;
    }
    return this.transactions.slice(from).flatMap((transaction) => transaction.events);
  }

  /** Lets time pass, with the loops decided at every time at which one asked to be woken. */
  advance(ms: number): ClusterEvent[] {
    const from = this.transactions.length;
    const end = this.cluster.at + ms;
    this.run();
    for (let next = this.#nextWake(); next !== undefined && next <= end; next = this.#nextWake()) {
      this.cluster.after(Math.max(0, next - this.cluster.at));
      this.run();
    }
    this.cluster.after(end - this.cluster.at);
    this.run();
    return this.transactions.slice(from).flatMap((transaction) => transaction.events);
  }

  /** When the next loop wants to be woken. */
  get wakeAt(): number | undefined {
    return this.#nextWake();
  }

  /** The event happens, asked for by a user. */
  apply(...events: readonly ClusterEvent[]): this {
    this.cluster.apply(...events);
    return this;
  }

  /** An agent's report of these tasks. */
  report(tasks: readonly Task[], state: TaskState, more: Partial<TaskStatus> = {}): this {
    const status: TaskStatus = { at: this.cluster.at, message: state, ...more, state };
    const rows = tasks
      .filter(
        (task) => taskStateRank(state) >= taskStateRank(this.state.task(task.id)?.status.state ?? state),
      )
      .map(({ id }) => ({ id, status }));
    if (rows.length > 0) this.cluster.apply({ type: 'task.status', rows });
    return this;
  }

  /**
   * Gives pending tasks nodes, as a scheduler would that knows no more than constraints and counts: ready and active
   * nodes, the one with the fewest tasks first.
   */
  place(): this {
    const nodes = [...this.state.nodes()].filter(
      (node) => node.status.state === 'ready' && node.spec.availability === 'active',
    );
    const counts = new Map<NodeId, number>(nodes.map((node) => [node.id, this.#live(node).length]));
    const rows: { nodeId: NodeId; tasks: TaskId[] }[] = [];
    for (const task of this.state.tasks()) {
      if (task.status.state !== 'pending' || !isMeantToRun(task.desiredState)) continue;
      const constraints = this.state.service(task.serviceId)?.spec.task.placement.constraints ?? [];
      const chosen = nodes
        .filter((node) => meetsConstraints(node, constraints) && (task.nodeId ?? node.id) === node.id)
        .map((node) => node.id)
        .sort((a, b) => count(a) - count(b))[0];
      if (chosen === undefined) continue;
      counts.set(chosen, count(chosen) + 1);
      rows.push({ nodeId: chosen, tasks: [task.id] });
    }
    if (rows.length > 0) this.cluster.apply({ type: 'task.assigned', rows });
    return this;

    function count(id: NodeId): number {
      return counts.get(id) ?? 0;
    }
  }

  /** Agents of ready nodes bring all their tasks to where they should be, as if nothing could go wrong. */
  work(): this {
    const byState = new Map<TaskState, Task[]>();
    for (const task of this.state.tasks()) {
      const node = task.nodeId === undefined ? undefined : this.state.node(task.nodeId);
      const { state } = task.status;
      if (node?.status.state !== 'ready' || isTerminal(state)) continue;
      if (taskStateRank(state) < taskStateRank('assigned')) continue;
      const next = !isMeantToRun(task.desiredState)
        ? 'shutdown'
        : task.desiredState === 'ready'
          ? 'ready'
          : 'running';
      if (taskStateRank(next) > taskStateRank(state)) byState.set(next, [...(byState.get(next) ?? []), task]);
    }
    for (const [state, tasks] of byState) this.report(tasks, state);
    return this;
  }

  /** Loops, scheduler and agents in turn, until nothing changes any more at this time. */
  settle(): this {
    for (let round = 0; ; round++) {
      const { index } = this.state;
      this.run();
      this.place();
      this.work();
      this.#catchUp();
      if (this.state.index === index) return this;
      if (round > this.#decisionsMax) throw new Error('the cluster does not settle');
    }
  }

  /** {@link settle} now, and at every time until then at which a loop asked to be woken. */
  settleFor(ms: number): this {
    const end = this.cluster.at + ms;
    this.settle();
    for (let next = this.#nextWake(); next !== undefined && next <= end; next = this.#nextWake()) {
      this.cluster.after(Math.max(0, next - this.cluster.at));
      this.settle();
    }
    this.cluster.after(end - this.cluster.at);
    return this.settle();
  }

  #live(node: Node): Task[] {
    return [...this.state.tasksOfNode(node.id)].filter(
      (task) => isMeantToRun(task.desiredState) && !isTerminal(task.status.state),
    );
  }

  /** One decision. True when it led to something, or there is more. */
  #turn(entry: { readonly loop: ControlLoop; wakeAt: number | undefined }): boolean {
    this.#catchUp();
    const at = Math.max(this.cluster.at, this.state.at);
    const decision = entry.loop.decide(this.state, { at, random: this.#random });
    entry.wakeAt = decision.wakeAt;
    if (decision.events.length > 0) {
      this.transactions.push({ loop: entry.loop.name, at, events: decision.events });
      this.cluster.commit(decision.events, { actor: { kind: 'loop', name: entry.loop.name } });
      this.#catchUp();
    }
    return decision.events.length > 0 || decision.more;
  }

  /** Shows the loops what has changed since they last looked. */
  #catchUp(): void {
    const { changes } = this.cluster;
    for (; this.#seen < changes.length; this.#seen++) {
      const next = changes[this.#seen];
      if (next === undefined) break;
      for (const { loop } of this.#loops) loop.observe(next, this.state);
      this.#onTransaction(next, this.state);
    }
  }

  #nextWake(): number | undefined {
    const times = this.#loops.flatMap(({ wakeAt }) => (wakeAt === undefined ? [] : [wakeAt]));
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
