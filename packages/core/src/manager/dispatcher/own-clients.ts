/** Which of a node's own tasks are in networks, as far as the node was told. */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { TrafficClient } from '../../model/traffic.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { trafficClientOf } from '../../state/traffic.ts';
import type { Told } from '../../worker/dispatcher-port.ts';
import { defined } from './traffic-messages.ts';

/** What was told of them, and what may have changed since. */
export class OwnClients {
  readonly #nodeId: NodeId;
  /** As they were told. */
  readonly #told = new Map<TaskId, TrafficClient['attachments']>();
  readonly #dirty = new Set<TaskId>();

  constructor(nodeId: NodeId) {
    this.#nodeId = nodeId;
  }

  /** A task of the node changed. */
  mark(id: TaskId): void {
    this.#dirty.add(id);
  }

  /** All of them. */
  all(state: ClusterState): readonly TrafficClient[] {
    this.#dirty.clear();
    this.#told.clear();
    const clients = defined(state.tasksOfNode(this.#nodeId), trafficClientOf);
    for (const { taskId, attachments } of clients) this.#told.set(taskId, attachments);
    return clients;
  }

  /** What is to be told; undefined: nothing. */
  changed(state: ClusterState): Told<TrafficClient, TaskId> | undefined {
    const set: TrafficClient[] = [];
    const removed: TaskId[] = [];
    for (const id of this.#dirty) {
      const task = state.task(id);
      const client = task?.nodeId === this.#nodeId ? trafficClientOf(task) : undefined;
      if (client === undefined) {
        if (this.#told.delete(id)) removed.push(id);
      } else if (this.#told.get(id) !== client.attachments) {
        this.#told.set(id, client.attachments);
        set.push(client);
      }
    }
    this.#dirty.clear();
    return set.length + removed.length === 0 ? undefined : { set, removed };
  }
}
