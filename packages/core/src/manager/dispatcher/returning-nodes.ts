/**
 * Nodes that were down and are back. What they ran was replaced meanwhile and may still run there: until they have
 * stopped that, they do not count as ready, so that nothing new comes to stand beside it.
 */

import type { NodeId } from '../../model/ids.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { CancelTimer, Clock } from '../../runtime/clock.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** A task that can't be stopped must not keep its node out for ever. As long as a new task waits for an old one. */
const PATIENCE_MS = 60_000;

/** Whether something is on the node that was replaced while it was away, and has not ended as far as anyone knows. */
export function hasReplacedTasks(state: ClusterState, id: NodeId): boolean {
  for (const { desiredState, status } of state.tasksOfNode(id)) {
    if (!isMeantToRun(desiredState) && !isTerminal(status.state)) return true;
  }
  return false;
}

/** Watches nodes until they may count as ready. */
export class ReturningNodes {
  readonly #clock: Clock;
  readonly #onReady: (id: NodeId) => void;
  readonly #patience = new Map<NodeId, CancelTimer>();

  constructor(clock: Clock, onReady: (id: NodeId) => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** The node is back, and stops what was replaced. */
  add(id: NodeId): void {
    this.delete(id);
    this.#patience.set(
      id,
      this.#clock.setTimer(PATIENCE_MS, () => this.#ready(id)),
    );
  }

  /** Something changed of the node's tasks. */
  look(id: NodeId, state: ClusterState): void {
    if (this.#patience.has(id) && !hasReplacedTasks(state, id)) this.#ready(id);
  }

  /** The node's session is over. */
  delete(id: NodeId): void {
    this.#patience.get(id)?.();
    this.#patience.delete(id);
  }

  clear(): void {
    for (const id of [...this.#patience.keys()]) this.delete(id);
  }

  #ready(id: NodeId): void {
    this.delete(id);
    this.#onReady(id);
  }
}
