/**
 * Gives up tasks whose node has been down for too long: nobody will ever tell how they ended, so they are observed as
 * orphaned. The time counts from when the node went down, as the state has it, so a change of leader does not begin
 * it anew.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Task, TaskStatus } from '../../model/objects.ts';
import { isTerminal, taskStateRank } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import {
  type ControlLoop,
  type DecideContext,
  type Decision,
  ROWS_PER_TRANSACTION,
} from '../control-loop.ts';
import { decision } from './decision.ts';
import { WakeQueue } from './wake-queue.ts';

/** Name of the loop, and the actor of its transactions. */
export const ORPHAN_KEEPER = 'orchestrator/orphan-keeper';

/** Task rows that one turn of the search for tasks without a node looks at. */
const ROWS_PER_TURN = 10_000;

/** The control loop that gives up tasks on lost nodes. */
export function createOrphanKeeper(): ControlLoop {
  return new OrphanKeeper();
}

class OrphanKeeper implements ControlLoop {
  readonly name = ORPHAN_KEEPER;
  readonly #down = new WakeQueue<NodeId>();
  /** Where the search for tasks whose node is no more stands; `undefined` when it is over. */
  #searchFrom: number | undefined = 0;

  begin(state: ClusterState): void {
    this.#down.clear();
    this.#searchFrom = 0;
    this.#watchAll(state);
  }

  observe(changes: ChangeSet, state: ClusterState): void {
    for (const change of changes.changes) {
      if (change.kind === 'cluster') this.#watchAll(state);
      if (change.kind !== 'node') continue;
      const { before, after } = change;
      if (after) this.#watch(after.id, state);
      else if (before) {
        this.#down.delete(before.id);
        this.#searchFrom = 0;
      }
    }
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    const ids: TaskId[] = [];
    for (const nodeId of this.#down.takeDue(context.at)) {
      for (const task of state.tasksOfNode(nodeId)) {
        if (!isWithAgent(task)) continue;
        if (ids.length < ROWS_PER_TRANSACTION) ids.push(task.id);
        // The rest at once, in the next transaction.
        else this.#down.set(nodeId, context.at);
      }
    }
    const lost = ids.length < ROWS_PER_TRANSACTION ? this.#search(state) : [];
    const events = [
      ...orphaned(ids, 'node was down for too long', context),
      ...orphaned(lost, 'node is no longer in the cluster', context),
    ];
    const wakeAt = this.#down.next();
    const more = this.#searchFrom !== undefined || (wakeAt !== undefined && wakeAt <= context.at);
    return decision(events, more, wakeAt);
  }

  #watchAll(state: ClusterState): void {
    for (const node of state.nodes()) this.#watch(node.id, state);
  }

  #watch(id: NodeId, state: ClusterState): void {
    const node = state.node(id);
    const orphanAfterMs = state.cluster?.spec.dispatcher.orphanAfterMs;
    if (node?.status.state !== 'down' || orphanAfterMs === undefined) this.#down.delete(id);
    else this.#down.set(id, node.status.since + orphanAfterMs);
  }

  /** Tasks left behind by a node that was removed: whoever removes one orphans them, so it finds none as a rule. */
  #search(state: ClusterState): TaskId[] {
    if (this.#searchFrom === undefined) return [];
    const { rows } = state.roots.tasks;
    const from = this.#searchFrom;
    const to = Math.min(from + ROWS_PER_TURN, rows.length);
    const lost: TaskId[] = [];
    rows.forEach(
      (task) => {
        if (isWithAgent(task) && task.nodeId !== undefined && !state.node(task.nodeId)) lost.push(task.id);
      },
      from,
      to,
    );
    this.#searchFrom = to < rows.length ? to : undefined;
    return lost;
  }
}

/** An agent had it last, and has not reported its end. */
function isWithAgent(task: Task): boolean {
  const { state } = task.status;
  return !isTerminal(state) && taskStateRank(state) >= taskStateRank('assigned');
}

function orphaned(ids: readonly TaskId[], message: string, context: DecideContext): ClusterEvent[] {
  if (ids.length === 0) return [];
  const status: TaskStatus = { state: 'orphaned', at: context.at, message };
  return [{ type: 'task.status', rows: ids.map((id) => ({ id, status })) }];
}
