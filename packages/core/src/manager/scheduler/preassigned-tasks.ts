/** Pending tasks that were made for one node, as a global service's are: they wait for leave to go there. */

import type { TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';

/** By node, and those to be tried. */
export class PreassignedTasks {
  /** Those to be tried. */
  readonly dirty = new Set<TaskId>();
  readonly #byNode = new Map<string, Set<TaskId>>();

  /** Those made for this node. */
  of(nodeId: string): ReadonlySet<TaskId> {
    return this.#byNode.get(nodeId) ?? new Set();
  }

  begin({ id, nodeId }: Pick<Task, 'id' | 'nodeId'>): void {
    if (nodeId === undefined) return;
    const ids = this.#byNode.get(nodeId) ?? new Set();
    this.#byNode.set(nodeId, ids.add(id));
    this.dirty.add(id);
  }

  end({ id, nodeId }: Pick<Task, 'id' | 'nodeId'>): void {
    if (nodeId === undefined) return;
    const ids = this.#byNode.get(nodeId);
    ids?.delete(id);
    if (ids?.size === 0) this.#byNode.delete(nodeId);
    this.dirty.delete(id);
  }

  /** Something changed on this node. */
  retry(nodeId: string): void {
    for (const id of this.of(nodeId)) this.dirty.add(id);
  }

  /** Something changed for all of them. */
  retryAll(): void {
    for (const ids of this.#byNode.values()) for (const id of ids) this.dirty.add(id);
  }
}
