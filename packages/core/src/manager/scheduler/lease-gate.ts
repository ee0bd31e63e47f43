/**
 * Tasks with a lease that wait until no other of their slot can be at work any more. Whatever made them, an update or a
 * lost node, none gets a node before: this is the one place that every task passes.
 */

import type { TaskId } from '../../model/ids.ts';
import { LEASE_FILTER, leaseWaitMs } from '../../model/lease.ts';
import type { Task } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { holdsPlace } from './holds-place.ts';

/** What keeps a task with a lease from a node. */
export interface LeaseHold {
  /** The other task of its slot. */
  readonly task: Task;
  /** From when on that one can't run any more; milliseconds since 1970. Absent: once it has ended. */
  readonly until?: number;
}

/**
 * The other task of the slot that may still be at work.
 *
 * @param begunAt - when this leader began: a lease is counted on one manager's clock, so none ended sooner than its time
 *   after that. Milliseconds since 1970.
 */
export function leaseHold(
  task: Task,
  state: ClusterState,
  { at, begunAt }: { readonly at: number; readonly begunAt: number },
): LeaseHold | undefined {
  for (const other of state.slot(task.serviceId, task.slot)) {
    if (other.id === task.id) return undefined;
    if (isTerminal(other.status.state)) continue;
    if (!holdsPlace(other)) {
      if (isMeantToRun(other.desiredState)) return { task: other };
      continue;
    }
    const node = other.nodeId === undefined ? undefined : state.node(other.nodeId);
    // Whoever takes a node out of the cluster says that it is gone.
    if (!node) continue;
    if (node.status.state !== 'down') return { task: other };
    const leaseMs = other.leaseMs ?? task.leaseMs ?? 0;
    const until = Math.max(node.status.since, begunAt) + leaseWaitMs(leaseMs);
    if (at < until) return { task: other, until };
  }
  return undefined;
}

/** What such a task is told. */
export function explainHold({ task, until }: LeaseHold, state: ClusterState): PlacementFinding {
  const node = task.nodeId === undefined ? undefined : state.node(task.nodeId);
  const where = node === undefined ? '' : ` on ${node.description.hostname}`;
  const why =
    until === undefined
      ? `waits until task ${task.id}${where} has ended`
      : `waits for the lease of task ${task.id}${where} to run out, since that node can't be heard`;
  const by = [{ what: `task ${task.id}`, nodes: 1 }];
  return { nodes: 1, rejected: [{ filter: LEASE_FILTER, nodes: 1, by }], message: why };
}

/** Who waits, and is to be looked at. */
export class LeaseGate {
  readonly #bySlot = new Map<string, Set<TaskId>>();
  readonly #waiting = new Map<TaskId, string>();
  readonly #dirty = new Set<TaskId>();
  /** When a lease runs out, by the task that waits for it. */
  readonly #due = new Map<TaskId, number>();

  /** When to look again; `undefined`: when something happens. */
  get wakeAt(): number | undefined {
    if (this.#dirty.size > 0) return 0;
    return this.#due.size === 0 ? undefined : Math.min(...this.#due.values());
  }

  /** A task with a lease begins to wait. */
  begin(task: Task): void {
    const slot = slotOf(task);
    const inSlot = this.#bySlot.get(slot) ?? new Set<TaskId>();
    this.#bySlot.set(slot, inSlot.add(task.id));
    this.#waiting.set(task.id, slot);
    this.#dirty.add(task.id);
  }

  /** It waits here no more. @returns whether it did */
  end(id: TaskId): boolean {
    const slot = this.#waiting.get(id);
    if (slot === undefined) return false;
    this.#waiting.delete(id);
    this.#dirty.delete(id);
    this.#due.delete(id);
    const inSlot = this.#bySlot.get(slot);
    inSlot?.delete(id);
    if (inSlot?.size === 0) this.#bySlot.delete(slot);
    return true;
  }

  /** A task changed: others of its slot may go on. */
  noteTask(task: Task): void {
    if (this.#waiting.size === 0) return;
    for (const id of this.#bySlot.get(slotOf(task)) ?? []) this.#dirty.add(id);
  }

  /** Something changed that any of them may wait for: a node, or what stands near it. */
  noteOther(): void {
    for (const id of this.#waiting.keys()) this.#dirty.add(id);
  }

  /** Those to be looked at, which are then done with until something happens. */
  take(at: number): TaskId[] {
    for (const [id, due] of this.#due) if (due <= at) this.#dirty.add(id);
    const ids = [...this.#dirty];
    this.#dirty.clear();
    for (const id of ids) this.#due.delete(id);
    return ids;
  }

  /** A task is to be looked at again then. */
  wait(id: TaskId, until: number): void {
    if (this.#waiting.has(id)) this.#due.set(id, until);
  }
}

function slotOf({ serviceId, slot }: Task): string {
  return `${serviceId}/${slot}`;
}
