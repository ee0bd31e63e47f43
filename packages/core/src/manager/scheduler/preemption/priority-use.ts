/**
 * The priorities of services, and what their tasks hold by node. Services that always had the default priority, as
 * mostly all have, are not counted: what their tasks hold is the rest.
 */

import type { Service, Task } from '../../../model/objects.ts';
import { plainEqual } from '../../../model/plain-equal.ts';
import { priorityOf } from '../../../model/service-spec.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { holdsPlace } from '../holds-place.ts';
import type { NodeTable } from '../node-table.ts';
import { type Needs, needsOf } from '../requirements.ts';
import type { ServiceEntry } from '../service-entry.ts';

/** What active tasks of one service hold on one node. */
interface Held {
  tasks: number;
  nanoCpus: number;
  memoryBytes: number;
}

/** Processors and memory. */
export interface Amounts {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
}

/** All of it. */
export class PriorityUse {
  /** How many services have each priority. */
  readonly #services = new Map<number, number>();
  readonly #bySlot: (Map<ServiceEntry, Held> | undefined)[] = [];
  /** Services whose tasks are to be counted from now on. */
  readonly #toCount = new Set<ServiceEntry>();
  #lowest = 0;

  /** The lowest priority that a service has. */
  get lowest(): number {
    return this.#lowest;
  }

  /** Not all services have the same priority. */
  get differ(): boolean {
    return this.#services.size > 1;
  }

  /**
   * A service came, changed or went.
   *
   * @returns whether more tasks may come to be stopped for others than before.
   */
  fold(service: ServiceEntry, before: Service | undefined, after: Service | undefined): boolean {
    if (before) this.#note(priorityOf(before.spec), -1);
    if (!after) return false;
    const priority = priorityOf(after.spec);
    this.#note(priority, 1);
    service.priority = priority;
    if (priority !== 0 && !service.isPrioritised) {
      if (before) this.#toCount.add(service);
      else service.isPrioritised = true;
    }
    if (!before || !this.differ) return false;
    return priority !== priorityOf(before.spec) || !plainEqual(before.spec.disruption, after.spec.disruption);
  }

  /** An active task of a service with a priority of its own comes to a node, or with `sign` -1 leaves it. */
  count(slot: number, service: ServiceEntry, { nanoCpus, memoryBytes }: Needs, sign: 1 | -1): void {
    const bySlot = this.#bySlot[slot] ?? new Map<ServiceEntry, Held>();
    this.#bySlot[slot] = bySlot;
    const held = bySlot.get(service) ?? { tasks: 0, nanoCpus: 0, memoryBytes: 0 };
    bySlot.set(service, held);
    held.tasks += sign;
    held.nanoCpus += sign * nanoCpus;
    held.memoryBytes += sign * memoryBytes;
    if (held.tasks === 0) bySlot.delete(service);
  }

  /** The transaction is folded: what its services' tasks hold can be counted. */
  settle(state: ClusterState, nodes: NodeTable): void {
    if (this.#toCount.size === 0) return;
    for (const service of this.#toCount) {
      service.isPrioritised = true;
      for (const task of state.tasksOfService(service.id)) {
        const slot = isActive(task) && task.nodeId !== undefined ? nodes.slotOf(task.nodeId) : -1;
        if (slot !== -1) this.count(slot, service, needsOf(task.spec), 1);
      }
    }
    this.#toCount.clear();
  }

  removeNode(slot: number): void {
    this.#bySlot[slot] = undefined;
  }

  /** What active tasks of a priority above this one hold on a node, tasks of the default priority left out. */
  heldAbove(slot: number, priority: number): Amounts {
    let nanoCpus = 0;
    let memoryBytes = 0;
    for (const [service, held] of this.#bySlot[slot] ?? NOTHING) {
      if (service.priority === 0 || service.priority <= priority) continue;
      nanoCpus += held.nanoCpus;
      memoryBytes += held.memoryBytes;
    }
    return { nanoCpus, memoryBytes };
  }

  /** The priorities below this one that active tasks on a node may have, ascending. */
  levelsBelow(slot: number, priority: number): number[] {
    const levels = new Set(priority > 0 ? [0] : []);
    for (const service of this.#bySlot[slot]?.keys() ?? []) {
      if (service.priority < priority) levels.add(service.priority);
    }
    return [...levels].sort((a, b) => a - b);
  }

  #note(priority: number, sign: 1 | -1): void {
    const services = (this.#services.get(priority) ?? 0) + sign;
    if (services === 0) this.#services.delete(priority);
    else this.#services.set(priority, services);
    if (services <= 1) this.#lowest = this.#services.size === 0 ? 0 : Math.min(...this.#services.keys());
  }
}

const NOTHING: ReadonlyMap<ServiceEntry, Held> = new Map();

function isActive(task: Task): boolean {
  return holdsPlace(task) && isMeantToRun(task.desiredState);
}
